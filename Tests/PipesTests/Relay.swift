// A relay from a TCP port to a Unix socket, to reach an engine over TCP and to cut its connections; and
// a server that gives one fixed answer.

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

struct Relay: Sendable {
  private let listener: any Channel
  private let connections: Connections
  var port: Int { listener.localAddress?.port ?? 0 }

  static func start(to socket: String, port: Int = 0) async throws -> Relay {
    let connections = Connections()
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { inbound in
        let (near, far) = (NIOLoopBound(Half(), eventLoop: inbound.eventLoop), inbound.eventLoop)
        connections.add(inbound)
        return ClientBootstrap(group: far).channelInitializer { outbound in
          outbound.eventLoop.makeCompletedFuture {
            let half = Half()
            half.other = inbound
            near.value.other = outbound
            try outbound.pipeline.syncOperations.addHandler(half)
          }
        }.connect(unixDomainSocketPath: socket).flatMap { _ in
          inbound.eventLoop.makeCompletedFuture {
            try inbound.pipeline.syncOperations.addHandler(near.value)
          }
        }
      }.bind(host: "127.0.0.1", port: port).get()
    return Relay(listener: listener, connections: connections)
  }

  /// Closes every connection that there is now; new ones are taken.
  func cut() async throws { await connections.close() }

  func stop() async throws {
    try await listener.close()
    await connections.close()
  }

  private final class Half: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    var other: (any Channel)?
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      other?.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }
    func channelInactive(context: ChannelHandlerContext) {
      other?.close(promise: nil)
      other = nil
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }
  }

  private final class Connections: Sendable {
    private let channels = NIOLockedValueBox<[any Channel]>([])
    func add(_ channel: any Channel) { channels.withLockedValue { $0.append(channel) } }
    func close() async {
      for channel in channels.withLockedValue({ $0 }) { try? await channel.close() }
    }
  }
}

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
