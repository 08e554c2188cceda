// A session whose record is gone from the registry, since somebody deleted it, or a Redis lost it unseen, still has
// its node. So a session without a record does not count as unknown before the nodes have been asked: the one that
// has it announces it again, and clients are brought to it, and not to a second process (promise P4).

import Logging
import Registry
import Wire

extension NodeEntry {
  /// Whether the node may have a session that this incarnation of the node had, though it has not said so.
  fileprivate func mayHaveWhatWasOf(_ incarnation: Incarnation) -> Bool {
    record.incarnation == incarnation || mayRestore
  }
}

extension RouterContext {
  /// Returns the record of a session that has none in the registry, as the node tells it that has the session.
  /// - Parameter nodes: all nodes.
  /// - Throws: ``NoRoute`` if a node does not answer that may have the session.
  func recordAtNodes(
    of session: SessionID, among nodes: [NodeEntry], remembered: Route?
  ) async throws -> SessionRecord? {
    guard registry.mayLoseRecords, let asker = nodesAsker else { return nil }
    let answer = await asker.ask(session, nodes)
    if let record = answer.record {
      logger.warning(
        "a session has no record in the registry; its node announces it again",
        metadata: ["session": "\(session)", "node": "\(record.node)"])
      return record
    }
    guard !answer.unanswered.isEmpty else { return nil }
    // New sessions do not wait for a node only because it is silent, but for the one that had this session.
    let listed = try await registry.listedOwner(of: session)
    let owners = [
      listed, remembered.map { ListedOwner(node: $0.node, incarnation: $0.incarnation) },
    ].compactMap { $0 }
    let suspect = answer.unanswered.first { entry in
      owners.contains { $0.node == entry.record.id && entry.mayHaveWhatWasOf($0.incarnation) }
    }
    guard let suspect else { return nil }
    throw NoRoute(
      .unavailable,
      "session \(session) has no record in the registry, and may be on node \(suspect.record.id), which "
        + "does not answer; try again",
      retry: RouterLimits.retryLater)
  }
}
