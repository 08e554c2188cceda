// The end of a client's channel pipeline: WebSocket frames (RFC 6455) to and from a
// `ClientConnection`. Message boundaries carry no meaning, so fragments are taken as they come.

import Auth
import FoundationEssentials
import NIOCore
import NIOWebSocket
import Wire

final class WebSocketHandler: ChannelDuplexHandler, ClientTransport {
  typealias InboundIn = WebSocketFrame
  typealias OutboundIn = Never
  typealias OutboundOut = WebSocketFrame

  private let loop: RouterLoop
  private var connection: ClientConnection?
  private var context: ChannelHandlerContext?
  private var isInMessage = false
  private var isClosing = false
  private var isReadWanted = false
  private var lastHeard = NIODeadline.uptimeNanoseconds(0)
  private var pings: RepeatedTask?

  private let from: String
  private let identity: Result<Principal?, AuthError>

  init(
    loop: RouterLoop, from: String = "local",
    identity: Result<Principal?, AuthError> = .success(nil)
  ) {
    self.loop = loop
    self.from = from
    self.identity = identity
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    lastHeard = context.eventLoop.now
    connection = ClientConnection(loop: loop, from: from, identity: identity, transport: self)
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    pings = context.eventLoop.scheduleRepeatedTask(
      initialDelay: RouterLimits.pingInterval, delay: RouterLimits.pingInterval
    ) { _ in bound.value.keepAlive() }
  }

  func handlerRemoved(context: ChannelHandlerContext) { ended() }

  func channelInactive(context: ChannelHandlerContext) {
    ended()
    // Behind it may be an HTTP server that answered requests of this connection before.
    context.fireChannelInactive()
  }

  private func ended() {
    pings?.cancel()
    connection?.transportDidClose()
    connection = nil
    context = nil
  }

  private func keepAlive() {
    guard let context else { return }
    if context.eventLoop.now - lastHeard > RouterLimits.silence {
      context.close(promise: nil)
    } else {
      write(.ping, ByteBuffer())
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lastHeard = context.eventLoop.now
    guard !isClosing else { return }
    let frame = unwrapInboundIn(data)
    guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
      return close(code: 1002, reason: "a frame without mask, or with a reserved bit")
    }
    switch frame.opcode {
    case .binary where !isInMessage, .continuation where isInMessage:
      isInMessage = !frame.fin
      connection?.receive(frame.unmaskedData)
    // A client that does not read its PONGs gets no more of them (RFC 6455 §5.5.3 lets us skip).
    case .ping: if isWritable { write(.pong, frame.unmaskedData) }
    case .pong: break
    case .connectionClose: answerClose(frame.unmaskedData)
    case .text: close(code: 1003, reason: "fairlead.v1 travels in binary messages")
    default: close(code: 1002, reason: "an unexpected fragment or opcode")
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event {
      context.close(promise: nil)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { connection?.becameWritable() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let error = error as? NIOWebSocketError {
      switch error {
      case .invalidFrameLength: close(code: 1009, reason: "a WebSocket frame is too long")
      default: close(code: 1002, reason: "not a valid WebSocket frame")
      }
    } else {
      context.close(promise: nil)
    }
  }

  // MARK: ClientTransport

  var isReading = true {
    didSet {
      guard isReading, isReadWanted, let context else { return }
      isReadWanted = false
      context.read()
    }
  }

  func read(context: ChannelHandlerContext) {
    if isReading { context.read() } else { isReadWanted = true }
  }

  var isWritable: Bool { context?.channel.isWritable ?? false }

  func write(_ buffer: ByteBuffer) { write(.binary, buffer) }

  private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
    guard let context, !isClosing else { return }
    context.writeAndFlush(
      wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: data)), promise: nil)
  }

  func close(code: UInt16, reason: String) {
    var data = ByteBuffer()
    data.writeInteger(code)
    // A control frame has at most 125 bytes (RFC 6455 §5.5).
    data.writeString(reason.clipped(to: 123))
    finish(data)
  }

  private func answerClose(_ data: ByteBuffer) {
    let code = data.getInteger(at: data.readerIndex, as: UInt16.self)
    let isUTF8 = String(validating: data.readableBytesView.dropFirst(2), as: UTF8.self) != nil
    switch code {
    case nil where data.readableBytes == 0: finish(data)
    case nil: close(code: 1002, reason: "a close code of one byte")
    case .some(1000...1003), .some(1007...1014), .some(3000...4999):
      if isUTF8 { finish(data) } else { close(code: 1007, reason: "a close reason not in UTF-8") }
    default: close(code: 1002, reason: "a close code that may not be sent")
    }
  }

  private func finish(_ data: ByteBuffer) {
    guard let context, !isClosing else { return }
    write(.connectionClose, data)
    isClosing = true
    connection?.transportDidClose()
    connection = nil
    isReading = true
    let channel = context.channel
    // What was said before must be on its way; a peer that does not close is not waited for.
    context.eventLoop.scheduleTask(in: .milliseconds(200)) { channel.close(promise: nil) }
  }
}

/// Milliseconds since 1970.
func wallClockMilliseconds() -> UInt64 { UInt64(max(0, Date().timeIntervalSince1970 * 1_000)) }
