// Random tests that can be run again: the seed is printed, and taken from FAIRLEAD_SEED if that is set.

import Foundation

/// SplitMix64 (Steele, Lea and Flood 2014).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// A new seed, printed, or the one in FAIRLEAD_SEED.
  public static func announced(_ name: String = #function) -> SeededGenerator {
    SeededGenerator(seed: announcedSeed(name))
  }

  public static func announcedSeed(_ name: String = #function) -> UInt64 {
    let seed =
      ProcessInfo.processInfo.environment["FAIRLEAD_SEED"].flatMap { UInt64($0) }
      ?? UInt64.random(in: 0...UInt64.max)
    print("\(name): FAIRLEAD_SEED=\(seed)")
    return seed
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// True with the given probability.
  public mutating func chance(_ probability: Double) -> Bool {
    Double.random(in: 0..<1, using: &self) < probability
  }
}
