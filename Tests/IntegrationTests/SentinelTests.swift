// Redis with sentinels: failovers cost waiting, and no session (promises P4 and P5).

import APIClient
import Client
import Foundation
import TestSupport
import Testing
import Wire

@Suite("Sentinel, a whole cluster", .timeLimit(.minutes(5 * patience))) struct SentinelFailoverTests
{
  @Test(arguments: [Transport.plain, .passthrough])
  func aFailoverUnderLoadLosesNoSession(transport: Transport) async throws {
    let certificates = transport.isEncrypted ? try await ClusterCertificates() : nil
    let redis = try await SentinelRedis.start(certificates: certificates)
    try await RedisGround.with(redis.url, certificates: certificates) { ground in
      let ids = try await ground.create(20, "s")
      var terminal = try await LiveTerminal.create(SessionID(unchecked: "typed"), at: ground.front)
      try await terminal.run("X=secret")

      let killed = ContinuousClock.now
      redis.servers[0].process.signal(SIGKILL)
      var refused = 0
      var echoes = 0
      var slowest = Duration.zero
      while true {
        // Typing goes on, and over a cut as well, while sessions are asked for all the time.
        let start = ContinuousClock.now
        try await terminal.echo("$X \(echoes)", prints: "secret \(echoes)")
        slowest = max(slowest, .now - start)
        echoes += 1
        if echoes == 3 { try await terminal.client.cut() }
        do {
          _ = try await ground.front.admin.create(
            Open(session: .random(), create: LiveTerminal.shell, size: .standard))
          if try await redis.primary() == redis.servers[1].port { break }
        } catch {
          refused += 1
        }
      }
      print(
        "\(transport): a new session \(ContinuousClock.now - killed) after the primary was killed, refused "
          + "\(refused) times; \(echoes) echoes, the slowest \(slowest)")
      try await ground.checkWhole(ids + [SessionID(unchecked: "typed")])
      try await terminal.echo("$X in the end", prints: "secret in the end")
      let (code, output) = try await ground.run("check", "redis")
      #expect(
        code == 0 && output.contains("127.0.0.1:\(redis.servers[1].port) (sentinel)"), "\(output)")
      for node in ground.nodes { #expect(node.process.isRunning) }
    }
  }

  /// The record of a session that was created a moment ago never reached the replica.
  @Test func aFailoverThatLosesTheLastSecondIsMadeGoodByTheOwner() async throws {
    let redis = try await SentinelRedis.start()
    try await RedisGround.with(redis.url) { ground in
      let before = try await ground.create(3, "s")
      // The replica hears nothing more: its link is cut while it sleeps.
      redis.servers[1].process.signal(SIGSTOP)
      _ = try await redisCLI(redis.servers[0].port, ["CLIENT", "KILL", "TYPE", "replica"])
      let id = SessionID(unchecked: "late")
      var terminal = try await LiveTerminal.create(id, at: ground.front)
      try await terminal.run("X=secret")
      let life = terminal.reader.opened.first?.life
      redis.servers[0].process.signal(SIGKILL)
      try await redis.servers[0].process.waitForExit()
      redis.servers[1].process.signal(SIGCONT)
      #expect(
        try await redisCLI(redis.servers[1].port, ["EXISTS", "{fl}:s:late"]) == "0", "it is lost")

      // Who asks for it meanwhile gets no second one, but is told to try again.
      let fresh = try await ground.anotherRouter()
      var created: Bool?
      try await eventually("the new primary is settled", atMost: .seconds(60)) {
        created = try? await ground.front(of: fresh).admin.create(
          Open(session: id, create: LiveTerminal.shell, size: .standard), attach: true
        ).created
        return created != nil
      }
      #expect(created == false, "no second owner")
      try await eventually("its owner has written the record again") {
        try await redisCLI(redis.servers[1].port, ["EXISTS", "{fl}:s:late"]) == "1"
      }
      var other = try LiveTerminal.attach(id, at: ground.front(of: fresh))
      try await other.echo("$X from elsewhere", prints: "secret from elsewhere")
      #expect(other.reader.opened.first?.life == life)
      try await terminal.echo("$X goes on", prints: "secret goes on")
      try await ground.checkWhole(before + [id])
    }
  }

  @Test func aRedisThatHangsWithoutClosingIsLeft() async throws {
    let redis = try await SentinelRedis.start()
    try await RedisGround.with(redis.url) { ground in
      let ids = try await ground.create(5, "s")
      var terminal = try await LiveTerminal.create(SessionID(unchecked: "typed"), at: ground.front)
      let hung = ContinuousClock.now
      redis.servers[0].process.signal(SIGSTOP)
      try await terminal.echo("while it hangs")
      try await terminal.client.cut()
      try await terminal.echo("after a cut")
      try await ground.takesNewSessions()
      print("a new session \(ContinuousClock.now - hung) after Redis hung")
      // It wakes up as a primary of old times, and is told otherwise.
      redis.servers[0].process.signal(SIGCONT)
      try await eventually("it is a replica") {
        try await redisCLI(redis.servers[0].port, ["ROLE"]).hasPrefix("slave")
      }
      try await ground.checkWhole(ids + [SessionID(unchecked: "typed")])
    }
  }
}
