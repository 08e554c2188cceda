// Random tests take their seeds from here: each prints where it starts, and FAIRLEAD_SEED starts it there again.

import Foundation
import TestSupport

/// Consecutive seeds: `count` of them, and more until FAIRLEAD_SCREEN_FUZZ_SECONDS are over if that is set.
struct Seeds: Sequence, IteratorProtocol {
  private let start: UInt64
  private let count: UInt64
  private let end: ContinuousClock.Instant
  private var drawn: UInt64 = 0

  init(_ count: UInt64, _ name: String = #function) {
    self.count = count
    start = SeededGenerator.announcedSeed(name)
    let seconds = ProcessInfo.processInfo.environment["FAIRLEAD_SCREEN_FUZZ_SECONDS"]
    end = ContinuousClock.now + .seconds(Double(seconds ?? "") ?? 0)
  }

  mutating func next() -> UInt64? {
    guard drawn < count || ContinuousClock.now < end else { return nil }
    defer { drawn += 1 }
    return start &+ drawn
  }
}
