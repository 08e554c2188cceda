// What a Redis can lose, and that no second process comes of it (promise P4): the registry's half, with a real
// Redis that is emptied, evicts, and comes back from an older dump.

import Foundation
import Logging
import NIOPosix
import Redis
import Registry
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct RedisLossTests {
  private let a = NodeID(unchecked: "a")
  private let b = NodeID(unchecked: "b")
  private let first = Incarnation(rawValue: 1)
  private let second = Incarnation(rawValue: 2)
  private let session = SessionID(unchecked: "s")
  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func registry(_ url: String, grace: Int = Lease.grace) throws -> RedisRegistry {
    try RedisRegistry(url: url, cluster: "test", grace: grace, logger: quiet)
  }

  private func redis(_ url: String) throws -> RedisClient {
    RedisClient(
      try RedisEndpoint(url), on: MultiThreadedEventLoopGroup.singleton.next(), logger: quiet)
  }

  private func record(_ id: NodeID, _ incarnation: Incarnation) -> NodeRecord {
    NodeRecord(
      id: id, incarnation: incarnation, loops: [NodeAddress(host: "127.0.0.1", port: 1)],
      capacity: 10)
  }

  private func claim(_ registry: RedisRegistry) async throws -> SessionRecord {
    guard
      case .claimed(let epoch) = try await registry.claim(session, node: a, incarnation: first)
    else { throw ChildError("a free session could not be claimed") }
    return SessionRecord(node: a, incarnation: first, epoch: epoch)
  }

  private func expectUnsettled(_ ask: () async throws -> Void) async {
    let error = await #expect(throws: RegistryError.self) { try await ask() }
    #expect(error?.code == .unsettled)
  }

  @Test func aBadRecordHidesNoOther() async throws {
    let server = try await RedisServer.start()
    let registry = try registry(server.url)
    _ = try await registry.heartbeat(record(a, first))
    _ = try await claim(registry)
    let redis = try redis(server.url)
    for name in ["bad", "worse"] {
      let other = SessionID(unchecked: name)
      _ = try await registry.claim(other, node: a, incarnation: first, creator: nil)
    }
    _ = try await redis.send(["HSET", "{test}:s:bad", "epoch", "x"])
    _ = try await redis.send(["SET", "{test}:s:worse", "x"])
    for listed in [
      try await registry.sessions(notOn: [:], limit: 10), try await registry.sessions(limit: 10),
    ] {
      #expect(listed.sessions.map(\.0) == [session])
      #expect(listed.unread.map(\.rawValue) == ["bad", "worse"])
    }
    await redis.shutdown()
    await registry.shutdown()
    try await server.stop()
  }

  @Test func aRecordThatWasEvictedIsWaitedFor() async throws {
    let server = try await RedisServer.start()
    let registry = try registry(server.url)
    _ = try await registry.heartbeat(record(a, first))
    _ = try await registry.heartbeat(record(b, second))
    let owned = try await claim(registry)
    #expect(try await registry.warnings().isEmpty)

    let redis = try redis(server.url)
    for node in ["a", "b"] { _ = try await redis.send(["PERSIST", "{test}:node:\(node)"]) }
    _ = try await redis.send(["CONFIG", "SET", "maxmemory-policy", "volatile-lru"])
    _ = try await redis.send(["CONFIG", "SET", "maxmemory", "1"])
    #expect(try await registry.warnings().first?.contains("volatile-lru") == true)
    try await eventually("the record is evicted") {
      try await redis.send(["EXISTS", "{test}:s:s"]).integer == 0
    }
    _ = try await redis.send(["CONFIG", "SET", "maxmemory", "0"])

    async let claimed = registry.claim(session, node: b, incarnation: second)
    async let found = registry.lookUp(session)
    // Time for them to do it wrong.
    try await Task.sleep(for: .milliseconds(300))
    #expect(
      try await registry.heartbeat(record(b, second), isRenewal: true) == .outdated(.evicted))
    #expect(try await registry.announce([:], node: b, incarnation: second) == Announcement())
    #expect(
      try await registry.heartbeat(record(a, first), isRenewal: true) == .outdated(.evicted))
    #expect(
      try await registry.announce(
        [session: OwnedSession(epoch: owned.epoch)], node: a, incarnation: first)
        == Announcement(repaired: [session]))
    #expect(try await claimed == .owned(owned))
    #expect(try await found == owned)
    #expect(
      try await registry.heartbeat(record(a, first), isRenewal: true) == .alive(.serve))
    await redis.shutdown()
    await registry.shutdown()
  }

  @Test func aRedisThatCameBackFromAnOlderDumpIsToldEverythingFirst() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-dump-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let server = try await RedisServer.start(["--dir", folder])
    let registry = try registry(server.url, grace: 50)
    _ = try await registry.heartbeat(record(a, first))
    _ = try await registry.heartbeat(record(b, second))
    let redis = try redis(server.url)
    _ = try await redis.send(["SAVE"])
    let owned = try await claim(registry)
    server.process.signal(SIGKILL)
    try await server.process.waitForExit()
    let again = try await RedisServer.start(port: server.port, ["--dir", folder])
    try await eventually("it answers again") {
      (try? await redis.send(["EXISTS", "{test}:node:a"]).integer) == 1
    }

    await expectUnsettled { _ = try await registry.lookUp(session) }
    await expectUnsettled {
      _ = try await registry.claim(session, node: b, incarnation: second)
    }
    #expect(
      try await registry.heartbeat(record(b, second), isRenewal: true) == .outdated(.lostData))
    _ = try await registry.announce([:], node: b, incarnation: second)
    try await eventually("the grace is over") {
      try await redis.send(["EXISTS", "{test}:grace"]).integer == 0
    }
    await expectUnsettled {
      _ = try await registry.claim(session, node: b, incarnation: second)
    }
    #expect(
      try await registry.heartbeat(record(a, first), isRenewal: true) == .outdated(.lostData))
    _ = try await registry.announce(
      [session: OwnedSession(epoch: owned.epoch)], node: a, incarnation: first)
    try await eventually("it is settled") {
      (try? await registry.claim(session, node: b, incarnation: second)) == .owned(owned)
    }
    await redis.shutdown()
    await registry.shutdown()
    try await again.stop()
  }

  /// A node that went on with what its holder kept while Redis was away, and finds it emptied, or not.
  @Test func whatANodeBeginsWithIsAnnouncedBeforeAnythingIsUnknown() async throws {
    let server = try await RedisServer.start()
    let registry = try registry(server.url, grace: 200)
    var beginning = record(a, first)
    beginning.holder = "boot/h"
    beginning.sessions = 1
    for isEmpty in [true, false] {
      let result = try await registry.heartbeat(beginning)
      #expect(result == (isEmpty ? .outdated(.lostData) : .alive(.serve)))
      // Of the same run nothing is lost: what the node's earlier start has announced is there.
      if isEmpty {
        await expectUnsettled { _ = try await registry.lookUp(SessionID(unchecked: "other")) }
      }
      let held = [session: OwnedSession(epoch: Epoch(isEmpty ? 5 : 6), holder: beginning.holder)]
      _ = try await registry.announce(held, node: a, incarnation: beginning.incarnation)
      try await eventually("it is settled") {
        let new = SessionID(unchecked: "new\(isEmpty)")
        let claimed = try? await registry.claim(new, node: a, incarnation: beginning.incarnation)
        return claimed != nil
      }
      #expect(try await registry.lookUp(session)?.incarnation == beginning.incarnation)
      #expect(
        try await registry.heartbeat(beginning, isRenewal: true) == .alive(.serve))
      beginning.incarnation = second
    }
    await registry.shutdown()
    try await server.stop()
  }

  /// What marks a cluster's processes is still theirs after its Redis was emptied.
  @Test func anEmptiedRedisIsTheSameRegistry() async throws {
    let server = try await RedisServer.start()
    let before = try registry(server.url)
    let after = try registry(server.url)
    let name = try await before.identity()
    let redis = try redis(server.url)
    _ = try await redis.send(["FLUSHALL"])
    _ = try await before.heartbeat(record(a, first), isRenewal: true)
    #expect(try await after.identity() == name)
    await redis.shutdown()
    for registry in [before, after] { await registry.shutdown() }
  }

  @Test func aRedisThatDoesNotAnswerINFOServesAsWell() async throws {
    let server = try await RedisServer.start()
    let redis = try redis(server.url)
    _ = try await redis.send(["ACL", "SETUSER", "default", "-info"])
    let registry = try registry(server.url)
    _ = try await registry.heartbeat(record(a, first))
    let owned = try await claim(registry)
    #expect(
      try await registry.heartbeat(record(a, first), isRenewal: true) == .alive(.serve))
    #expect(try await registry.lookUp(session) == owned)
    #expect(try await registry.lookUp(SessionID(unchecked: "other")) == nil)
    #expect(try await registry.warnings().first?.contains("INFO") == true)
    await redis.shutdown()
    await registry.shutdown()
  }

  /// The keys of each script are of one slot: a Redis Cluster refuses others.
  @Test func everyScriptStaysInOneSlot() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-slots-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    // The bus would take the port 10,000 above, which there need not be.
    let bus = String(try freePort())
    let server = try await RedisServer.start(
      ["--cluster-enabled", "yes", "--cluster-port", bus, "--dir", folder])
    let redis = try redis(server.url)
    let slots = (0..<16_384).map(String.init)
    _ = try await redis.send(["CLUSTER", "ADDSLOTS"] + slots)
    try await eventually("the slots are served") {
      try await redis.send(["CLUSTER", "INFO"]).string?.contains("cluster_state:ok") == true
    }
    let registry = try registry(server.url)
    _ = try await registry.identity()
    _ = try await registry.heartbeat(record(a, first))
    _ = try await registry.heartbeat(record(b, second))
    #expect(try await registry.nodes().map(\.record.id) == [a, b])
    #expect(try await registry.setWish(b, .drain))
    let owned = try await claim(registry)
    let held = [session: OwnedSession(epoch: owned.epoch)]
    #expect(try await registry.announce(held, node: a, incarnation: first) == Announcement())
    #expect(
      try await registry.release(
        session, node: a, incarnation: first, epoch: owned.epoch,
        tombstone: Tombstone(status: nil, reason: .exited)))
    #expect(try await registry.lookUp(session) != nil)
    try await registry.leave(b, incarnation: second)
    await redis.shutdown()
    await registry.shutdown()
  }
}
