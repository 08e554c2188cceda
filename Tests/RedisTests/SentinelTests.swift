// Sentinels: who is believed, and a client that follows the primary, whatever becomes of it (promise P5).

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Transport
import Wire

@testable import Redis

@Suite struct SentinelVotesTests {
  private typealias Votes = SentinelFinder.Votes
  private let one = Address.tcp(host: "h", port: 1)
  private let two = Address.tcp(host: "h", port: 2)

  private func names(_ port: Int) -> Result<RedisValue, any Error> {
    .success(.array([.string("h"), .string("\(port)")]))
  }

  private func fails(_ code: RedisError.Code) -> Result<RedisValue, any Error> {
    .failure(RedisError(code, "because"))
  }

  @Test func whatMostOfThemNameCountsAsSoonAsTheyDo() throws {
    var votes = Votes(of: 3, on: "main")
    #expect(votes.add(names(1)) == nil)
    #expect(votes.add(names(2)) == nil)
    #expect(try votes.add(names(2))?.get() == two)
    var quick = Votes(of: 3, on: "main")
    #expect(quick.add(names(1)) == nil)
    #expect(try quick.add(names(1))?.get() == one)
    #expect(quick.add(names(2)) == nil, "that is decided")
  }

  @Test func oneThatAnswersIsEnoughIfTheOthersFail() throws {
    var votes = Votes(of: 3, on: "main")
    #expect(votes.add(fails(.unavailable)) == nil)
    #expect(votes.add(names(1)) == nil)
    #expect(try votes.add(fails(.timedOut))?.get() == one)
  }

  @Test func oneAloneMovesNobodyFromAPrimaryThatServes() throws {
    var votes = Votes(of: 3, on: "main", byMost: true)
    #expect(votes.add(fails(.unavailable)) == nil)
    #expect(votes.add(names(1)) == nil)
    #expect(throws: RedisError.self) { try votes.add(fails(.timedOut))?.get() }
    var most = Votes(of: 3, on: "main", byMost: true)
    #expect(most.add(names(1)) == nil)
    #expect(try most.add(names(1))?.get() == one)
  }

  @Test func aNameThatAllAnswerNotToKnowIsAMisconfiguration() {
    var votes = Votes(of: 2, on: "main")
    #expect(votes.add(.success(.null)) == nil)
    let error = #expect(throws: RedisError.self) { try votes.add(.success(.null))?.get() }
    #expect(error?.code == .misconfigured && error?.message.contains("main") == true)
    var other = Votes(of: 2, on: "main")
    #expect(other.add(.success(.null)) == nil)
    let passing = #expect(throws: RedisError.self) { try other.add(fails(.unavailable))?.get() }
    #expect(passing?.code == .unavailable, "the other may know it")
  }

  @Test func aMessageOfASwitchIsReadIfItIsOfThisPrimary() {
    #expect(SentinelFinder.address(in: "main h 1 h 2", of: "main") == two)
    for text in ["other h 1 h 2", "main h 1 h", "main h 1 h x", "main h 1 h 0", "", "main h 1  2"] {
      #expect(SentinelFinder.address(in: text, of: "main") == nil)
    }
  }
}

@Suite("Sentinel", .timeLimit(.minutes(3 * patience))) struct SentinelTests {
  private func client(_ url: String) throws -> RedisClient {
    RedisClient(
      try RedisEndpoint(url), on: MultiThreadedEventLoopGroup.singleton.next(),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  @Test func thePrimaryIsFoundAndFollowedWhenItIsKilled() async throws {
    let group = try await SentinelRedis.start()
    let redis = try client(group.url)
    #expect(try await redis.send(["SET", "k", "v"]).string == "OK")
    #expect(await redis.use().primary == .tcp(host: "127.0.0.1", port: group.servers[0].port))
    #expect(try await redis.send(["WAIT", "1", "2000"]).integer == 1)
    let start = ContinuousClock.now
    group.servers[0].process.signal(SIGKILL)
    try await eventually("the replica took over, and is written to") {
      (try? await redis.send(["SET", "k2", "v"]))?.string == "OK"
    }
    print("a primary that was killed: writes again after \(ContinuousClock.now - start)")
    #expect(try await redis.send(["GET", "k"]).string == "v")
    #expect(await redis.use().primary == .tcp(host: "127.0.0.1", port: group.servers[1].port))
    // What was the primary comes back as a replica, which nobody writes to.
    let again = try await RedisServer.start(port: group.servers[0].port)
    try await eventually("the sentinels make it a replica") {
      try await redisCLI(again.port, ["ROLE"]).hasPrefix("slave")
    }
    #expect(try await redis.send(["SET", "k3", "v"]).string == "OK")
    await redis.shutdown()
    let third = try client(group.url)
    #expect(try await third.send(["GET", "k3"]).string == "v")
    await third.shutdown()
  }

  /// An operator's failover in order: no command that is sent meanwhile fails, since each is sent again until its time
  /// is over, and what was answered with OK is there.
  @Test func aFailoverInOrderCostsNoCommand() async throws {
    let group = try await SentinelRedis.start()
    let redis = try client(group.url)
    let written = NIOLockedValueBox(0)
    let isOver = NIOLockedValueBox(false)
    let failures = NIOLockedValueBox<[String]>([])
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for worker in 0..<8 {
        tasks.addTask {
          var number = 0
          while !isOver.withLockedValue({ $0 }) {
            number += 1
            do {
              _ = try await redis.send(["SET", "\(worker):\(number)", "v"])
              written.withLockedValue { $0 += 1 }
            } catch {
              failures.withLockedValue { $0.append("\(error)") }
            }
            try await Task.sleep(for: .milliseconds(2))
          }
        }
      }
      try await group.failOver()
      let moved = try await group.primary()
      try await eventually("the client has followed") {
        await redis.use().primary == .tcp(host: "127.0.0.1", port: moved)
      }
      try await Task.sleep(for: .milliseconds(200))
      isOver.withLockedValue { $0 = true }
      try await tasks.waitForAll()
    }
    let use = await redis.use()
    let failed = failures.withLockedValue { $0 }
    print(
      "a failover in order: \(written.withLockedValue { $0 }) written, \(failed.count) failed, "
        + "\(use.redirections) sent again, \(use.connections) connections")
    #expect(failed.isEmpty, "\(failed.prefix(3))")
    await redis.shutdown()
  }

  /// A primary that neither answers nor closes.
  @Test func aPrimaryThatHangsIsLeftForItsSuccessor() async throws {
    let group = try await SentinelRedis.start()
    let redis = try client(group.url)
    #expect(try await redis.send(["SET", "k", "v"]).string == "OK")
    group.servers[0].process.signal(SIGSTOP)
    try await eventually("the replica took over, and is written to") {
      (try? await redis.send(["SET", "k2", "v"]))?.string == "OK"
    }
    #expect(await redis.use().primary == .tcp(host: "127.0.0.1", port: group.servers[1].port))
    // It wakes up and takes itself for the primary still, until the sentinels have told it.
    group.servers[0].process.signal(SIGCONT)
    try await eventually("it is a replica") {
      try await redisCLI(group.servers[0].port, ["ROLE"]).hasPrefix("slave")
    }
    #expect(try await redis.send(["GET", "k2"]).string == "v")
    await redis.shutdown()
  }

  @Test func redisAndSentinelsHavePasswordsOfTheirOwn() async throws {
    let group = try await SentinelRedis.start(password: "pw", sentinelPassword: "sw")
    let redis = try client(group.url(login: ":pw@", query: "?sentinel-password=sw"))
    #expect(try await redis.send(["SET", "k", "v"]).string == "OK")
    await redis.shutdown()
    for (login, query, word) in [
      ("", "?sentinel-password=sw", "NOAUTH"), (":pw@", "", "NOAUTH"),
      (":no@", "?sentinel-password=sw", "AUTH"), (":pw@", "?sentinel-password=no", "AUTH"),
    ] {
      let wrong = try client(group.url(login: login, query: query))
      let error = await #expect(throws: RedisError.self) { try await wrong.send(["PING"]) }
      #expect(error?.code == .misconfigured, "\(login)\(query): \(String(describing: error))")
      #expect(error?.message.contains(word) == true, "\(String(describing: error))")
      await wrong.shutdown()
    }
  }

  @Test func aNameThatTheSentinelsDoNotKnowIsSaid() async throws {
    let group = try await SentinelRedis.start()
    let redis = try client(group.url.replacing("/main/", with: "/other/"))
    let error = await #expect(throws: RedisError.self) { try await redis.send(["PING"]) }
    #expect(error?.code == .misconfigured && error?.message.contains("other") == true)
    await redis.shutdown()
  }

  @Test func whatIsNoSentinelIsSaidToBeNone() async throws {
    let server = try await RedisServer.start()
    let redis = try client("redis+sentinel://127.0.0.1:\(server.port)/main")
    let error = await #expect(throws: RedisError.self) { try await redis.send(["PING"]) }
    #expect(error?.code == .misconfigured && error?.message.contains("SENTINEL") == true)
    await redis.shutdown()
  }

  @Test func twoSentinelsThatAreAwayAreOneTooFewToMind() async throws {
    let group = try await SentinelRedis.start()
    group.sentinels[0].process.signal(SIGKILL)
    group.sentinels[1].process.signal(SIGKILL)
    let redis = try client(group.url)
    #expect(try await redis.send(["SET", "k", "v"]).string == "OK")
    await redis.shutdown()
  }
}

@Suite("Unix socket", .timeLimit(.minutes(2 * patience))) struct UnixSocketTests {
  @Test func aRedisAtASocketIsUsed() async throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/redis.sock"
    let server = try await RedisServer.start(["--unixsocket", path])
    for url in ["unix://\(path)?db=2", "redis+unix://\(path)?db=2"] {
      let redis = RedisClient(
        try RedisEndpoint(url), on: MultiThreadedEventLoopGroup.singleton.next(),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      #expect(try await redis.send(["CLIENT", "INFO"]).string?.contains("db=2") == true)
      await redis.shutdown()
    }
    withExtendedLifetime((folder, server)) {}
  }
}
