// What could not be ended is tried again, ever more seldom, and neither for ever nor without number (promise P6).

import Testing

@testable import Pipes

@Suite struct LeftoversTests {
  @Test func whatIsNotFoundIsLookedForMoreAndMoreSeldom() throws {
    var leftovers = Leftovers<Int>()
    let start = ContinuousClock.now
    #expect(leftovers.add(1, at: start) == nil)
    var tries: [Duration] = []
    for second in 0..<400 {
      let now = start + .seconds(second)
      for leftover in leftovers.takeDue(at: now) {
        tries.append(now - start)
        let isKept = leftovers.putBack(leftover, at: now)
        #expect(isKept)
      }
    }
    #expect(
      tries == [0, 5, 15, 35, 75, 135, 195, 255, 315, 375].map { .seconds($0) }, "\(tries)")
  }

  @Test func itIsGivenUpAfterADay() throws {
    var leftovers = Leftovers<Int>()
    let start = ContinuousClock.now
    _ = leftovers.add(1, at: start)
    let late = start + PipeLimits.leftoverPatience
    let due = leftovers.takeDue(at: late)
    #expect(due.count == 1)
    let isKept = leftovers.putBack(try #require(due.first), at: late)
    #expect(!isKept)
    #expect(leftovers.waiting.isEmpty)
  }

  @Test func theOldestGivesWay() {
    var leftovers = Leftovers<Int>()
    let now = ContinuousClock.now
    let most = PipeLimits.leftovers
    for number in 0..<most { #expect(leftovers.add(number, at: now) == nil) }
    #expect(leftovers.add(most, at: now) == 0)
    #expect(leftovers.waiting.count == most)
    // While those are being tried, others may have come.
    let due = leftovers.takeDue(at: now)
    for number in 0..<most { _ = leftovers.add(number, at: now) }
    let isKept = leftovers.putBack(due[0], at: now)
    #expect(!isKept)
  }
}
