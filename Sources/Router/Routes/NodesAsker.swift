// What asks a router's nodes for a session that has no record, and what they say.

import Registry
import Wire

/// What the nodes say of a session.
struct NodesReport: Sendable {
  /// The session's record, as the node tells it that has the session under the largest epoch.
  var record: SessionRecord?
  var unanswered: [NodeEntry] = []
}

/// Asks the nodes that do not count as dead.
struct NodesAsker: Sendable {
  let ask: @Sendable (SessionID, [NodeEntry]) async -> NodesReport
}
