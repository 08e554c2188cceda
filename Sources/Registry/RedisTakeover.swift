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
    // What is not listed right for want of an answer is only that: the record is what counts.
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
