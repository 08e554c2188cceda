// What a client makes of a server that does not let it in (promise P10).

import Client
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(patience))) struct RefusalTests {
  /// Answers every connection's first bytes, and stays silent from then on.
  private final class HalfAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let text: String
    init(_ text: String) { self.text = text }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      context.channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }
  }

  @Test func aRefusalWhoseWordsNeverComeIsToldAsFarAsItIsKnown() async throws {
    let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\n{\"error\""
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(HalfAnswer(answer))
        }
      }.bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(listener.localAddress?.port)
    let client = try TerminalClient(url: "http://127.0.0.1:\(port)")
    let terminal = client.open(Open(session: .random(), size: .standard))
    let reason = await terminal.events.firstReason()
    #expect(reason?.contains("503 Service Unavailable") == true, "\(reason ?? "none")")
    try await client.close()
    try await listener.close()
  }
}

extension TerminalEvents {
  /// Why the first try to connect failed.
  fileprivate func firstReason() async -> String? {
    for await event in self {
      if case .state(.reconnecting(_, let reason, _)) = event { return reason }
    }
    return nil
  }
}
