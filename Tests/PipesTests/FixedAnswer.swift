// A server that gives one fixed answer.

import NIOCore
import NIOPosix

/// Runs `body` while a TCP server answers every connection's first bytes with `answer`, and closes it.
func withServer(
  answering answer: String, _ body: (_ port: Int) async throws -> Void
) async throws {
  let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .childChannelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(FixedAnswer(answer))
      }
    }.bind(host: "127.0.0.1", port: 0).get()
  do {
    try await body(listener.localAddress?.port ?? 0)
  } catch {
    try await listener.close()
    throw error
  }
  try await listener.close()
}

private final class FixedAnswer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let answer: String
  init(_ answer: String) { self.answer = answer }
  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.channel.writeAndFlush(ByteBuffer(string: answer)).whenComplete { _ in
      bound.value.close(promise: nil)
    }
  }
}
