// Routers are listed as they describe themselves, the same by both registries, and nothing else depends on it.

import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import Redis
import Registry
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct RouterRecordTests {
  private func record(_ id: String, _ incarnation: UInt64, clients: Int = 0) -> RouterRecord {
    RouterRecord(
      id: NodeID(unchecked: id), incarnation: Incarnation(rawValue: incarnation),
      url: "http://127.0.0.1:7070", version: "1", started: incarnation, clients: clients)
  }

  private func check(_ registry: any Registry) async throws {
    #expect(try await registry.routers().isEmpty)
    try await registry.renew(record("b", 3))
    try await registry.renew(record("a", 2))
    try await registry.renew(record("a", 1))
    try await registry.renew(record("a", 2, clients: 7))
    let listed = try await registry.routers()
    #expect(listed.map(\.record) == [record("a", 1), record("a", 2, clients: 7), record("b", 3)])
    #expect(listed.allSatisfy { $0.isLive && $0.leaseMilliseconds <= Lease.router })
    try await registry.leave(
      router: NodeID(unchecked: "a"), incarnation: Incarnation(rawValue: 2))
    #expect(try await registry.routers().map(\.record.started) == [1, 3])
    #expect(try await registry.health().warnings.isEmpty)
  }

  @Test func routersAreListedInMemory() async throws { try await check(MemoryRegistry()) }

  @Test func routersAreListedInRedisAndOthersTextIsPassedOver() async throws {
    let server = try await RedisServer.start()
    let registry = try RedisRegistry(
      url: server.url, cluster: "test", logger: Logger(label: "test"))
    try await check(registry)
    let client = RedisClient(
      try RedisEndpoint(server.url), on: MultiThreadedEventLoopGroup.singleton.next(),
      logger: Logger(label: "test"))
    for (key, value) in [("x", "{"), ("y", String(repeating: "z", count: 5_000))] {
      _ = try await client.send(["ZADD", "{test}:routers:leases", "9999999999999", key])
      _ = try await client.send(["HSET", "{test}:routers", key, value])
    }
    #expect(try await registry.routers().map(\.record.started) == [1, 3])
    let health = try await registry.health()
    #expect(health.kind == .redis && health.role == "master" && health.memory ?? 0 > 0)
    #expect(abs(health.clock ?? 99_999) < 5_000)
    await client.shutdown()
    await registry.shutdown()
  }

  @Test func aRouterThatFallsSilentIsListedForAWhile() async throws {
    let time = NIOLockedValueBox(0)
    let registry: any Registry = MemoryRegistry(now: { time.withLockedValue { $0 } })
    try await registry.renew(record("a", 1))
    time.withLockedValue { $0 += Lease.router }
    #expect(try await registry.routers().map(\.isLive) == [false])
    time.withLockedValue { $0 += 4_000_000 }
    try await registry.renew(record("b", 1))
    #expect(try await registry.routers().map(\.record.id.rawValue) == ["b"])
  }
}
