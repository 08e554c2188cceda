// Sessions whose node is away, or was started anew. The registry's records are all that is known of them, and are
// listed, so that what was lost does not only vanish (promise P10).

import Registry
import Wire

extension RouterContext {
  /// - Parameters:
  ///   - silent: nodes that live and did not answer: their sessions' records are all that can be told, too.
  ///   - node: only this one's; nil: all.
  func lostSessions(
    among nodes: [NodeEntry], besides silent: Set<NodeID>, of node: NodeID?
  ) async throws -> (left: [SessionSummary], unread: [SessionID]) {
    var living: [NodeID: Incarnation] = [:]
    for entry in nodes where !entry.isDead && !silent.contains(entry.record.id) {
      living[entry.record.id] = entry.record.incarnation
    }
    let records = try await registry.sessions(notOn: living, limit: RouterLimits.lostSessions)
    let wanted = records.sessions.filter {
      $0.1.end == nil && (node == nil || $0.1.node == node)
    }
    // A node may have come back between the two lists: by the records it would have lost what it has, or by the nodes.
    let isDoubtful = wanted.contains { $0.1.isLost(among: nodes) }
    let later = isDoubtful ? (try? await registry.nodes()) ?? nodes : nodes
    let left = wanted.map { id, record in
      let first = record.ownerState(among: nodes)
      let state = first.isLost ? record.ownerState(among: later) : first
      // One that is free is on no node, whether its last one answers or not.
      let isUnreachable = silent.contains(record.node) && !state.isLost && state != .free
      return SessionSummary(of: id, record, isUnreachable ? .unreachable : SessionState(state))
    }
    return (left, records.unread)
  }

  /// What is left of a session that no node has.
  /// - Parameter isLost: its node died with it; when, is told if that is known.
  func remains(of id: SessionID, isLost: Bool) async -> Remains? {
    guard let record = try? await registry.lookUp(id) else { return nil }
    if let end = record.tombstone(among: []) { return Remains(node: record.node, tombstone: end) }
    guard isLost else { return nil }
    let nodes = (try? await registry.nodes()) ?? []
    return Remains(
      node: record.node,
      tombstone: Tombstone(
        status: nil, reason: .lost,
        ended: record.ownerState(among: nodes).leaseEnd(now: WallClock.milliseconds),
        creator: record.creator))
  }

  /// How a session ended whose node is away; nil: that is not known, or it has not.
  func end(of id: SessionID) async -> Remains? {
    guard let record = try? await registry.lookUp(id), let nodes = try? await registry.nodes(),
      let end = record.tombstone(among: nodes)
    else { return nil }
    return Remains(node: record.node, tombstone: end)
  }
}

/// What is left of a session, and which node had it.
struct Remains: Sendable {
  var node: NodeID
  var tombstone: Tombstone
}

extension SessionState {
  /// Of a session that no node tells of.
  fileprivate init(_ owner: OwnerState) {
    self = owner.isLost ? .lost : owner == .free ? .waiting : .held
  }
}

extension SessionSummary {
  /// The summary of what a record says: the rest is not known.
  init(of id: SessionID, _ record: SessionRecord, _ state: SessionState) {
    self.init(
      session: id, node: record.node.rawValue, life: Life(rawValue: 0), epoch: record.epoch,
      target: "", command: [], state: state, status: nil,
      size: TerminalSize(columns: 0, rows: 0), title: nil,
      // An epoch is the time of its claim, in microseconds.
      created: record.epoch.rawValue / 1_000, idle: 0, output: 0, input: 0, creator: record.creator,
      holder: record.holder, viewers: [])
  }
}
