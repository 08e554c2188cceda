// Sessions whose node is away, or was started anew. The registry's records are all that is known of them, and are
// listed, so that what was lost does not only vanish (promise P10).

import Registry
import Wire

extension RouterContext {
  /// - Parameter node: only this one's; nil: all.
  func lostSessions(
    among nodes: [NodeEntry], of node: NodeID?
  ) async throws -> (left: [SessionSummary], unread: [SessionID]) {
    var living: [NodeID: Incarnation] = [:]
    for entry in nodes where !entry.isDead { living[entry.record.id] = entry.record.incarnation }
    let records = try await registry.sessions(notOn: living, limit: RouterLimits.lostSessions)
    let left = records.sessions.filter { $0.1.end == nil && (node == nil || $0.1.node == node) }
      .map { SessionSummary(of: $0.0, $0.1, $0.1.isLost(among: nodes) ? .lost : .held) }
    return (left, records.unread)
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
