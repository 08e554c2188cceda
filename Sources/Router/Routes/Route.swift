// Where a session is: its node, the incarnation of that, and the loop that holds the session.

import Registry
import Wire

/// One event loop of one start of a node.
struct NodeLoopID: Hashable {
  var node: NodeID
  var incarnation: Incarnation
  var loop: Int
}

struct Route: Equatable {
  var node: NodeID
  var incarnation: Incarnation
  /// Nil for a session that is yet to be created.
  var epoch: Epoch?
  var loop: Int
  var address: NodeAddress

  /// The loop that it leads to.
  var end: NodeLoopID { NodeLoopID(node: node, incarnation: incarnation, loop: loop) }
}

/// The nodes as last heard of, the same on all loops of a router.
struct NodeDirectory: Sendable {
  private(set) var entries: [NodeID: NodeEntry] = [:]

  init(_ nodes: [NodeEntry] = []) {
    for node in nodes { entries[node.record.id] = node }
  }

  var all: [NodeEntry] { Array(entries.values) }

  /// Whether it is enough to route by: it knows the owner alive, or what is waited for, or some node for a new
  /// session. If not, a node may have come or gone since.
  func settles(_ record: SessionRecord?) -> Bool {
    guard let record, case .owned = record.state else {
      return entries.values.contains { $0.isLive }
    }
    switch ownerState(of: record) {
    // What a holder keeps may be waited for by thousands of streams, for an hour.
    case .alive, .held, .ended: return true
    // A move has been prepared.
    case .free: return record.next.map { entries[$0]?.isLive == true } ?? false
    case .silent, .restarted, .dead, .replaced, .gone: return false
    }
  }

  func ownerState(of record: SessionRecord) -> OwnerState {
    record.ownerState(among: all)
  }

  /// A route to that loop of the node, for no session in particular; nil: it has no such loop.
  static func route(to entry: NodeEntry, loop: Int) -> Route? {
    guard entry.record.loops.indices.contains(loop) else { return nil }
    return Route(
      node: entry.record.id, incarnation: entry.record.incarnation, epoch: nil, loop: loop,
      address: entry.record.loops[loop])
  }

  /// A route to the node that is ready to take the session over; nil: it is not to be had.
  func route(_ session: SessionID, toSuccessor node: NodeID) -> Route? {
    guard entries[node]?.isLive == true else { return nil }
    return route(session, node: node, incarnation: nil, epoch: nil)
  }

  /// Nil unless that start of the node is known.
  func route(
    _ session: SessionID, node: NodeID, incarnation: Incarnation?, epoch: Epoch?
  ) -> Route? {
    guard let entry = entries[node], !entry.record.loops.isEmpty,
      incarnation == nil || entry.record.incarnation == incarnation
    else { return nil }
    let loop = session.loopIndex(of: entry.record.loops.count)
    return Route(
      node: node, incarnation: entry.record.incarnation, epoch: epoch, loop: loop,
      address: entry.record.loops[loop])
  }
}
