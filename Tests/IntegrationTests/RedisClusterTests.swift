// A Redis Cluster: its slots move and its servers die, and no session is lost (promises P4 and P5).

import APIClient
import Client
import Foundation
import TestSupport
import Testing
import Wire

@Suite("Redis Cluster, a whole cluster", .timeLimit(.minutes(5 * patience)))
struct RedisClusterTests {
  @Test func theSlotOfASessionInUseIsMoved() async throws {
    let redis = try await ClusterRedis.start()
    let slot = try await redis.slot(of: "{fl}:s:typed")
    let from = try #require(try await redis.owner(of: slot))
    let to = (from + 1) % 3
    try await RedisGround.with(redis.url) { ground in
      let ids = try await ground.create(20, "s")
      var terminal = try await LiveTerminal.create(SessionID(unchecked: "typed"), at: ground.front)
      try await terminal.run("X=secret")

      try await redis.beginToMove(slot, from: from, to: to)
      try await terminal.echo("$X while it begins", prints: "secret while it begins")
      try await redis.moveKeys(of: slot, from: from, to: to)
      try await terminal.client.cut()
      try await terminal.echo("$X while it is there", prints: "secret while it is there")
      try await redis.endMove(of: slot, to: to)
      let moved = ContinuousClock.now
      try await ground.takesNewSessions()
      print("a new session \(ContinuousClock.now - moved) after the slot was moved")
      try await ground.checkWhole(ids + [SessionID(unchecked: "typed")])
      try await terminal.echo("$X in the end", prints: "secret in the end")
      let (code, output) = try await ground.run("check", "redis")
      #expect(
        code == 0 && output.contains("127.0.0.1:\(redis.servers[to].port) (cluster)"), "\(output)")
    }
  }

  @Test(arguments: [Transport.plain, .passthrough])
  func theServerThatHasAllOfItIsKilled(transport: Transport) async throws {
    let certificates = transport.isEncrypted ? try await ClusterCertificates() : nil
    let redis = try await ClusterRedis.start(certificates: certificates)
    let owner = try #require(
      try await redis.owner(of: try await redis.slot(of: "{fl}:s:typed")))
    try await RedisGround.with(redis.url, certificates: certificates) { ground in
      let ids = try await ground.create(20, "s")
      var terminal = try await LiveTerminal.create(SessionID(unchecked: "typed"), at: ground.front)
      let killed = ContinuousClock.now
      redis.servers[owner].process.signal(SIGKILL)
      try await terminal.echo("without it")
      try await terminal.client.cut()
      try await terminal.echo("after a cut")
      try await ground.takesNewSessions()
      print(
        "\(transport): a new session \(ContinuousClock.now - killed) after the server was killed")
      try await ground.checkWhole(ids + [SessionID(unchecked: "typed")])
      let (code, output) = try await ground.run("check", "redis")
      #expect(
        code == 0 && output.contains("127.0.0.1:\(redis.servers[owner + 3].port) (cluster)"),
        "\(output)")
    }
  }
}
