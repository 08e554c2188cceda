// Many trials against one fleet, so many at a time, until enough were cut.

import Chaos
import NIOConcurrencyHelpers
import TestSupport
import Wire

public struct Court: Sendable {
  public var fleet: Fleet
  public var seed: UInt64
  public var atATime = 16
  public var output = 400_000
  public var input = 40_000
  public var pace = 100_000
  public var watchers = 1

  public init(_ fleet: Fleet, seed: UInt64) {
    self.fleet = fleet
    self.seed = seed
  }

  /// Runs trials until `isEnough` says so after one of them, and those under way have ended.
  public func sit(
    progress: @Sendable (Verdict) -> Void = { _ in }, until isEnough: @Sendable (Verdict) -> Bool
  ) async -> Verdict {
    var verdict = Verdict()
    var number = 0
    await withTaskGroup(of: Verdict.self) { trials in
      func begin() {
        // Every target behind every URL.
        let url = fleet.urls[number % fleet.urls.count]
        let target = fleet.targets[number / fleet.urls.count % fleet.targets.count]
        var trial = Trial(
          url: url, seed: seed &+ UInt64(number), output: output, input: input, pace: pace,
          watchers: watchers)
        trial.target = target
        trial.mayBeLost = fleet.losesSessions && target == .pty
        number += 1
        trials.addTask { [trial] in await trial.run() }
      }
      for _ in 0..<atATime { begin() }
      for await result in trials {
        verdict += result
        progress(verdict)
        if verdict.differences.isEmpty, !isEnough(verdict) { begin() }
      }
    }
    return verdict
  }
}
