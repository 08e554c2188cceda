// A relay from a TCP port to a Unix socket, to reach an engine over TCP, and to cut its connections or hold them up.

import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix

public struct Relay: Sendable {
  private let listener: any Channel
  private let connections: Connections
  public var port: Int { listener.localAddress?.port ?? 0 }

  /// - Parameter edit: what becomes of what comes from the socket.
  public static func start(
    to socket: String, port: Int = 0,
    _ edit: @escaping @Sendable (inout ByteBuffer) -> Void = { _ in }
  ) async throws -> Relay {
    let connections = Connections()
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { inbound in
        // Both ends are on one loop.
        let loop = inbound.eventLoop
        let near = NIOLoopBound(Half(connections), eventLoop: loop)
        connections.add(inbound, near)
        return ClientBootstrap(group: loop).channelInitializer { outbound in
          outbound.eventLoop.makeCompletedFuture {
            let half = Half(connections, edit)
            half.other = inbound
            near.value.other = outbound
            connections.add(outbound, NIOLoopBound(half, eventLoop: loop))
            try outbound.pipeline.syncOperations.addHandler(half)
          }
        }.connect(unixDomainSocketPath: socket).flatMap { _ in
          connections.didConnect()
          return inbound.eventLoop.makeCompletedFuture {
            try inbound.pipeline.syncOperations.addHandler(near.value)
          }
        }
      }.bind(host: "127.0.0.1", port: port).get()
    return Relay(listener: listener, connections: connections)
  }

  /// Closes every connection that there is now; new ones are taken.
  public func cut() async throws { await connections.close() }

  /// Nothing goes on, on the connections that there are and on new ones; none is cut.
  public func holdUp(_ isHeldUp: Bool) { connections.holdUp(isHeldUp) }

  /// That were ever made to it.
  public var connectionCount: Int { connections.count }

  public func stop() async throws {
    try await listener.close()
    await connections.close()
  }

  /// Confined to its event loop.
  private final class Half: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    var other: (any Channel)?
    private let connections: Connections
    private let edit: (inout ByteBuffer) -> Void
    private var heldUp: [ByteBuffer] = []
    private var isClosed = false

    init(_ connections: Connections, _ edit: @escaping (inout ByteBuffer) -> Void = { _ in }) {
      self.connections = connections
      self.edit = edit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      var bytes = unwrapInboundIn(data)
      edit(&bytes)
      heldUp.append(bytes)
      goOn()
    }
    func channelInactive(context: ChannelHandlerContext) {
      isClosed = true
      goOn()
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }

    func goOn() {
      guard !connections.isHeldUp else { return }
      for bytes in heldUp { other?.writeAndFlush(bytes, promise: nil) }
      heldUp = []
      guard isClosed else { return }
      other?.close(promise: nil)
      other = nil
    }
  }

  private final class Connections: Sendable {
    private struct State {
      var ends: [(channel: any Channel, half: NIOLoopBound<Half>)] = []
      var count = 0
      var isHeldUp = false
    }
    private let state = NIOLockedValueBox(State())

    var count: Int { state.withLockedValue { $0.count } }
    var isHeldUp: Bool { state.withLockedValue { $0.isHeldUp } }

    func add(_ channel: any Channel, _ half: NIOLoopBound<Half>) {
      state.withLockedValue { $0.ends.append((channel, half)) }
    }

    func didConnect() { state.withLockedValue { $0.count += 1 } }

    func holdUp(_ isHeldUp: Bool) {
      let ends = state.withLockedValue {
        $0.isHeldUp = isHeldUp
        return $0.ends
      }
      for (channel, half) in ends { channel.eventLoop.execute { half.value.goOn() } }
    }

    func close() async {
      for end in state.withLockedValue({ $0.ends }) { try? await end.channel.close() }
    }
  }
}
