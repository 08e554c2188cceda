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

  /// Those that were put back stand behind others that came later.
  @Test func whatWasPutBackIsAsOldAsItIs() throws {
    var leftovers = Leftovers<Int>()
    let start = ContinuousClock.now
    _ = leftovers.add(0, at: start)
    for number in 1..<PipeLimits.leftovers {
      _ = leftovers.add(number, at: start + .seconds(1))
    }
    let first = try #require(leftovers.takeDue(at: start).first)
    let isKept = leftovers.putBack(first, at: start + .seconds(2))
    #expect(isKept)
    #expect(leftovers.add(-1, at: start + .seconds(3)) == 0)
  }

  @Test func whatWasNotTriedKeepsItsTurn() throws {
    var leftovers = Leftovers<Int>()
    let start = ContinuousClock.now
    _ = leftovers.add(1, at: start)
    for _ in 0..<5 {
      let due = try #require(leftovers.takeDue(at: start).first)
      let isKept = leftovers.putBack(due, at: start, wasTried: false)
      #expect(isKept)
    }
    let due = try #require(leftovers.takeDue(at: start).first)
    let isKept = leftovers.putBack(due, at: start)
    #expect(isKept)
    #expect(leftovers.takeDue(at: start + PipeLimits.engineInterval).count == 1)
  }
}

/// What is cut of a process that is being ended is said, and nothing follows the gap (promises P1, P10).
@Suite struct LastOutputTests {
  @Test func afterAGapNothingFollows() {
    var output = LastOutput()
    let first = output.take(PipeLimits.rest - 1, isWanted: false, isKilled: false)
    let wanted = output.take(PipeLimits.rest * 4, isWanted: true, isKilled: true)
    let second = output.take(100, isWanted: false, isKilled: true)
    #expect(first && wanted && second && output.rest == 0 && output.loss == nil)
    let dropped = output.take(10, isWanted: false, isKilled: true)
    let afterwards = output.take(5, isWanted: true, isKilled: true)
    #expect(!dropped && !afterwards)
    #expect(output.loss == "15 bytes of its last output were cut")
  }
}
