// The registry in Redis. Each rule is one script (RegistryScripts.swift); docs/design.md, section 7,
// lists the keys. What is done about data that Redis lost is in RedisLoss.swift, lists of
// sessions in RedisLists.swift.

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
  let redis: RedisClient
  let cluster: String
  private let keepTombstones: Int
  private let mostTombstones: Int
  private let grace: Int
  let mostScans: Int
  /// The registry's identity. Each heartbeat tells it again, so that it outlives what Redis loses.
  private let known = NIOLockedValueBox<RegistryIdentity?>(nil)
  /// What many ask at once, as when all clients of a router come back together.
  private let records = SharedAnswers<SessionID, SessionRecord?>()
  private let lists = SharedAnswers<String, [NodeEntry]>()
  let states = SharedAnswers<String, State>()

  /// - Parameters:
  ///   - url: as ``RedisEndpoint`` reads it: one Redis, its sentinels, or a Redis Cluster.
  ///   - cluster: hash tag of all keys, so that they lie in one slot.
  ///   - tls: for `rediss…`: whom to believe, and which certificate to show.
  ///   - keepTombstones: milliseconds that a closed session is remembered, and how many are at most.
  ///   - grace: milliseconds that nodes get to announce what they hold, after data was lost.
  ///   - mostScans: parts that a list of sessions may have.
  /// - Throws: ``RegistryError`` `misconfigured` if the URL is not one, or is plain and `tls` is
  ///   given; ``TLSError`` if the system's CAs cannot be read.
  public init(
    url: String, cluster: String, tls: TLSCredentials? = nil,
    keepTombstones: Int = RegistryLimits.tombstone, mostTombstones: Int = RegistryLimits.tombstones,
    grace: Int = Lease.grace, mostScans: Int = RegistryLimits.listParts,
    on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(), logger: Logger
  ) throws {
    let endpoint: RedisEndpoint
    do {
      endpoint = try RedisEndpoint(url)
    } catch {
      throw RegistryError(.misconfigured, error.message)
    }
    if endpoint.usesTLS {
      let tls = try tls ?? TLSCredentials(.client(), logger: logger)
      redis = RedisClient(
        endpoint, on: eventLoop, logger: logger, layer: SocketLayer(tls), tag: cluster)
    } else {
      guard tls == nil else {
        throw RegistryError(
          .misconfigured, "certificates for Redis are given, but redis:// is plain: use rediss://")
      }
      redis = RedisClient(endpoint, on: eventLoop, logger: logger, tag: cluster)
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
  var sessionPrefix: String { "{\(cluster)}:s:" }
  func key(_ session: SessionID) -> String { sessionPrefix + session.rawValue }

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
        String(Lease.length), String(RegistryLimits.silentNode), isRenewal ? "1" : "0",
        String(grace),
        String(Lease.patience), condition?.run ?? "", condition?.evicted ?? "",
        known.withLockedValue { $0?.rawValue } ?? "", String(RegistryLimits.drain),
        HolderName.checked(record.holder) ?? "",
        record.holder != nil && record.sessions > 0 ? "1" : "0",
      ])
    guard let items = answer.array, items.count == 3 else { throw Self.corrupt("heartbeat") }
    if items[0].integer == 1 {
      return items[2].string.flatMap(HeartbeatResult.Outdated.init).map { .outdated($0) }
        ?? .alive(items[1].string.flatMap { NodeWish(rawValue: $0) } ?? .serve)
    }
    guard let other = items[1].string.flatMap(Incarnation.init), let left = items[2].integer else {
      throw Self.corrupt("heartbeat")
    }
    return .refused(by: other, leaseMilliseconds: left)
  }

  public func leave(_ node: NodeID, incarnation: Incarnation) async throws {
    _ = try await run(
      RegistryScripts.leave, keys: [nodesKey, key(node), confirmedKey],
      [node.rawValue, incarnation.description, String(RegistryLimits.drain)])
  }

  public func nodes() async throws -> [NodeEntry] {
    try await lists.answer(nodesKey) { try await readNodes() }
  }

  private func readNodes() async throws -> [NodeEntry] {
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
        read: try decode(text),
        wish: fields[2 * index + 1].string.flatMap { NodeWish(rawValue: $0) } ?? .serve,
        deadline: deadline, now: now)
    }.sorted { $0.record.id.rawValue < $1.record.id.rawValue }
  }

  public func setWish(_ node: NodeID, _ wish: NodeWish) async throws -> Bool {
    try await run(
      RegistryScripts.setWish, keys: [key(node)], [wish.rawValue, String(RegistryLimits.drain)]
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
    _ session: SessionID, node: NodeID, incarnation: Incarnation, creator: String?, holder: String?
  ) async throws -> ClaimResult {
    for _ in 0..<RegistryLimits.claims {
      if let result = try await tryToClaim(
        session, node: node, incarnation: incarnation, creator: creator, holder: holder)
      {
        return result
      }
    }
    throw RegistryError(.unavailable, "whose session \(session) is changes all the time; try again")
  }

  /// Nil: a dead owner had it, and its record was released meanwhile.
  private func tryToClaim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, creator: String?, holder: String?
  ) async throws -> ClaimResult? {
    try await requireSettled(for: node)
    let answer = try await run(
      RegistryScripts.claim, keys: [key(session)],
      [
        node.rawValue, incarnation.description, String(RegistryLimits.record), creator ?? "",
        HolderName.checked(holder) ?? "",
      ])
    guard let items = answer.array, let outcome = items.first?.integer else {
      throw Self.corrupt("claim")
    }
    if outcome == 1, items.count == 2, let epoch = items[1].integer {
      try? await list([session], ownedBy: node, incarnation)
      return .claimed(Epoch(UInt64(clamping: epoch)))
    }
    guard items.count == 8,
      var record = Self.record(
        node: items[1].string, incarnation: items[2].string, epoch: items[3].integer,
        creator: items[4].string, holder: items[6].string)
    else { throw Self.corrupt("claim") }
    record.end = try end(in: items[5], creator: record.creator)
    record.isFree = items[7].string == "1"
    let state = record.ownerState(among: try await nodes())
    guard state.mayBeClaimed else { return .owned(record) }
    // Only one asker gets this answer, the one whose release sets the tombstone; the others find the tombstone.
    let isReleased = try await release(
      session, node: record.node, incarnation: record.incarnation, epoch: record.epoch,
      tombstone: record.remains(state, now: WallClock.milliseconds), isDead: true)
    // A session whose end is known was not lost with its node.
    return isReleased && record.end == nil ? .lost(record) : nil
  }

  public func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) async throws -> Bool {
    try await release(
      session, node: node, incarnation: incarnation, epoch: epoch, tombstone: tombstone,
      isDead: false)
  }

  /// - Parameter isDead: no node can have it any more, also if its last one has let go of it.
  private func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?, isDead: Bool
  ) async throws -> Bool {
    let isReleased =
      try await run(
        RegistryScripts.release, keys: [key(session)],
        [
          node.rawValue, incarnation.description, epoch.description, try written(tombstone),
          String(keepTombstones), tombstone?.creator ?? "", isDead ? "1" : "",
        ]
      ).integer == 1
    if isReleased {
      // If Redis does not answer, the list is wrong for a while, and that does no harm: the record counts.
      _ = try? await send(["HDEL", ownedKey, session.rawValue])
      if tombstone != nil { try? await list(tombstoneOf: session) }
      if tombstone?.isLost == true { await tell(.lost(session, with: node)) }
    }
    return isReleased
  }

  /// Notes who owns each of them, in a list: their records could be found only among all keys of the Redis.
  func list(
    _ sessions: [SessionID], ownedBy node: NodeID, _ incarnation: Incarnation
  ) async throws {
    guard !sessions.isEmpty else { return }
    let owner = ListedOwner(node: node, incarnation: incarnation).text
    _ = try await send(["HSET", ownedKey] + sessions.flatMap { [$0.rawValue, owner] })
  }

  /// Notes the tombstone in the list of them, and forgets the oldest where there are too many.
  private func list(tombstoneOf session: SessionID) async throws {
    let oldest = try await run(
      RegistryScripts.listTombstone, keys: [tombstonesKey],
      [session.rawValue, String(mostTombstones), String(keepTombstones)])
    for old in oldest.array?.compactMap(\.string).compactMap(SessionID.init) ?? [] {
      _ = try await run(RegistryScripts.forgetTombstone, keys: [key(old)])
    }
  }

  public var mayLoseRecords: Bool { true }

  public func listedOwner(of session: SessionID) async throws -> ListedOwner? {
    try await send(["HGET", ownedKey, session.rawValue]).string.flatMap(ListedOwner.init)
  }

  static let fields = [
    "node", "incarnation", "epoch", "state", "tombstone", "owner", "holder", "history", "free",
    "next",
  ]

  public func lookUp(_ session: SessionID) async throws -> SessionRecord? {
    if let record = try await readShared(session) { return record }
    try await requireSettled()
    // Its node may have announced it meanwhile.
    return try await readShared(session)
  }

  private func readShared(_ session: SessionID) async throws -> SessionRecord? {
    try await records.answer(session) { try await read(session) }
  }

  func read(_ session: SessionID) async throws -> SessionRecord? {
    try record(in: try await send(["HMGET", key(session)] + Self.fields))
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
