// What a node's log tells of its lease: each change once, not each heartbeat.

import Logging
import Registry

struct LeaseStory {
  private let node: NodeID
  private let logger: Logger
  private var lastRenewal = ContinuousClock.now
  /// The operator's, as the registry said it last.
  private(set) var wish = NodeWish.serve
  private var state = State.kept
  private var lastEviction: ContinuousClock.Instant?

  private enum State { case kept, failing, ended }

  init(_ node: NodeID, _ logger: Logger) {
    self.node = node
    self.logger = logger
  }

  mutating func renewed() {
    let silence = ContinuousClock.now - lastRenewal
    lastRenewal = .now
    if state == .ended || silence > .milliseconds(Lease.length) {
      logger.notice(
        "the node has its lease again",
        metadata: ["node": "\(node)", "silent": "\(silence.components.seconds) s"])
    } else if state == .failing {
      logger.notice("the registry takes heartbeats again", metadata: ["node": "\(node)"])
    }
    state = .kept
  }

  mutating func failed(_ error: any Error) {
    let silence = ContinuousClock.now - lastRenewal
    if state != .ended, silence > .milliseconds(Lease.length) {
      state = .ended
      logger.error(
        "the node's lease has ended: it gets no new sessions, and keeps those it has",
        metadata: [
          "node": "\(node)", "silent": "\(silence.components.seconds) s", "error": "\(error)",
        ])
    } else if state == .kept {
      state = .failing
      logger.warning(
        "a heartbeat failed; trying again", metadata: ["node": "\(node)", "error": "\(error)"])
    }
  }

  /// Returns what to log, and at which level: a Redis that evicts all the time is no news at each heartbeat.
  mutating func announces(_ why: HeartbeatResult.Outdated) -> (text: String, level: Logger.Level) {
    switch why {
    case .lostData: return ("the registry has lost its data", .warning)
    case .takenForDead: return ("the registry had taken this node for dead", .warning)
    case .evicted:
      let isNews =
        lastEviction.map { ContinuousClock.now - $0 > NodeLimits.repeatedEviction } ?? true
      if isNews { lastEviction = .now }
      return ("Redis has thrown away keys since its memory is full", isNews ? .warning : .debug)
    }
  }

  mutating func wished(_ now: NodeWish) {
    guard now != wish else { return }
    wish = now
    let text =
      switch now {
      case .serve: "the node takes new sessions again"
      case .drain: "the node is drained: it gets no new sessions"
      case .cordon: "the node is cordoned: it gets no new sessions, and keeps those it has"
      }
    logger.notice("\(text)", metadata: ["node": "\(node)", "drains": "\(now == .drain)"])
  }
}
