// How this router gets on with each node, as the last of its loops to try has seen it. The registry says who lives;
// this says who answers here. A node that does not answer gets no new session while another node can take it, and is
// tried again by a link that serves nobody else.

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Registry
import Wire

final class NodeHealth: Sendable {
  /// Why a node cannot be used from here.
  struct Trouble: Sendable, Equatable {
    enum Kind: Sendable {
      case silence
      /// The node answers and refuses this router, or this router refuses it.
      case refusal
      /// One refuses the other by a key, a name or a certificate: waiting does not help.
      case mismatch
    }

    var incarnation: Incarnation
    /// The loop of the node that did not answer: to hear from another one proves nothing.
    var loop: Int
    var kind: Kind
    var reason: String

    var isRefusal: Bool { kind != .silence }

    /// What stands behind the node's name for a client and in the log.
    var description: String { (isRefusal ? "refused: " : "does not answer: ") + reason }
  }

  private struct Known {
    var trouble: Trouble?
    /// When the trouble was met last: what was heard before that does not end it.
    var met: NIODeadline?
    /// When trouble with it was last said in the log.
    var said: NIODeadline?
    /// Trouble that has yet to be logged: it waits until the node is seen not to have left in order.
    var unsaid: (address: NodeAddress, since: NIODeadline)?
  }

  private let known = NIOLockedValueBox<[NodeID: Known]>([:])
  private let logger: Logger

  init(logger: Logger) { self.logger = logger }

  func trouble(of record: NodeRecord) -> Trouble? {
    let trouble = known.withLockedValue { $0[record.id]?.trouble }
    return trouble?.incarnation == record.incarnation ? trouble : nil
  }

  func failed(_ route: Route, _ kind: Trouble.Kind, reason: String, at now: NIODeadline) {
    let trouble = Trouble(
      incarnation: route.incarnation, loop: route.loop, kind: kind,
      reason: reason.clipped(to: RouterLimits.reason))
    known.withLockedValue { known in
      let before = known[route.node]
      let isSame = before?.trouble == trouble
      let isOld = isSame && before?.said.map { now - $0 < RouterLimits.repeated } == true
      known[route.node] = Known(
        trouble: trouble, met: now, said: before?.said,
        unsaid: isOld ? nil : isSame ? before?.unsaid ?? (route.address, now) : (route.address, now)
      )
    }
  }

  /// Logs the troubles that were met before `asked`. To be called when the list of nodes has been read, or could not
  /// be: a node that has left is not in it, and is no trouble.
  /// - Parameter asked: when the list was asked for. A node that left since is still in it, and closed its links.
  func sayTroubles(metBefore asked: NIODeadline, at now: NIODeadline = .now()) {
    let unsaid = known.withLockedValue { known in
      var unsaid: [(NodeID, NodeAddress, Trouble)] = []
      for (node, state) in known {
        guard let (address, since) = state.unsaid, since < asked, let trouble = state.trouble else {
          continue
        }
        unsaid.append((node, address, trouble))
        known[node]?.unsaid = nil
        known[node]?.said = now
      }
      return unsaid
    }
    for (node, address, trouble) in unsaid {
      logger.warning(
        trouble.isRefusal ? "a node's link was refused" : "a node does not answer",
        metadata: [
          "node": "\(node)", "address": "\(address)", "reason": "\(trouble.reason)",
        ])
    }
  }

  /// - Parameter heard: when the node said something over a link to this loop of it.
  func answered(_ route: Route, heard: NIODeadline) {
    let (former, wasSaid) = known.withLockedValue { known -> (Trouble?, Bool) in
      if let met = known[route.node]?.met, heard <= met { return (nil, false) }
      let trouble = known[route.node]?.trouble
      let wasSaid = known[route.node]?.said != nil
      // Another loop of the node may still hang.
      if let trouble, trouble.incarnation == route.incarnation, trouble.loop != route.loop {
        return (nil, false)
      }
      known[route.node] = Known()
      return (trouble, wasSaid)
    }
    // If trouble was over before it was logged, its end is not logged either.
    guard let former, wasSaid else { return }
    logger.info(
      "a node answers again", metadata: ["node": "\(route.node)", "before": "\(former.reason)"])
  }

  /// Forgets all other nodes: one that has left, or was stopped, is no trouble.
  func keep(only nodes: Set<NodeID>) {
    known.withLockedValue { known in known = known.filter { nodes.contains($0.key) } }
  }

  /// For an operator: `ok`, or what is wrong; nil: this router has not tried.
  func view(of record: NodeRecord) -> String? {
    guard let known = known.withLockedValue({ $0[record.id] }) else { return nil }
    guard let trouble = known.trouble else { return "ok" }
    return trouble.incarnation == record.incarnation ? trouble.description : nil
  }
}
