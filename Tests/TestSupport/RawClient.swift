// A client that sends any bytes it is told to: HTTP, WebSocket frames, garbage, nothing. It keeps all
// that it hears, and a test waits for what it expects.

import Foundation
import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix
public import Wire

public final class RawClient: Sendable {
  private struct State {
    var received = ByteBuffer()
    var isClosed = false
  }

  private final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    let state: NIOLockedValueBox<State>
    init(_ state: NIOLockedValueBox<State>) { self.state = state }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = unwrapInboundIn(data)
      state.withLockedValue { _ = $0.received.writeImmutableBuffer(bytes) }
    }
    func channelInactive(context: ChannelHandlerContext) {
      state.withLockedValue { $0.isClosed = true }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }
  }

  private let state: NIOLockedValueBox<State>
  private let channel: any Channel

  private init(_ state: NIOLockedValueBox<State>, _ channel: any Channel) {
    self.state = state
    self.channel = channel
  }

  /// Shows once a second that it lives, as one does that answers PINGs, until the task is cancelled.
  public func keepAlive() -> Task<Void, any Error> {
    Task {
      while !Task.isCancelled {
        send(WebSocketMessage.bytes(WebSocketMessage.pong))
        try await Task.sleep(for: .seconds(1))
      }
    }
  }

  /// - Parameter isReading: false: the client never reads, and its receive buffer is small.
  public static func connect(port: Int, isReading: Bool = true) async throws -> RawClient {
    let state = NIOLockedValueBox(State())
    var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Recorder(state))
        }
      }
    if !isReading {
      bootstrap =
        bootstrap
        .channelOption(.autoRead, value: false)
        .channelOption(.socketOption(.so_rcvbuf), value: 4_096)
    }
    let channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
    return RawClient(state, channel)
  }

  /// Connects and upgrades, and says HELLO.
  public static func greet(port: Int, client: ClientID = .random(), isReading: Bool = true)
    async throws -> RawClient
  {
    let raw = try await connect(port: port, isReading: isReading)
    raw.send(upgradeRequest)
    if isReading { try await eventually("the upgrade") { raw.headers?.contains(" 101 ") == true } }
    raw.send(.hello(Hello(client: client)), stream: 0)
    return raw
  }

  public static let upgradeRequest = """
    GET /v1/connect HTTP/1.1\r
    Host: localhost\r
    Connection: Upgrade\r
    Upgrade: websocket\r
    Sec-WebSocket-Version: 13\r
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
    Sec-WebSocket-Protocol: fairlead.v1\r
    \r\n
    """

  deinit { channel.close(promise: nil) }

  public func close() { channel.close(promise: nil) }
  public func send(_ bytes: [UInt8]) {
    channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
  }
  public func send(_ text: String) { send(Array(text.utf8)) }

  /// Sends and waits until the kernel has taken it all.
  public func sendAndWait(_ bytes: [UInt8]) async throws {
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
  }

  public func send(_ frame: Frame, stream: UInt64) {
    send(WebSocketMessage.bytes(WebSocketMessage.binary, frame.bytes(stream: stream)))
  }

  public var isClosed: Bool { state.withLockedValue { $0.isClosed } }

  public var received: ByteBuffer { state.withLockedValue { $0.received } }

  /// The answer to the HTTP request, once it is whole.
  public var headers: String? {
    let text = String(buffer: received)
    guard let end = text.range(of: "\r\n\r\n") else { return nil }
    return String(text[..<end.lowerBound])
  }

  /// WebSocket frames received after the upgrade.
  public var messages: [WebSocketMessage] {
    var bytes = received
    let view = bytes.readableBytesView
    let end = Array("\r\n\r\n".utf8)
    guard
      let index = view.indices.first(where: { view[$0...].prefix(4).elementsEqual(end) })
    else { return [] }
    bytes.moveReaderIndex(to: index + 4)
    return WebSocketMessage.parse(bytes)
  }

  public func frames(stream: UInt64) throws -> [Frame] {
    try WebSocketMessage.frames(messages).filter { $0.stream == stream }.map(\.frame)
  }

  public var closing: (code: UInt16, reason: String)? { messages.last?.closing }

  /// Waits for a frame on `stream` that `matches`.
  @discardableResult
  public func frame(
    _ what: String, stream: UInt64, _ matches: @escaping (Frame) -> Bool
  ) async throws -> Frame {
    var found: Frame?
    try await eventually("\(what) on stream \(stream)") {
      found = try frames(stream: stream).first(where: matches)
      return found != nil || isClosed
    }
    guard let found else {
      throw ChildError("closed before \(what): \(String(describing: closing))")
    }
    return found
  }

  /// All bytes of OUTPUT so far.
  public func output(stream: UInt64) throws -> String {
    var bytes = ByteBuffer()
    for case .output(_, var piece) in try frames(stream: stream) { bytes.writeBuffer(&piece) }
    return String(buffer: bytes)
  }
}
