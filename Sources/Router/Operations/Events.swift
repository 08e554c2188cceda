// What operators have done, for who asks later, and what has happened.

import API
import APIServer
import Auth
import Registry
import Wire

extension RouterOperations {
  /// What an operator has done.
  func note(
    _ what: ClusterEvent.What, node: NodeID? = nil, session: SessionID? = nil, _ text: String
  ) async {
    let event = ClusterEvent(
      what, node: node, session: session, who: caller.principal.subject, text: text)
    try? await context.registry.note(event, once: nil)
  }

  func events(after id: String, limit: Int) async throws -> [ListedEvent] {
    try mayOperate(.inspect)
    return try await registryAnswer { try await $0.events(after: id, limit: limit) }
  }
}
