// The registry in Redis. Each rule is one script (RegistryScripts.swift); docs/design.md, section 7,
// lists the keys.

import FoundationEssentials
public import Logging
public import NIOCore
public import NIOPosix
import Redis
public import TLS
public import Wire

public struct RedisRegistry: Registry {
  private let redis: RedisClient
  private let cluster: String
  private let keepTombstones: Int
  private let grace: Int

  /// Milliseconds that a session's record is kept: far longer than a session lives. Only a backstop
  /// against the records of nodes that never came back.
  static let keepRecords = 90 * 86_400_000
  /// Milliseconds that a node which fell silent is listed.
  static let keepNodes = 86_400_000
  /// Milliseconds that a closed session is remembered, for a client that comes back the next day.
  public static let keepTombstones = 86_400_000

  /// - Parameters:
  ///   - url: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.
  ///   - cluster: prefix of all keys.
  ///   - tls: for `rediss://`: whom to believe, and which certificate to show.
  ///   - keepTombstones: milliseconds that a closed session is remembered.
  ///   - grace: milliseconds that nodes get to announce what they hold, after data was lost.
  /// - Throws: ``RegistryError`` `misconfigured` if the URL is not one, or is plain and `tls` is
  ///   given; ``TLSError`` if the system's CAs cannot be read.
  public init(
    url: String, cluster: String, tls: TLSCredentials? = nil,
    keepTombstones: Int = RedisRegistry.keepTombstones, grace: Int = Lease.grace,
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
      redis = RedisClient(endpoint, on: eventLoop, logger: logger) { channel in
        try channel.pipeline.syncOperations.addHandler(tls.handler(serverNames: [endpoint.host]))
      }
    } else {
      guard tls == nil else {
        throw RegistryError(
          .misconfigured, "certificates for Redis are given, but redis:// is plain: use rediss://")
      }
      redis = RedisClient(endpoint, on: eventLoop, logger: logger)
    }
    self.cluster = cluster
    self.keepTombstones = keepTombstones
    self.grace = grace
  }

  public func shutdown() async { await redis.shutdown() }

  // MARK: Keys

  private var nodesKey: String { "{\(cluster)}:nodes" }
  private var generationKey: String { "{\(cluster)}:gen" }
  private var graceKey: String { "{\(cluster)}:grace" }
  private var nodePrefix: String { "{\(cluster)}:node:" }
  private func key(_ node: NodeID) -> String { nodePrefix + node.rawValue }
  private var sessionPrefix: String { "\(cluster):s:{" }
  private func key(_ session: SessionID) -> String { sessionPrefix + session.rawValue + "}" }

  // MARK: Nodes

  public func heartbeat(_ record: NodeRecord, isRenewal: Bool) async throws -> HeartbeatResult {
    let answer = try await run(
      RegistryScripts.heartbeat, keys: [nodesKey, key(record.id), generationKey, graceKey],
      [
        record.id.rawValue, record.incarnation.description, try encode(record),
        String(Lease.length), String(Self.keepNodes), isRenewal ? "1" : "0", String(grace),
        String(Lease.patience),
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
      RegistryScripts.leave, keys: [nodesKey, key(node)],
      [node.rawValue, incarnation.description])
  }

  public func nodes() async throws -> [NodeEntry] {
    let answer = try await run(RegistryScripts.nodes, keys: [nodesKey], [nodePrefix])
    guard let items = answer.array, let now = items.first?.integer, items.count % 4 == 1 else {
      throw Self.corrupt("list of nodes")
    }
    return try stride(from: 1, to: items.count, by: 4).map { index in
      guard let deadline = items[index + 1].integer, let text = items[index + 2].string else {
        throw Self.corrupt("list of nodes")
      }
      return NodeEntry(
        record: try decode(text), isDraining: items[index + 3].string == "1",
        leaseMilliseconds: deadline - now)
    }.sorted { $0.record.id.rawValue < $1.record.id.rawValue }
  }

  public func setDraining(_ node: NodeID, _ isDraining: Bool) async throws -> Bool {
    try await run(RegistryScripts.setDraining, keys: [key(node)], [isDraining ? "1" : "0"])
      .integer == 1
  }

  /// Whether the owner of `record` is so long silent, or started anew, that its sessions are lost.
  private func isDead(_ record: SessionRecord) async throws -> Bool {
    guard let entry = try await nodes().first(where: { $0.record.id == record.node }) else {
      return true
    }
    return entry.isDead || entry.record.incarnation != record.incarnation
  }

  // MARK: Lost data

  /// Sessions announced at a time: a fraction of what a connection takes.
  private static let announcedAtOnce = 500

  public func announce(
    _ sessions: [SessionID: Epoch], node: NodeID, incarnation: Incarnation
  ) async throws -> [SessionID] {
    var superseded: [SessionID] = []
    var rest = Array(sessions)[...]
    while !rest.isEmpty {
      let batch = rest.prefix(Self.announcedAtOnce)
      rest = rest.dropFirst(Self.announcedAtOnce)
      superseded += try await withThrowingTaskGroup(of: SessionID?.self) { tasks in
        for (session, epoch) in batch {
          tasks.addTask {
            let isOurs =
              try await run(
                RegistryScripts.announce, keys: [key(session)],
                [
                  node.rawValue, incarnation.description, epoch.description,
                  String(Self.keepRecords),
                ]
              ).integer == 1
            return isOurs ? nil : session
          }
        }
        return try await tasks.reduce(into: []) { if let session = $1 { $0.append(session) } }
      }
    }
    _ = try await run(RegistryScripts.announced, keys: [key(node)], [incarnation.description])
    return superseded
  }

  /// Whether what Redis does not know does not exist. Without a generation, no node has registered
  /// since Redis was empty.
  private func requireSettled() async throws {
    let answer = try await send(["MGET", generationKey, graceKey])
    guard let marks = answer.array, marks.count == 2 else { throw Self.corrupt("generation") }
    guard marks[0] != .null else {
      throw RegistryError(
        .unsettled,
        "the registry is empty: no node has registered yet, or its data was lost; try again")
    }
    guard marks[1] == .null else { throw RegistryError.unsettled }
  }

  // MARK: Sessions

  public func claim(_ session: SessionID, node: NodeID, incarnation: Incarnation) async throws
    -> ClaimResult
  {
    try await requireSettled()
    let answer = try await run(
      RegistryScripts.claim, keys: [key(session)],
      [node.rawValue, incarnation.description, String(Self.keepRecords)])
    guard let items = answer.array, let outcome = items.first?.integer else {
      throw Self.corrupt("claim")
    }
    if outcome == 1, items.count == 2, let epoch = items[1].integer {
      return .claimed(Epoch(UInt64(clamping: epoch)))
    }
    guard items.count == 4,
      let record = Self.record(
        node: items[1].string, incarnation: items[2].string, epoch: items[3].integer)
    else { throw Self.corrupt("claim") }
    guard try await isDead(record) else { return .owned(record) }
    // Said once: whoever buries it says so, the others find the tombstone.
    let isBuried = try await release(
      session, node: record.node, incarnation: record.incarnation, epoch: record.epoch,
      tombstone: .lost)
    return isBuried
      ? .lost(record) : try await claim(session, node: node, incarnation: incarnation)
  }

  public func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) async throws -> Bool {
    try await run(
      RegistryScripts.release, keys: [key(session)],
      [
        node.rawValue, incarnation.description, epoch.description,
        try tombstone.map(encode) ?? "", String(keepTombstones),
      ]
    ).integer == 1
  }

  private static let fields = ["node", "incarnation", "epoch", "state", "tombstone"]

  public func lookUp(_ session: SessionID) async throws -> SessionRecord? {
    if let record = try await read(session) { return record }
    try await requireSettled()
    return nil
  }

  private func read(_ session: SessionID) async throws -> SessionRecord? {
    try record(in: try await send(["HMGET", key(session)] + Self.fields))
  }

  public func sessions(limit: Int) async throws -> [(SessionID, SessionRecord)] {
    var found: [SessionID: SessionRecord] = [:]
    var cursor = "0"
    repeat {
      let answer = try await send(
        ["SCAN", cursor, "MATCH", sessionPrefix + "*", "COUNT", "500"])
      guard let parts = answer.array, parts.count == 2, let next = parts[0].string,
        let keys = parts[1].array
      else { throw Self.corrupt("list of sessions") }
      cursor = next
      let ids = keys.compactMap(\.string).compactMap { key in
        SessionID(String(key.dropFirst(sessionPrefix.count).dropLast()))
      }
      // All of a page at once: they share a pipeline.
      let page = try await withThrowingTaskGroup(of: (SessionID, SessionRecord?).self) { tasks in
        for id in ids { tasks.addTask { (id, try await read(id)) } }
        return try await tasks.reduce(into: [:]) { $0[$1.0] = $1.1 }
      }
      found.merge(page) { $1 }
    } while cursor != "0" && found.count < limit
    return found.sorted { $0.key.rawValue < $1.key.rawValue }.prefix(limit).map { ($0, $1) }
  }

  // MARK: Records

  private func record(in answer: RedisValue) throws -> SessionRecord? {
    guard let fields = answer.array, fields.count == Self.fields.count else {
      throw Self.corrupt("session record")
    }
    guard let state = fields[3].string else { return nil }
    guard
      var record = Self.record(
        node: fields[0].string, incarnation: fields[1].string, epoch: fields[2].integer)
    else { throw Self.corrupt("session record") }
    if state == "closed" {
      record.state = .closed(try decode(fields[4].string ?? ""))
    }
    return record
  }

  private static func record(node: String?, incarnation: String?, epoch: Int?) -> SessionRecord? {
    guard let node = node.flatMap(NodeID.init), let epoch, epoch >= 0,
      let incarnation = incarnation.flatMap(Incarnation.init)
    else { return nil }
    return SessionRecord(node: node, incarnation: incarnation, epoch: Epoch(UInt64(epoch)))
  }

  private func encode(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  private func decode<Value: Decodable>(_ text: String) throws -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    } catch {
      throw RegistryError(
        .corrupt, "a record in Redis cannot be read; is --cluster \(cluster) another program's?",
        cause: error)
    }
  }

  // MARK: Errors

  private static func corrupt(_ what: String) -> RegistryError {
    RegistryError(.corrupt, "Redis's answer is not a \(what)")
  }

  private func run(_ script: RedisScript, keys: [String], _ arguments: [String] = []) async throws
    -> RedisValue
  {
    try await translated { try await redis.run(script, keys: keys, arguments) }
  }

  private func send(_ words: [String]) async throws -> RedisValue {
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
