// How a session goes from one node to another while its holder keeps it.

import Redis
public import Wire

extension RedisRegistry {
  public func takeOver(
    _ session: SessionID, from record: SessionRecord, node: NodeID, incarnation: Incarnation
  ) async throws -> Epoch? {
    let answer = try await run(
      RegistryScripts.takeOver, keys: [key(session)],
      [
        record.node.rawValue, record.incarnation.description, record.epoch.description,
        node.rawValue, incarnation.description, String(RegistryLimits.record),
      ])
    guard let epoch = answer.integer else { throw Self.corrupt("takeover") }
    guard epoch > 0 else { return nil }
    // The record decides. A list that has not heard of it is mended when the node announces its sessions.
    try? await list([session], ownedBy: node, incarnation)
    return Epoch(UInt64(epoch))
  }

  public func letGo(
    of session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch
  ) async throws -> Bool {
    try await run(
      RegistryScripts.letGo, keys: [key(session)],
      [node.rawValue, incarnation.description, epoch.description]
    ).integer == 1
  }
}
