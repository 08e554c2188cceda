// Both roles of `TLSHandler` on real sockets, and what they saw.

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOTLS
import TLS
import TestSupport
import Wire

/// What the end of a pipeline saw.
final class Observer: Sendable {
  private struct Seen {
    var bytes = ByteBuffer()
    var errors: [any Error] = []
    var isHandshaken = false
    var inputEnded = false
    var isClosed = false
  }
  private let seen = NIOLockedValueBox(Seen())

  var bytes: ByteBuffer { seen.withLockedValue { $0.bytes } }
  var text: String { seen.withLockedValue { String(buffer: $0.bytes) } }
  var error: TLSError? {
    seen.withLockedValue { $0.errors.lazy.compactMap { $0 as? TLSError }.first }
  }
  var isHandshaken: Bool { seen.withLockedValue { $0.isHandshaken } }
  var inputEnded: Bool { seen.withLockedValue { $0.inputEnded } }
  var isClosed: Bool { seen.withLockedValue { $0.isClosed } }

  func read(_ bytes: ByteBuffer) {
    _ = seen.withLockedValue { $0.bytes.writeImmutableBuffer(bytes) }
  }
  func caught(_ error: any Error) { seen.withLockedValue { $0.errors.append(error) } }
  func shookHands() { seen.withLockedValue { $0.isHandshaken = true } }
  func inputEnd() { seen.withLockedValue { $0.inputEnded = true } }
  func closed() { seen.withLockedValue { $0.isClosed = true } }
}

/// Observes, and writes back what it reads if it is told to.
private final class Observing: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let observer: Observer
  private let echoes: Bool

  init(_ observer: Observer, echoes: Bool) {
    self.observer = observer
    self.echoes = echoes
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    observer.read(unwrapInboundIn(data))
    if echoes { context.writeAndFlush(data, promise: nil) }
  }
  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is TLSUserEvent { observer.shookHands() }
    if case ChannelEvent.inputClosed = event { observer.inputEnd() }
  }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { observer.caught(error) }
  func channelInactive(context: ChannelHandlerContext) { observer.closed() }
}

/// A server that echoes over TLS.
final class EchoServer: Sendable {
  let port: Int
  private let listener: any Channel
  private let accepted: NIOLockedValueBox<[Observer]>

  var observers: [Observer] { accepted.withLockedValue { $0 } }

  init(
    _ context: @escaping @Sendable () -> TLSContext, deadline: TimeAmount = .seconds(30),
    halfCloses: Bool = false
  ) async throws {
    let accepted = NIOLockedValueBox<[Observer]>([])
    self.accepted = accepted
    listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.backlog, value: 1_024)
      .childChannelOption(.allowRemoteHalfClosure, value: halfCloses)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let observer = Observer()
          accepted.withLockedValue { $0.append(observer) }
          try channel.pipeline.syncOperations.addHandler(
            TLSHandler(context(), handshakeDeadline: deadline))
          try channel.pipeline.syncOperations.addHandler(Observing(observer, echoes: true))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = listener.localAddress?.port ?? 0
  }

  /// What the nth connection saw.
  func observer(_ index: Int = 0) async throws -> Observer {
    try await eventually("connection \(index) is accepted") { self.observers.count > index }
    return observers[index]
  }

  func close() async throws { try await listener.close() }
}

/// A client over TLS, or without it.
struct Connection: Sendable {
  let channel: any Channel
  let observer = Observer()

  /// - Parameter context: nil: bare TCP.
  init(
    _ context: TLSContext?, names: [String] = ["localhost"], port: Int,
    deadline: TimeAmount = .seconds(30), readsByItself: Bool = true
  ) async throws {
    try await self.init(port: port, readsByItself: readsByItself) {
      try context.map {
        try TLSHandler($0, serverNames: names, handshakeDeadline: deadline)
      }
    }
  }

  /// - Parameter transport: makes the handler next to the socket.
  init(
    port: Int, readsByItself: Bool = true,
    transport: @escaping @Sendable () throws -> (any ChannelHandler)?
  ) async throws {
    let observer = observer
    channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.autoRead, value: readsByItself)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let handler = try transport() {
            try channel.pipeline.syncOperations.addHandler(handler)
          }
          try channel.pipeline.syncOperations.addHandler(Observing(observer, echoes: false))
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
  }

  func send(_ text: String) async throws { try await send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) async throws {
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
  }

  func close() async throws { try await channel.close() }
}

/// A TLS client that sends a part of its first or of its last flight, and then nothing more.
final class Stalling: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let connection: TLSConnection
  private let part: Double
  private let inLastFlight: Bool

  init(_ context: TLSContext, part: Double, inLastFlight: Bool) throws {
    connection = try TLSConnection(context, serverNames: ["localhost"])
    self.part = part
    self.inLastFlight = inLastFlight
  }

  func channelActive(context: ChannelHandlerContext) {
    _ = connection.start()
    send(inLastFlight ? 1 : part, context)
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard inLastFlight else { return }
    _ = connection.receive(unwrapInboundIn(data))
    send(part, context)
  }

  private func send(_ part: Double, _ context: ChannelHandlerContext) {
    guard var flight = connection.takeCiphertext(),
      let bytes = flight.readSlice(length: Int(Double(flight.readableBytes) * part))
    else { return }
    context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
  }
}

/// A bare TCP server that sends `reply` to whoever connects, and nothing more.
final class SilentServer: Sendable {
  let port: Int
  private let listener: any Channel
  private let clients: NIOLockedValueBox<[any Channel]>

  init(answer: @escaping @Sendable (ByteBuffer) -> ByteBuffer?) async throws {
    let clients = NIOLockedValueBox<[any Channel]>([])
    self.clients = clients
    listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        clients.withLockedValue { $0.append(channel) }
        return channel.pipeline.addHandler(Answering(answer))
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = listener.localAddress?.port ?? 0
  }

  func close() async throws {
    try await listener.close()
    for client in clients.withLockedValue({ $0 }) { try? await client.close() }
  }
}

private final class Answering: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let answer: @Sendable (ByteBuffer) -> ByteBuffer?

  init(_ answer: @escaping @Sendable (ByteBuffer) -> ByteBuffer?) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let bytes = answer(unwrapInboundIn(data)) else { return }
    context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
  }
}

/// A TCP relay, to cut a connection behind both ends' backs.
final class Relay: Sendable {
  let port: Int
  private let listener: any Channel
  private let channels: NIOLockedValueBox<[any Channel]>

  init(to target: Int) async throws {
    let channels = NIOLockedValueBox<[any Channel]>([])
    self.channels = channels
    listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { near in
        ClientBootstrap(group: near.eventLoop)
          .channelInitializer { $0.pipeline.addHandler(Passing(to: near)) }
          .connect(host: "127.0.0.1", port: target)
          .flatMap { far in
            channels.withLockedValue { $0 += [near, far] }
            return near.pipeline.addHandler(Passing(to: far))
          }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = listener.localAddress?.port ?? 0
  }

  func cut() async throws {
    try await listener.close()
    for channel in channels.withLockedValue({ $0 }) { try? await channel.close() }
  }
}

private final class Passing: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  private let target: any Channel

  init(to target: any Channel) { self.target = target }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    target.writeAndFlush(unwrapInboundIn(data), promise: nil)
  }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
