// The client against a real server: pipelining, login, scripts, reconnecting, deadlines (promises P5, P6).

import Logging
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Wire

@testable import Redis

@Suite(.timeLimit(.minutes(2 * patience))) struct RedisClientTests {
  private func client(_ url: String) throws -> RedisClient {
    RedisClient(
      try RedisEndpoint(url), on: MultiThreadedEventLoopGroup.singleton.next(),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  @Test func manyCommandsShareOneConnectionAndKeepTheirReplies() async throws {
    let server = try await RedisServer.start()
    let redis = try client(server.url)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for number in 0..<500 {
        tasks.addTask { () async throws in
          let text = "value \(number) é\r\n"
          #expect(try await redis.send(["SET", "k\(number)", text]).string == "OK")
          #expect(try await redis.send(["GET", "k\(number)"]).string == text)
        }
      }
      try await tasks.waitForAll()
    }
    let clients = try await redis.send(["CLIENT", "LIST"]).string ?? ""
    #expect(clients.split(separator: "\n").count == 1)
    #expect(try await redis.send(["GET", "none"]) == .null)
    #expect(
      try await redis.send(["EVAL", "return {1, 'a', {false, {err='x'}}}", "0"])
        == .array([.integer(1), .string("a"), .array([.null, .error("x")])]))
    await redis.shutdown()
    await #expect(throws: RedisError.self) { try await redis.send(["PING"]) }
  }

  @Test func errorsOfRedisAreThrownAndHarmNothing() async throws {
    let server = try await RedisServer.start()
    let redis = try client(server.url)
    let error = await #expect(throws: RedisError.self) { try await redis.send(["NOSUCH"]) }
    #expect(error?.code == .refused && error?.message.contains("NOSUCH") == true)
    #expect(try await redis.send(["PING"]).string == "PONG")
    await redis.shutdown()
  }

  @Test func aScriptIsSentOnceAndAgainAfterRedisForgotIt() async throws {
    let server = try await RedisServer.start()
    let redis = try client(server.url)
    let script = RedisScript("return {KEYS[1], ARGV[1]}")
    let expected = RedisValue.array([.string("key"), .string("word")])
    #expect(try await redis.run(script, keys: ["key"], ["word"]) == expected)
    #expect(
      try await redis.send(["SCRIPT", "EXISTS", script.digest]) == .array([.integer(1)]))
    _ = try await redis.send(["SCRIPT", "FLUSH"])
    #expect(try await redis.run(script, keys: ["key"], ["word"]) == expected)
    await redis.shutdown()
  }

  @Test func itLogsInAndSelectsItsDatabase() async throws {
    let server = try await RedisServer.start(["--requirepass", "se/cret"])
    let redis = try client("redis://:se%2Fcret@127.0.0.1:\(server.port)/3")
    #expect(try await redis.send(["SET", "k", "v"]).string == "OK")
    #expect(try await redis.send(["CLIENT", "INFO"]).string?.contains("db=3") == true)
    await redis.shutdown()
    for (url, word) in [
      ("redis://:wrong@127.0.0.1:\(server.port)", "AUTH"),
      ("redis://127.0.0.1:\(server.port)", "NOAUTH"),
      ("redis://:se%2Fcret@127.0.0.1:\(server.port)/99", "SELECT"),
    ] {
      let redis = try client(url)
      let error = await #expect(throws: RedisError.self) { try await redis.send(["PING"]) }
      #expect(error?.code == .misconfigured && error?.message.contains(word) == true)
      await redis.shutdown()
    }
  }

  @Test func itConnectsAgainWhenRedisIsBack() async throws {
    let server = try await RedisServer.start()
    let redis = try client(server.url)
    #expect(try await redis.send(["PING"]).string == "PONG")
    try await server.stop()
    let error = await #expect(throws: RedisError.self) { try await redis.send(["PING"]) }
    #expect(error?.code == .unavailable || error?.code == .timedOut)
    let again = try await RedisServer.start(port: server.port)
    try await eventually("it is connected again") {
      (try? await redis.send(["PING"]))?.string == "PONG"
    }
    await redis.shutdown()
    try await again.stop()
  }

  @Test func aRedisThatHangsCostsADeadlineAndIsLeft() async throws {
    let server = try await RedisServer.start()
    let redis = try client(server.url)
    #expect(try await redis.send(["PING"]).string == "PONG")
    server.process.signal(SIGSTOP)
    let error = await #expect(throws: RedisError.self) { try await redis.send(["PING"]) }
    #expect(error?.code == .timedOut)
    server.process.signal(SIGCONT)
    try await eventually("it answers again") {
      (try? await redis.send(["PING"]))?.string == "PONG"
    }
    await redis.shutdown()
  }

  @Test func aLoginThatIsNeverAnsweredIsGivenUp() async throws {
    let server = try await RedisServer.start(["--requirepass", "pw"])
    server.process.signal(SIGSTOP)
    // Its kernel still takes connections.
    let redis = try client("redis://:pw@127.0.0.1:\(server.port)")
    let error = await #expect(throws: RedisError.self) { try await redis.send(["PING"]) }
    #expect(error?.code == .unavailable)
    server.process.signal(SIGCONT)
    try await eventually("it has logged in after all") {
      (try? await redis.send(["PING"]))?.string == "PONG"
    }
    await redis.shutdown()
  }

  @Test func aReplicaIsAwayAndNotBroken() async throws {
    let server = try await RedisServer.start(["--replicaof", "127.0.0.1 1"])
    let redis = try client(server.url)
    let error = await #expect(throws: RedisError.self) { try await redis.send(["SET", "k", "v"]) }
    #expect(error?.code == .unavailable)
    await redis.shutdown()
  }

  @Test func whatIsNotThereIsNamedWithTheReason() async throws {
    let redis = try client("redis://user:secret@127.0.0.1:\(try freePort())")
    let error = await #expect(throws: RedisError.self) { try await redis.send(["PING"]) }
    #expect(error?.code == .unavailable)
    #expect(error?.description.contains("Connection refused") == true)
    #expect(error?.description.contains("secret") == false)
    await redis.shutdown()
  }

  /// What is not a Redis at all: here, a server that answers with garbage.
  @Test func whatDoesNotSpeakTheProtocolIsLeft() async throws {
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.pipeline.addHandler(Greeter())
      }.bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(listener.localAddress?.port)
    let redis = try client("redis://127.0.0.1:\(port)")
    let error = await #expect(throws: RedisError.self) { try await redis.send(["PING"]) }
    #expect(error?.code == .protocolViolation)
    await redis.shutdown()
    try await listener.close()
  }
}

private final class Greeter: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelActive(context: ChannelHandlerContext) {
    context.writeAndFlush(
      wrapOutboundOut(ByteBuffer(string: "SSH-2.0-OpenSSH_9\r\n")), promise: nil)
  }
}
