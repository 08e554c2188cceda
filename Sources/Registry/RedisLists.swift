// Lists of sessions out of Redis: by the list of those that are owned, or by all keys. They are read part by part, and
// neither a bad record nor a list without an end stops who asks.

import Redis
public import Wire

extension RedisRegistry {
  public func sessions(
    notOn nodes: [NodeID: Incarnation], limit: Int
  ) async throws -> RecordList {
    try await owned(limit: limit, orFree: true) { nodes[$0.node] != $0.incarnation }
  }

  public func sessions(
    of node: NodeID, notIncarnation incarnation: Incarnation, limit: Int
  ) async throws -> RecordList {
    try await owned(limit: limit) { $0.node == node && $0.incarnation != incarnation }
  }

  /// - Parameter orFree: those, too, that any owner has let go of.
  private func owned(
    limit: Int, orFree: Bool = false, where isWanted: (ListedOwner) -> Bool
  ) async throws -> RecordList {
    var found: [SessionID: SessionRecord] = [:]
    var unread: Set<SessionID> = []
    let endless = RegistryError(.corrupt, "Redis's list of sessions has no end")
    try await scan(["HSCAN", ownedKey], endless: endless) { pairs in
      guard pairs.count % 2 == 0 else { throw Self.corrupt("list of sessions") }
      var listed: [SessionID: String] = [:]
      for index in stride(from: 0, to: pairs.count, by: 2) {
        guard let entry = pairs[index + 1].string,
          let id = pairs[index].string.flatMap(SessionID.init)
        else { continue }
        if let owner = ListedOwner(entry), !isWanted(owner) { continue }
        listed[id] = entry
      }
      for (id, record) in try await records(of: Array(listed.keys), unread: &unread) {
        if let record, record.state == .owned {
          if orFree && record.isFree || isWanted(record.listedOwner) { found[id] = record }
        } else if let entry = listed[id] {
          _ = try await run(
            RegistryScripts.unlist, keys: [ownedKey], [id.rawValue, entry])
        }
      }
      return found.count + unread.count < limit
    }
    return Self.list(found, unread: unread, limit: limit)
  }

  private static func list(
    _ found: [SessionID: SessionRecord], unread: Set<SessionID>, limit: Int
  ) -> RecordList {
    RecordList(
      found.sorted { $0.key.rawValue < $1.key.rawValue }.prefix(limit).map { ($0, $1) },
      unread: Array(unread.sorted { $0.rawValue < $1.rawValue }.prefix(limit)))
  }

  /// Reads all of them at once: they share a pipeline.
  private func records(
    of ids: [SessionID], unread: inout Set<SessionID>
  ) async throws -> [SessionID: SessionRecord?] {
    try await withThrowingTaskGroup(of: (SessionID, Result<SessionRecord?, RegistryError>).self) {
      tasks in
      for id in ids {
        tasks.addTask {
          do {
            return (id, .success(try await read(id)))
          } catch let error as RegistryError where error.code == .corrupt {
            return (id, .failure(error))
          }
        }
      }
      var known: [SessionID: SessionRecord?] = [:]
      for try await (id, answer) in tasks {
        switch answer {
        case .success(let record): known[id] = .some(record)
        case .failure: unread.insert(id)
        }
      }
      return known
    }
  }

  public func sessions(limit: Int) async throws -> RecordList {
    let owned = try await sessions(notOn: [:], limit: limit)
    var found = Dictionary(owned.sessions) { $1 }
    var unread = Set(owned.unread)
    // SCAN goes through the keys of all who use this Redis.
    let endless = RegistryError(
      .misconfigured,
      "Redis has more keys than are looked through for sessions (\(mostScans * RegistryLimits.listPart)): "
        + "give this cluster a Redis, or a database of one, to itself")
    try await scan(["SCAN"], ["MATCH", sessionPrefix + "*"], endless: endless) { keys in
      let ids = keys.compactMap(\.string).compactMap { key in
        SessionID(String(key.dropFirst(sessionPrefix.count)))
      }
      for (id, record) in try await records(of: ids, unread: &unread)
      where found.count < limit || found[id] != nil {
        found[id] = record
      }
      return found.count + unread.count < limit
    }
    return Self.list(found, unread: unread, limit: limit)
  }

  /// Reads a list part by part, to its end or for as long as `take` wants more.
  private func scan(
    _ command: [String], _ options: [String] = [], endless: RegistryError,
    take: ([RedisValue]) async throws -> Bool
  ) async throws {
    var cursor = "0"
    for _ in 0..<mostScans {
      let answer = try await send(
        command + [cursor] + options + ["COUNT", "\(RegistryLimits.listPart)"])
      guard let parts = answer.array, parts.count == 2, let next = parts[0].string,
        let items = parts[1].array
      else { throw Self.corrupt("list of sessions") }
      guard try await take(items), next != "0" else { return }
      cursor = next
    }
    throw endless
  }
}
