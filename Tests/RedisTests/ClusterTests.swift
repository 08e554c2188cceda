// A Redis Cluster: where a key is, and a client that follows it from server to server (promise P5).

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Transport
import Wire

@testable import Redis

@Suite struct SlotTests {
  private let asked = Address.tcp(host: "asked", port: 9)

  /// The vector of the specification, and what `CLUSTER KEYSLOT` says.
  @Test func aKeysSlotIsTheSpecifications() {
    #expect(HashSlot.of("123456789") == 0x31C3)
    #expect(HashSlot.of("{fl}:s:x") == HashSlot.of("fl") && HashSlot.of("fl") != HashSlot.of("f"))
    #expect(HashSlot.of("foo{}{bar}") != HashSlot.of("bar"), "an empty tag is none")
    #expect(HashSlot.of("foo{{bar}}zap") == HashSlot.of("{bar"))
    #expect(HashSlot.of("") == 0)
  }

  private func server(_ host: RedisValue, _ port: Int) -> RedisValue {
    .array([host, .integer(port), .string("id"), .array([])])
  }

  @Test func whoHasASlotIsRead() throws {
    let value = RedisValue.array([
      .array([.integer(0), .integer(99), server(.string("a"), 1), server(.string("b"), 2)]),
      .array([.integer(100), .integer(16_383), server(.string("c"), 3)]),
    ])
    let map = try SlotMap(value, slot: 100, askedAt: asked)
    #expect(map.primary == .tcp(host: "c", port: 3))
    #expect(map.servers.count == 3 && map.servers.contains(.tcp(host: "b", port: 2)))
    #expect(try SlotMap(value, slot: 99, askedAt: asked).primary == .tcp(host: "a", port: 1))
  }

  @Test(arguments: [RedisValue.string(""), .string("?"), .null])
  func aServerThatDoesNotKnowItsNameIsWhereItWasAsked(_ host: RedisValue) throws {
    let value = RedisValue.array([.array([.integer(0), .integer(16_383), server(host, 4)])])
    #expect(try SlotMap(value, slot: 7, askedAt: asked).primary == .tcp(host: "asked", port: 4))
  }

  @Test(
    arguments: [
      (.null, .unavailable), (.array([]), .unavailable),
      (.array([.array([.integer(1)])]), .protocolViolation),
      (.array([.array([.integer(0), .integer(9), .null])]), .unavailable),
      (
        .array([.array([.integer(0), .integer(9), .array([.string("h"), .integer(70_000)])])]),
        .unavailable
      ),
    ] as [(RedisValue, RedisError.Code)])
  func aListThatDoesNotSayItIsRefused(value: RedisValue, code: RedisError.Code) {
    let error = #expect(throws: RedisError.self) { try SlotMap(value, slot: 5, askedAt: asked) }
    #expect(error?.code == code)
  }
}

@Suite("Redis Cluster", .timeLimit(.minutes(3 * patience))) struct ClusterTests {
  private func client(_ url: String) throws -> RedisClient {
    RedisClient(
      try RedisEndpoint(url), on: MultiThreadedEventLoopGroup.singleton.next(),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, tag: "t")
  }

  private func address(_ cluster: ClusterRedis, _ number: Int) -> Address {
    .tcp(host: "127.0.0.1", port: cluster.servers[number].port)
  }

  @Test func aSlotIsFollowedWhileItIsMovedAndAfterwards() async throws {
    let cluster = try await ClusterRedis.start()
    let slot = HashSlot.of("t")
    #expect(try await cluster.slot(of: "{t}:x") == slot)
    let from = try #require(try await cluster.owner(of: slot))
    let to = (from + 1) % 3
    let redis = try client(cluster.url)
    for number in 0..<250 {
      #expect(try await redis.send(["SET", "{t}:\(number)", "\(number)"]).string == "OK")
    }
    #expect(await redis.use().primary == address(cluster, from))
    let script = RedisScript("return redis.call('INCR', KEYS[1])")
    #expect(try await redis.run(script, keys: ["{t}:n"]).integer == 1)

    try await cluster.beginToMove(slot, from: from, to: to)
    // Some are here still, some are there: what is new is made there.
    #expect(try await redis.send(["SET", "{t}:new", "v"]).string == "OK")
    #expect(try await redis.send(["GET", "{t}:1"]).string == "1")
    // Keys on either side: nobody can tell until they have come together.
    async let both = redis.send(["MGET", "{t}:new", "{t}:1"])
    try await cluster.moveKeys(of: slot, from: from, to: to)
    try await cluster.endMove(of: slot, to: to)
    #expect(try await both == .array([.string("v"), .string("1")]))
    #expect(try await redis.run(script, keys: ["{t}:n"]).integer == 2)
    for number in 0..<250 {
      #expect(try await redis.send(["GET", "{t}:\(number)"]).string == "\(number)")
    }
    let use = await redis.use()
    #expect(use.primary == address(cluster, to) && use.redirections > 0, "\(use)")
    await redis.shutdown()
  }

  @Test func aServerThatIsKilledIsReplacedByItsReplica() async throws {
    let cluster = try await ClusterRedis.start()
    let slot = HashSlot.of("t")
    let owner = try #require(try await cluster.owner(of: slot))
    let redis = try client(cluster.url)
    #expect(try await redis.send(["SET", "{t}:k", "v"]).string == "OK")
    #expect(try await redis.send(["WAIT", "1", "2000"]).integer == 1)
    let start = ContinuousClock.now
    cluster.servers[owner].process.signal(SIGKILL)
    try await eventually("its replica took over") {
      (try? await redis.send(["SET", "{t}:l", "v"]))?.string == "OK"
    }
    print("a Cluster's server that was killed: writes again after \(ContinuousClock.now - start)")
    #expect(try await redis.send(["GET", "{t}:k"]).string == "v")
    #expect(await redis.use().primary == address(cluster, owner + 3))
    await redis.shutdown()
  }

  /// CLUSTER FAILOVER, as before an upgrade of the server.
  @Test func aFailoverInOrderCostsNoCommand() async throws {
    let cluster = try await ClusterRedis.start()
    let owner = try #require(try await cluster.owner(of: HashSlot.of("t")))
    let redis = try client(cluster.url)
    let isOver = NIOLockedValueBox(false)
    let failures = NIOLockedValueBox<[String]>([])
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for worker in 0..<8 {
        tasks.addTask {
          while !isOver.withLockedValue({ $0 }) {
            do {
              _ = try await redis.send(["INCR", "{t}:\(worker)"])
            } catch {
              failures.withLockedValue { $0.append("\(error)") }
            }
            try await Task.sleep(for: .milliseconds(2))
          }
        }
      }
      #expect(try await cluster.ask(owner + 3, ["FAILOVER"]) == "OK")
      try await eventually("the client has followed") {
        await redis.use().primary == address(cluster, owner + 3)
      }
      try await Task.sleep(for: .milliseconds(200))
      isOver.withLockedValue { $0 = true }
      try await tasks.waitForAll()
    }
    let failed = failures.withLockedValue { $0 }
    #expect(failed.isEmpty, "\(failed.prefix(3))")
    await redis.shutdown()
  }

  @Test func oneServerOfAClusterSaysHowToWriteIt() async throws {
    let cluster = try await ClusterRedis.start()
    let owner = try #require(try await cluster.owner(of: HashSlot.of("t")))
    let redis = try client(cluster.servers[(owner + 1) % 3].url)
    let error = await #expect(throws: RedisError.self) { try await redis.send(["GET", "{t}:k"]) }
    #expect(error?.code == .misconfigured && error?.message.contains("redis+cluster://") == true)
    await redis.shutdown()
    let alone = try await RedisServer.start()
    let other = try client("redis+cluster://127.0.0.1:\(alone.port)")
    let refusal = await #expect(throws: RedisError.self) { try await other.send(["GET", "{t}:k"]) }
    #expect(
      refusal?.code == .misconfigured && refusal?.message.contains("redis://") == true,
      "\(String(describing: refusal))")
    await other.shutdown()
  }
}
