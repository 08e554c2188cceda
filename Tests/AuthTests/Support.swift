// What the tests of this folder share.

import Foundation

@testable import Auth

extension Grants {
  init(json: String) throws { self = try JSONDecoder().decode(Grants.self, from: Data(json.utf8)) }
}

/// A seed is printed, so that a failure can be had again: FAIRLEAD_TEST_SEED=NUMBER.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  static func announced(_ test: String) -> Seeded {
    let given = ProcessInfo.processInfo.environment["FAIRLEAD_TEST_SEED"].flatMap { UInt64($0) }
    let seed = given ?? UInt64.random(in: 1...UInt64.max)
    print("\(test): FAIRLEAD_TEST_SEED=\(seed)")
    return Seeded(state: seed)
  }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
