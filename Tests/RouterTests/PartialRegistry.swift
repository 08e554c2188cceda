// A registry of which a test changes some answers; it gives all others from memory.

import Registry
import Wire

protocol PartialRegistry: Registry {
  var memory: MemoryRegistry { get }
}

extension PartialRegistry {
  func heartbeat(_ record: NodeRecord, isRenewal: Bool) async throws -> HeartbeatResult {
    await memory.heartbeat(record, isRenewal: isRenewal)
  }
  func announce(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement {
    await memory.announce(sessions, node: node, incarnation: incarnation)
  }
  func confirm(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement {
    await memory.confirm(sessions, node: node, incarnation: incarnation)
  }
  func leave(_ node: NodeID, incarnation: Incarnation) async throws {
    await memory.leave(node, incarnation: incarnation)
  }
  func nodes() async throws -> [NodeEntry] { await memory.nodes() }
  func setWish(_ node: NodeID, _ wish: NodeWish) async throws -> Bool {
    await memory.setWish(node, wish)
  }
  func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, creator: String?, holder: String?
  ) async throws -> ClaimResult {
    try await memory.claim(
      session, node: node, incarnation: incarnation, creator: creator, holder: holder)
  }
  func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) async throws -> Bool {
    await memory.release(
      session, node: node, incarnation: incarnation, epoch: epoch, tombstone: tombstone)
  }
  func lookUp(_ session: SessionID) async throws -> SessionRecord? {
    try await memory.lookUp(session)
  }
  func sessions(limit: Int) async throws -> RecordList { await memory.sessions(limit: limit) }
  func sessions(notOn nodes: [NodeID: Incarnation], limit: Int) async throws -> RecordList {
    await memory.sessions(notOn: nodes, limit: limit)
  }
  func sessions(
    of node: NodeID, notIncarnation incarnation: Incarnation, limit: Int
  ) async throws -> RecordList {
    await memory.sessions(of: node, notIncarnation: incarnation, limit: limit)
  }
  func identity() async throws -> RegistryIdentity { await memory.identity() }
  func warnings() async throws -> [String] { [] }
  func shutdown() async {}
}
