// Nodes that were started anew, as their own greetings tell it: before the registry does, and while that is away
// (promise P5).

import NIOConcurrencyHelpers
import Registry
import Wire

/// Another start of the node answers at its address. No ``Failure``: it has one kind.
struct NodeRestarted: Error, CustomStringConvertible {
  var description: String { "it was started anew" }
}

/// Of all loops of a router: an entry for each node at most.
final class NodeRestarts: Sendable {
  private struct Restart {
    /// As the registry lists it.
    var listed: Incarnation
    var present: Incarnation
  }

  private let known = NIOLockedValueBox<[NodeID: Restart]>([:])

  func note(_ node: NodeID, was earlier: Incarnation, is present: Incarnation) {
    known.withLockedValue { known in
      let before = known[node]
      let listed = before?.present == earlier ? before?.listed ?? earlier : earlier
      known[node] = Restart(listed: listed, present: present)
    }
  }

  /// The start of a listed node that answered last.
  func present(of record: NodeRecord) -> Incarnation {
    let restart = known.withLockedValue { $0[record.id] }
    return restart?.listed == record.incarnation
      ? restart?.present ?? record.incarnation : record.incarnation
  }

  /// The registry lists this start of the node by now, so that nothing else need be remembered.
  func settle(_ nodes: [NodeEntry]) {
    let listed = Dictionary(nodes.map { ($0.record.id, $0.record.incarnation) }) { $1 }
    known.withLockedValue { known in known = known.filter { listed[$0.key] == $0.value.listed } }
  }
}
