// The registry in Redis. Each rule is one script (RegistryScripts.swift); docs/design.md, section 7,
// lists the keys. What is done about data that Redis lost is in RedisLoss.swift.

import FoundationEssentials
public import Logging
import NIOConcurrencyHelpers
public import NIOCore
public import NIOPosix
import Redis
public import TLS
import Transport
public import Wire

public struct RedisRegistry: Registry {
  private let redis: RedisClient
  let cluster: String
  private let keepTombstones: Int
  private let mostTombstones: Int
  private let grace: Int
  private let mostScans: Int
  /// Told again with each heartbeat, so that it outlives what Redis loses.
  private let known = NIOLockedValueBox<RegistryIdentity?>(nil)

  /// Milliseconds that a session's record is kept: far longer than a session lives. Only a backstop
  /// against the records of nodes that never came back.
  static let keepRecords = 90 * 86_400_000
  /// Milliseconds that a node which fell silent is listed.
  static let keepNodes = 86_400_000
  /// Milliseconds that an operator's wish to drain a node is remembered while the node is away.
  static let keepDrains = 30 * 86_400_000
  /// A claim is tried so often: each time somebody else has claimed and lost the session in between.
  static let claims = 8
  /// Parts of a list that is read to its end, and keys of a part: five million in all. One that has no end is no list.
  public static let mostScans = 10_000
  private static let scanned = 500

  /// - Parameters:
  ///   - url: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.
  ///   - cluster: prefix of all keys.
  ///   - tls: for `rediss://`: whom to believe, and which certificate to show.
  ///   - keepTombstones: milliseconds that a closed session is remembered, and how many are at most.
  ///   - grace: milliseconds that nodes get to announce what they hold, after data was lost.
  ///   - mostScans: parts that a list of sessions may have.
  /// - Throws: ``RegistryError`` `misconfigured` if the URL is not one, or is plain and `tls` is
  ///   given; ``TLSError`` if the system's CAs cannot be read.
  public init(
    url: String, cluster: String, tls: TLSCredentials? = nil,
    keepTombstones: Int = Tombstone.keep, mostTombstones: Int = Tombstone.most,
    grace: Int = Lease.grace, mostScans: Int = RedisRegistry.mostScans,
    on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(), logger: Logger
  ) throws {
    let endpoint: RedisEndpoint
    do {
      endpoint = try RedisEndpoint(url)
    } catch {
      throw RegistryError(.misconfigured, error.message)
    }
    if endpoint.isEncrypted {
      let tls = try tls ?? TLSCredentials(.client(), logger: logger)
      redis = RedisClient(endpoint, on: eventLoop, logger: logger, layer: SocketLayer(tls))
    } else {
      guard tls == nil else {
        throw RegistryError(
          .misconfigured, "certificates for Redis are given, but redis:// is plain: use rediss://")
      }
      redis = RedisClient(endpoint, on: eventLoop, logger: logger)
    }
    self.cluster = cluster
    self.keepTombstones = keepTombstones
    self.mostTombstones = mostTombstones
    self.grace = grace
    self.mostScans = mostScans
  }

  public func shutdown() async { await redis.shutdown() }

  // MARK: Keys

  var nodesKey: String { "{\(cluster)}:nodes" }
  var generationKey: String { "{\(cluster)}:gen" }
  var graceKey: String { "{\(cluster)}:grace" }
  var confirmedKey: String { "{\(cluster)}:confirmed" }
  private var identityKey: String { "{\(cluster)}:identity" }
  private var tombstonesKey: String { "{\(cluster)}:tombstones" }
  var ownedKey: String { "{\(cluster)}:owned" }
  private func key(node: String) -> String { "{\(cluster)}:node:" + node }
  func key(_ node: NodeID) -> String { key(node: node.rawValue) }
  private var sessionPrefix: String { "\(cluster):s:{" }
  func key(_ session: SessionID) -> String { sessionPrefix + session.rawValue + "}" }

  // MARK: Nodes

  public func heartbeat(_ record: NodeRecord, isRenewal: Bool) async throws -> HeartbeatResult {
    let condition = try await condition()
    let answer = try await run(
      RegistryScripts.heartbeat,
      keys: [
        nodesKey, key(record.id), generationKey, graceKey, confirmedKey, identityKey,
      ],
      [
        record.id.rawValue, record.incarnation.description, try encode(record),
        String(Lease.length), String(Self.keepNodes), isRenewal ? "1" : "0", String(grace),
        String(Lease.patience), condition?.run ?? "", condition?.evicted ?? "",
        known.withLockedValue { $0?.rawValue } ?? "", String(Self.keepDrains),
      ])
    guard let items = answer.array, items.count == 3 else { throw Self.corrupt("heartbeat") }
    if items[0].integer == 1 {
      return items[2].string.flatMap(HeartbeatResult.Outdated.init).map { .outdated($0) }
        ?? .alive(isDraining: items[1].string == "1")
    }
    guard let holder = items[1].string.flatMap(Incarnation.init), let left = items[2].integer else {
      throw Self.corrupt("heartbeat")
    }
    return .refused(holder: holder, leaseMilliseconds: left)
  }

  public func leave(_ node: NodeID, incarnation: Incarnation) async throws {
    _ = try await run(
      RegistryScripts.leave, keys: [nodesKey, key(node), confirmedKey],
      [node.rawValue, incarnation.description, String(Self.keepDrains)])
  }

  public func nodes() async throws -> [NodeEntry] {
    let list = try await run(RegistryScripts.nodes, keys: [nodesKey])
    guard let items = list.array, let now = items.first?.integer, items.count % 2 == 1 else {
      throw Self.corrupt("list of nodes")
    }
    let ids = stride(from: 1, to: items.count, by: 2).compactMap { items[$0].string }
    guard !ids.isEmpty else { return [] }
    let answer = try await run(RegistryScripts.described, keys: ids.map(key(node:)))
    guard let fields = answer.array, fields.count == 2 * ids.count, ids.count == items.count / 2
    else { throw Self.corrupt("list of nodes") }
    return try ids.indices.compactMap { index -> NodeEntry? in
      guard let deadline = items[2 * index + 2].integer else {
        throw Self.corrupt("list of nodes")
      }
      // It has left meanwhile.
      guard let text = fields[2 * index].string else { return nil }
      return NodeEntry(
        read: try decode(text), isDraining: fields[2 * index + 1].string == "1",
        deadline: deadline, now: now)
    }.sorted { $0.record.id.rawValue < $1.record.id.rawValue }
  }

  public func setDraining(_ node: NodeID, _ isDraining: Bool) async throws -> Bool {
    try await run(
      RegistryScripts.setDraining, keys: [key(node)],
      [isDraining ? "1" : "0", String(Self.keepDrains)]
    ).integer == 1
  }

  public func identity() async throws -> RegistryIdentity {
    if let known = known.withLockedValue({ $0 }) { return known }
    _ = try await send(["SET", identityKey, RegistryIdentity.random().rawValue, "NX"])
    guard let identity = try await send(["GET", identityKey]).string.flatMap(RegistryIdentity.init)
    else { throw Self.corrupt("registry's identity") }
    known.withLockedValue { $0 = identity }
    return identity
  }

  // MARK: Sessions

  public func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, owner: String?
  ) async throws -> ClaimResult {
    for _ in 0..<Self.claims {
      if let result = try await tryToClaim(
        session, node: node, incarnation: incarnation, owner: owner)
      {
        return result
      }
    }
    throw RegistryError(.unavailable, "whose session \(session) is changes all the time; try again")
  }

  /// Nil: it was a dead owner's, and is not any more.
  private func tryToClaim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, owner: String?
  ) async throws -> ClaimResult? {
    try await requireSettled(for: node)
    let answer = try await run(
      RegistryScripts.claim, keys: [key(session)],
      [node.rawValue, incarnation.description, String(Self.keepRecords), owner ?? ""])
    guard let items = answer.array, let outcome = items.first?.integer else {
      throw Self.corrupt("claim")
    }
    if outcome == 1, items.count == 2, let epoch = items[1].integer {
      try? await list([session], ownedBy: node, incarnation)
      return .claimed(Epoch(UInt64(clamping: epoch)))
    }
    guard items.count == 6,
      var record = Self.record(
        node: items[1].string, incarnation: items[2].string, epoch: items[3].integer,
        owner: items[4].string)
    else { throw Self.corrupt("claim") }
    record.end = try end(in: items[5], owner: record.owner)
    let state = record.ownerState(among: try await nodes())
    guard state.isLost else { return .owned(record) }
    // Said once: whoever buries it says so, the others find the tombstone.
    let isBuried = try await release(
      session, node: record.node, incarnation: record.incarnation, epoch: record.epoch,
      tombstone: record.remains(state, now: WallClock.milliseconds))
    // Of one whose end is known nothing is lost.
    return isBuried && record.end == nil ? .lost(record) : nil
  }

  public func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) async throws -> Bool {
    let isReleased =
      try await run(
        RegistryScripts.release, keys: [key(session)],
        [
          node.rawValue, incarnation.description, epoch.description, try written(tombstone),
          String(keepTombstones), tombstone?.owner ?? "",
        ]
      ).integer == 1
    if isReleased {
      // What is not listed right for want of an answer is only that: the record is what counts.
      _ = try? await send(["HDEL", ownedKey, session.rawValue])
      if tombstone != nil { try? await list(tombstoneOf: session) }
    }
    return isReleased
  }

  /// Notes whose they are, where it can be listed: their records, each in a slot of its own, cannot.
  func list(
    _ sessions: [SessionID], ownedBy node: NodeID, _ incarnation: Incarnation
  ) async throws {
    guard !sessions.isEmpty else { return }
    let owner = ListedOwner(node: node, incarnation: incarnation).text
    _ = try await send(["HSET", ownedKey] + sessions.flatMap { [$0.rawValue, owner] })
  }

  /// Forgets the oldest where there are too many.
  private func list(tombstoneOf session: SessionID) async throws {
    let oldest = try await run(
      RegistryScripts.bury, keys: [tombstonesKey],
      [session.rawValue, String(mostTombstones), String(keepTombstones)])
    for old in oldest.array?.compactMap(\.string).compactMap(SessionID.init) ?? [] {
      _ = try await run(RegistryScripts.unbury, keys: [key(old)])
    }
  }

  public var mayLoseRecords: Bool { true }

  public func listedOwner(of session: SessionID) async throws -> ListedOwner? {
    try await send(["HGET", ownedKey, session.rawValue]).string.flatMap(ListedOwner.init)
  }

  static let fields = ["node", "incarnation", "epoch", "state", "tombstone", "owner"]

  public func lookUp(_ session: SessionID) async throws -> SessionRecord? {
    if let record = try await read(session) { return record }
    try await requireSettled()
    // Its node may have announced it meanwhile.
    return try await read(session)
  }

  private func read(_ session: SessionID) async throws -> SessionRecord? {
    try record(in: try await send(["HMGET", key(session)] + Self.fields))
  }

  public func sessions(
    notOn nodes: [NodeID: Incarnation], limit: Int
  ) async throws -> SessionRecords {
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
        if let owner = ListedOwner(entry), nodes[owner.node] == owner.incarnation { continue }
        listed[id] = entry
      }
      for (id, record) in try await records(of: Array(listed.keys), unread: &unread) {
        if let record, record.state == .owned {
          if nodes[record.node] != record.incarnation { found[id] = record }
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
  ) -> SessionRecords {
    SessionRecords(
      found.sorted { $0.key.rawValue < $1.key.rawValue }.prefix(limit).map { ($0, $1) },
      unread: Array(unread.sorted { $0.rawValue < $1.rawValue }.prefix(limit)))
  }

  /// All at once: they share a pipeline.
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

  public func sessions(limit: Int) async throws -> SessionRecords {
    let owned = try await sessions(notOn: [:], limit: limit)
    var found = Dictionary(owned.sessions) { $1 }
    var unread = Set(owned.unread)
    // It passes everybody's keys.
    let endless = RegistryError(
      .misconfigured,
      "Redis has more keys than are looked through for sessions (\(mostScans * Self.scanned)): "
        + "give this cluster a Redis, or a database of one, to itself")
    try await scan(["SCAN"], ["MATCH", sessionPrefix + "*"], endless: endless) { keys in
      let ids = keys.compactMap(\.string).compactMap { key in
        SessionID(String(key.dropFirst(sessionPrefix.count).dropLast()))
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
      let answer = try await send(command + [cursor] + options + ["COUNT", "\(Self.scanned)"])
      guard let parts = answer.array, parts.count == 2, let next = parts[0].string,
        let items = parts[1].array
      else { throw Self.corrupt("list of sessions") }
      guard try await take(items), next != "0" else { return }
      cursor = next
    }
    throw endless
  }

  // MARK: Errors

  static func corrupt(_ what: String) -> RegistryError {
    RegistryError(.corrupt, "Redis's answer is not a \(what)")
  }

  func run(_ script: RedisScript, keys: [String], _ arguments: [String] = []) async throws
    -> RedisValue
  {
    try await translated { try await redis.run(script, keys: keys, arguments) }
  }

  func send(_ words: [String]) async throws -> RedisValue {
    try await translated { try await redis.send(words) }
  }

  private func translated(_ ask: () async throws -> RedisValue) async throws -> RedisValue {
    do {
      return try await ask()
    } catch let error as RedisError {
      let code: RegistryError.Code =
        switch error.code {
        case .unavailable: .unavailable
        case .timedOut: .timedOut
        case .refused, .unknownScript, .protocolViolation: .corrupt
        case .misconfigured: .misconfigured
        }
      throw RegistryError(code, error.message, cause: error.cause)
    }
  }
}
