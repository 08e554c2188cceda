// One WebSocket connection to a router: the upgrade, then binary messages as bytes in and out.
// Message boundaries carry no meaning, so fragments are taken as they come. Knows nothing of streams.

import FoundationEssentials
import Glibc
import NIOCore
import NIOHTTP1
import NIOWebSocket
import TLS
import Transport
import Wire

/// What a connection's bytes go to.
protocol ClientConnectionDelegate: AnyObject {
  func connection(_ connection: ClientConnection, didReceive bytes: ByteBuffer)
  /// A batch of reads is over.
  func connection(_ connection: ClientConnection, didEnd reason: String)
}

/// The end of the channel's pipeline. Confined to its loop.
final class ClientConnection: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  static let path = "/v1/connect"
  static let subprotocol = "fairlead.v1"

  private weak var delegate: (any ClientConnectionDelegate)?
  private var context: ChannelHandlerContext?
  private var isInMessage = false
  private var hasEnded = false
  private var closeReason: String?
  /// The server closed with 4401, and wants another token, or with 4403, and does not want this client back.
  private(set) var isUnauthorized = false

  init(delegate: any ClientConnectionDelegate) { self.delegate = delegate }

  private enum Answer: Sendable {
    case upgraded(NIOLoopBound<ClientConnection>)
    /// With what the server says.
    case refused(EventLoopFuture<Refusal>)
  }

  fileprivate struct Refusal: Sendable {
    var words: String
    var code: ClientErrorCode
  }

  /// Connects and upgrades; the future fails with the reason why not.
  static func connect(
    to endpoint: Endpoint, tls: TLSContext?, delegate: any ClientConnectionDelegate,
    on eventLoop: any EventLoop
  ) -> EventLoopFuture<NIOLoopBound<ClientConnection>> {
    let connection = NIOLoopBound(ClientConnection(delegate: delegate), eventLoop: eventLoop)
    let layer: SocketLayer
    do {
      layer =
        endpoint.isEncrypted
        ? .interactive(try tls ?? TLSContext(.client(protocols: ["http/1.1"]))) : .plain
    } catch {
      return eventLoop.makeFailedFuture(error)
    }
    let connector = Connector(.tcp(host: endpoint.host, port: endpoint.port), layer)
    return connector.connect(on: eventLoop, within: ClientLimits.connectTimeout) { channel in
      let answer = try upgrade(channel, endpoint: endpoint, connection: connection)
      // A network that went silent after TCP had connected would be waited for for ever.
      let deadline = channel.eventLoop.scheduleTask(in: ClientLimits.connectTimeout) {
        channel.close(promise: nil)
      }
      // It bounds a refusal's words, too, which may stop amid them.
      answer.whenComplete { result in
        guard case .success(.refused(let told)) = result else { return deadline.cancel() }
        told.whenComplete { _ in deadline.cancel() }
      }
      return answer
    }.flatMap { $0 }.flatMap { answer in
      switch answer {
      case .upgraded(let connection): eventLoop.makeSucceededFuture(connection)
      case .refused(let told):
        told.flatMapThrowing { refusal in
          throw ClientError(refusal.code, "the server answered \(refusal.words)")
        }
      }
    }
  }

  private static func upgrade(
    _ channel: any Channel, endpoint: Endpoint, connection: NIOLoopBound<ClientConnection>
  ) throws -> EventLoopFuture<Answer> {
    let upgrader = NIOTypedWebSocketClientUpgrader<Answer>(
      maxFrameSize: ClientLimits.largestMessage, enableAutomaticErrorHandling: false,
      upgradePipelineHandler: { channel, head in
        channel.eventLoop.makeCompletedFuture {
          guard head.headers["sec-websocket-protocol"] == [subprotocol] else {
            throw ClientError(.notConnected, "the server does not speak \(subprotocol)")
          }
          try channel.pipeline.syncOperations.addHandler(connection.value)
          return .upgraded(connection)
        }
      })
    var headers = HTTPHeaders()
    headers.add(name: "Host", value: endpoint.authority)
    headers.add(name: "Content-Length", value: "0")
    headers.add(name: "Sec-WebSocket-Protocol", value: subprotocol)
    let request = HTTPRequestHead(
      version: .http1_1, method: .GET, uri: endpoint.path + path, headers: headers)
    var configuration = NIOUpgradableHTTPClientPipelineConfiguration(
      upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
        upgradeRequestHead: request, upgraders: [upgrader],
        notUpgradingCompletionHandler: { channel in
          channel.eventLoop.makeCompletedFuture {
            let told = channel.eventLoop.makePromise(of: Refusal.self)
            try channel.pipeline.syncOperations.addHandler(RefusalReader(told))
            return .refused(told.futureResult)
          }
        }))
    configuration.leftOverBytesStrategy = .forwardBytes
    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
      configuration: configuration)
  }

  // MARK: Out

  var isOpen: Bool { context != nil && !hasEnded }

  func write(_ bytes: ByteBuffer) { write(.binary, bytes) }

  private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
    guard let context, !hasEnded else { return }
    let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
  }

  /// Says goodbye and closes. Its delegate hears nothing of it any more.
  func close(code: UInt16, reason: String) {
    delegate = nil
    guard let context else { return }
    var data = ByteBuffer()
    data.writeInteger(code)
    data.writeString(reason.clipped(to: ClientLimits.closeReason))
    write(.connectionClose, data)
    hasEnded = true
    context.close(promise: nil)
  }

  /// Ends TCP without a goodbye.
  func cut() {
    guard let context else { return }
    // A reset, and what was not sent yet is lost.
    let linger = linger(l_onoff: 1, l_linger: 0)
    (context.channel as? any SocketOptionProvider)?.setSoLinger(linger).whenFailure { _ in }
    context.close(promise: nil)
  }

  // MARK: In

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) { ended("the connection was closed") }

  func channelInactive(context: ChannelHandlerContext) { ended("the connection was closed") }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    switch frame.opcode {
    case .binary where !isInMessage, .continuation where isInMessage:
      isInMessage = !frame.fin
      delegate?.connection(self, didReceive: frame.data)
    case .ping: write(.pong, frame.data)
    case .pong: break
    case .connectionClose:
      var data = frame.data
      let code = data.readInteger(as: UInt16.self)
      isUnauthorized = code == CloseCode.unauthorized || code == CloseCode.forbidden
      let text = data.readString(length: data.readableBytes) ?? ""
      write(.connectionClose, frame.data)
      closeReason = text.isEmpty ? "the server closed it (\(code ?? 1005))" : text
      context.close(promise: nil)
    default:
      closeReason = "the server sent what is not \(Self.subprotocol)"
      context.close(promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    closeReason = cause(of: error)
    context.close(promise: nil)
  }

  private func ended(_ reason: String) {
    context = nil
    guard !hasEnded else { return }
    hasEnded = true
    delegate?.connection(self, didEnd: closeReason ?? reason)
  }
}

/// Reads why there was no upgrade: the status, and the message of a Fairlead router.
private final class RefusalReader: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart

  private struct Answer: Decodable {
    struct Problem: Decodable {
      var code: String?
      var message: String
    }
    var error: Problem
  }

  private let promise: EventLoopPromise<ClientConnection.Refusal>
  private var status: HTTPResponseStatus?
  private var body = ByteBuffer()

  init(_ promise: EventLoopPromise<ClientConnection.Refusal>) { self.promise = promise }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): status = head.status
    case .body(let bytes):
      body.writeImmutableBuffer(bytes)
      guard body.readableBytes > ClientLimits.explanation else { return }
      body.clear()
      finish(context)
    case .end: finish(context)
    }
  }

  private func finish(_ context: ChannelHandlerContext) {
    report()
    context.close(promise: nil)
  }

  private func report() {
    guard let status else {
      return promise.fail(ClientError(.notConnected, "the connection was closed"))
    }
    let answer = try? JSONDecoder().decode(Answer.self, from: Data(body.readableBytesView))
    let words = answer.map { ": \($0.error.message)" } ?? ""
    promise.succeed(
      ClientConnection.Refusal(
        words: "\(status.code) \(status.reasonPhrase)\(words)",
        code: answer?.error.code == "tls_required" ? .tlsRequired : .notConnected))
  }

  func handlerRemoved(context: ChannelHandlerContext) { report() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if status != nil { report() } else { promise.fail(error) }
    context.close(promise: nil)
  }
}
