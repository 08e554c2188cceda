// A Redis that answers in its own language, and never to an end: what is asked of it ends all the same (promise P6).

import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Redis
import TestSupport
import Testing
import Wire

@testable import Registry

/// Answers each command, in RESP, as a test says.
private final class LyingRedis: Sendable {
  /// The words of a command; nil: OK.
  typealias Script = @Sendable (_ words: [String]) -> String?

  private let script: Script
  private let heard = NIOLockedValueBox<[[String]]>([])
  private let listener = NIOLockedValueBox<(any Channel)?>(nil)

  private final class Speaker: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let redis: LyingRedis
    private var lines: [String] = []
    private var rest = ""
    init(_ redis: LyingRedis) { self.redis = redis }

    /// No word that a registry sends here has a line end in it, but scripts, which are not asked for.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      rest += String(buffer: unwrapInboundIn(data))
      var pieces = rest.components(separatedBy: "\r\n")
      rest = pieces.removeLast()
      lines += pieces
      while let first = lines.first, let count = Int(first.dropFirst()), lines.count > 2 * count {
        let words = (1...max(1, count)).map { lines[2 * $0] }
        lines.removeFirst(1 + 2 * count)
        let answer = redis.answer(words)
        context.write(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
      }
      context.flush()
    }
  }

  init(_ script: @escaping Script) { self.script = script }

  private func answer(_ words: [String]) -> String {
    heard.withLockedValue { $0.append(words) }
    return script(words) ?? "+OK\r\n"
  }

  func count(_ word: String) -> Int { heard.withLockedValue { $0.count { $0.contains(word) } } }

  func listen() async throws -> String {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Speaker(self))
        }
      }.bind(host: "127.0.0.1", port: 0).get()
    listener.withLockedValue { $0 = channel }
    return "redis://127.0.0.1:\(channel.localAddress?.port ?? 0)"
  }

  func stop() async throws { try await listener.withLockedValue { $0 }?.close().get() }
}

private func list(_ items: String...) -> String { "*\(items.count)\r\n" + items.joined() }
private func text(_ word: String) -> String { "$\(word.utf8.count)\r\n\(word)\r\n" }
private func number(_ value: Int) -> String { ":\(value)\r\n" }
private let nothing = "$-1\r\n"

@Suite(.timeLimit(.minutes(2 * patience))) struct LyingRedisTests {
  private let node = NodeID(unchecked: "a")

  /// Runs `body` with a registry in such a Redis, and says how often the words came.
  private func with(
    _ script: @escaping LyingRedis.Script, counting words: [String],
    _ body: (RedisRegistry) async throws -> Void
  ) async throws -> [Int] {
    let redis = LyingRedis(script)
    let registry = try RedisRegistry(
      url: try await redis.listen(), cluster: "test", mostScans: 20,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await body(registry)
    await registry.shutdown()
    try await redis.stop()
    return words.map(redis.count)
  }

  /// A session is always a dead node's, and its record never closed.
  @Test func aClaimThatIsNeverSettledIsGivenUp() async throws {
    let claim = RegistryScripts.claim.digest
    let script: LyingRedis.Script = { words in
      switch words.count > 1 ? words[1] : words[0] {
      case RegistryScripts.settled.digest: list(number(1), text("run"), number(0))
      case "server", "stats": "-NOPERM this user may not\r\n"
      case claim:
        list(number(0), text("dead"), text("1"), text("1"), text(""), nothing, nothing, nothing)
      case RegistryScripts.nodes.digest: list(number(1))
      case RegistryScripts.release.digest: number(0)
      default: nil
      }
    }
    let counts = try await with(script, counting: [claim]) { registry in
      let error = await #expect(throws: RegistryError.self) {
        try await registry.claim(
          SessionID(unchecked: "s"), node: node, incarnation: Incarnation(rawValue: 2))
      }
      #expect(error?.code == .unavailable)
    }
    #expect(counts == [RegistryLimits.claims])
  }

  @Test(arguments: ["HSCAN", "SCAN"]) func aListWithoutAnEndIsGivenUp(_ endless: String)
    async throws
  {
    let script: LyingRedis.Script = { words in
      switch words[0] {
      case endless: list(text("7"), list())
      case "HSCAN", "SCAN": list(text("0"), list())
      default: nil
      }
    }
    let counts = try await with(script, counting: ["HSCAN", "SCAN"]) { registry in
      let error = await #expect(throws: RegistryError.self) {
        try await registry.sessions(limit: 10)
      }
      // A Redis of many others' keys looks the same, and its operator is told.
      #expect(error?.code == (endless == "HSCAN" ? .corrupt : .misconfigured))
    }
    #expect(counts == (endless == "HSCAN" ? [20, 0] : [1, 20]))
  }
}
