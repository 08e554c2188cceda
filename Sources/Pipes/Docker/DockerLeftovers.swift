// Processes that their sessions have ended with and that could not be ended, because the engine did not
// answer or nobody found them. They are tried again, ever more seldom and not for ever; what is left then, the next
// incarnation of the node sweeps.

import Logging
import NIOConcurrencyHelpers

final class DockerLeftovers: Sendable {
  private let waiting = NIOLockedValueBox(Leftovers<DockerProcess>())
  private let logger: Logger

  init(logger: Logger) { self.logger = logger }

  func add(_ process: DockerProcess) {
    let lost = waiting.withLockedValue { $0.add(process, at: .now) }
    if let lost { giveUp(lost, "too many wait") }
  }

  /// Ends those that can be found now, as far as it is their time.
  func settle() async {
    let due = waiting.withLockedValue { $0.takeDue(at: .now) }
    for (index, leftover) in due.enumerated() {
      guard !Task.isCancelled,
        case .unknown(let why) = await leftover.item.signal([.hangup, .kill])
      else { continue }
      putBack(leftover, why, wasTried: true)
      // Where the engine does not answer, the next would wait as long for nothing.
      if await leftover.item.engine.trouble != nil {
        for rest in due[(index + 1)...] { putBack(rest, why, wasTried: false) }
        return
      }
    }
  }

  private func putBack(
    _ leftover: Leftovers<DockerProcess>.Leftover, _ why: String, wasTried: Bool
  ) {
    let isKept = waiting.withLockedValue { $0.putBack(leftover, at: .now, wasTried: wasTried) }
    if !isKept { giveUp(leftover.item, why) }
  }

  private func giveUp(_ process: DockerProcess, _ why: String) {
    logger.error(
      "a process in a container is looked for no more, and may run on: end it by hand, or start this node anew",
      metadata: [
        "container": "\(process.container)", "mark": "\(process.mark)", "why": "\(why)",
      ])
  }
}

/// What is tried again, and when. Pure.
struct Leftovers<Item: Sendable>: Sendable {
  struct Leftover: Sendable {
    var item: Item
    let since: ContinuousClock.Instant
    fileprivate var pause: Duration
    fileprivate var next: ContinuousClock.Instant
  }

  private(set) var waiting: [Leftover] = []

  /// - Returns: the oldest, which gives way where there are too many.
  mutating func add(_ item: Item, at now: ContinuousClock.Instant) -> Item? {
    var lost: Item?
    if waiting.count >= PipeLimits.leftovers,
      let oldest = waiting.indices.min(by: { waiting[$0].since < waiting[$1].since })
    {
      lost = waiting.remove(at: oldest).item
    }
    waiting.append(Leftover(item: item, since: now, pause: PipeLimits.engineInterval, next: now))
    return lost
  }

  mutating func takeDue(at now: ContinuousClock.Instant) -> [Leftover] {
    let due = waiting.filter { $0.next <= now }
    waiting.removeAll { $0.next <= now }
    return due
  }

  /// - Parameter wasTried: what was not keeps its turn.
  /// - Returns: false: it has been tried for long enough.
  mutating func putBack(
    _ leftover: Leftover, at now: ContinuousClock.Instant, wasTried: Bool = true
  ) -> Bool {
    guard now - leftover.since < PipeLimits.leftoverPatience, waiting.count < PipeLimits.leftovers
    else { return false }
    var leftover = leftover
    if wasTried {
      leftover.next = now + leftover.pause
      leftover.pause = min(leftover.pause * 2, PipeLimits.longestPause)
    }
    waiting.append(leftover)
    return true
  }
}
