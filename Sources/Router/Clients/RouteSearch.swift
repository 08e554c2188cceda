// How far a stream has come with looking for a node that opens it. Pure.

import Registry
import Transport
import Wire

/// Each time that a stream's link breaks, it begins a new search.
struct RouteSearch {
  /// The owner did not answer: the registry is to be asked, and to be believed.
  var doubtsOwner = false
  /// A node was asked to create the session, and has not answered.
  var hasAsked = false
  /// Nodes that have not taken the new session, and the last one's words.
  private(set) var avoided: Set<NodeID> = []
  private(set) var lastRefusal: Refused?
  private var attempts = 0
  private var hasMetRestart = false
  private var backoff = Backoff(first: RouterLimits.reopenFirst, last: RouterLimits.reopenLast)

  /// The link to the node is gone. One that was started anew is asked next, and soon: its holder may have the session.
  mutating func meetTrouble(isRestart: Bool) {
    doubtsOwner = !isRestart
    guard isRestart, !hasMetRestart else { return }
    hasMetRestart = true
    backoff.reset()
  }

  mutating func avoid(_ node: NodeID, because refusal: Refused?) {
    avoided.insert(node)
    if let refusal { lastRefusal = refusal }
  }

  /// Counts a try that has failed. False: it was the last one.
  mutating func mayTryAgain() -> Bool {
    attempts += 1
    return attempts < RouterLimits.attempts
  }

  /// The longest time to wait before the next try.
  mutating func nextDelay() -> Duration { backoff.nextLongest() }
}

/// A node that has been asked, and what the LINK_OPEN said of the client: that may change before it answers.
struct AskedNode {
  var route: Route
  var size: TerminalSize
  var colors: ThemeColors?
  var consumed: UInt64
}
