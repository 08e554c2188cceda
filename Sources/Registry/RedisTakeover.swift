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
    await tell(.moved(session, from: record.node, to: node))
    return Epoch(UInt64(epoch))
  }

  public func letGo(
    of session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch, next: NodeID?
  ) async throws -> Bool {
    let isFree =
      try await run(
        RegistryScripts.letGo, keys: [key(session)],
        [node.rawValue, incarnation.description, epoch.description, next?.rawValue ?? ""]
      ).integer == 1
    // The record decides. By the list it is found while nobody has it.
    let owner = ListedOwner(node: node, incarnation: incarnation)
    if isFree { _ = try? await send(["HSET", ownedKey, session.rawValue, owner.textOfFree]) }
    return isFree
  }

  // MARK: Before that

  private func offersKey(_ node: NodeID) -> String { "{\(cluster)}:offers:\(node.rawValue)" }

  public func setOffers(_ offers: [SessionID: MoveOffer], to node: NodeID) async throws {
    guard !offers.isEmpty else { return }
    _ = try await run(
      RegistryScripts.setOffers, keys: [offersKey(node)],
      [String(RegistryLimits.offers)] + offers.flatMap { [$0.rawValue, $1.text] })
  }

  public func offers(to node: NodeID) async throws -> [SessionID: MoveOffer] {
    guard let fields = try await send(["HGETALL", offersKey(node)]).array, fields.count % 2 == 0
    else { throw Self.corrupt("list of offers") }
    var offers: [SessionID: MoveOffer] = [:]
    for index in stride(from: 0, to: fields.count, by: 2) {
      // Another version may know other states.
      guard let id = fields[index].string.flatMap(SessionID.init),
        let offer = fields[index + 1].string.flatMap(MoveOffer.init)
      else { continue }
      offers[id] = offer
    }
    return offers
  }

  public func removeOffers(_ sessions: [SessionID], to node: NodeID) async throws {
    guard !sessions.isEmpty else { return }
    _ = try await send(["HDEL", offersKey(node)] + sessions.map(\.rawValue))
  }
}
