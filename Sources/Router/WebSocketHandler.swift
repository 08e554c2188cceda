// The end of a client's channel pipeline: WebSocket frames (RFC 6455) to and from a
// `ClientConnection`. Message boundaries carry no meaning, so fragments are taken as they come.

import FoundationEssentials
import NIOCore
import NIOWebSocket
import Wire

final class WebSocketHandler: ChannelInboundHandler, ClientTransport {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  private let loop: RouterLoop
  private var connection: ClientConnection?
  private var context: ChannelHandlerContext?
  private var isInMessage = false
  private var isClosing = false
  private var lastHeard = NIODeadline.now()
  private var pings: RepeatedTask?

  init(loop: RouterLoop) { self.loop = loop }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    let from = context.channel.remoteAddress?.ipAddress ?? "local"
    connection = ClientConnection(loop: loop, from: from, transport: self)
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    pings = context.eventLoop.scheduleRepeatedTask(
      initialDelay: RouterLimits.pingInterval, delay: RouterLimits.pingInterval
    ) { _ in bound.value.keepAlive() }
  }

  func handlerRemoved(context: ChannelHandlerContext) { ended() }

  func channelInactive(context: ChannelHandlerContext) { ended() }

  private func ended() {
    pings?.cancel()
    connection?.transportDidClose()
    connection = nil
    context = nil
  }

  private func keepAlive() {
    guard let context else { return }
    if NIODeadline.now() - lastHeard > RouterLimits.silence {
      context.close(promise: nil)
    } else {
      write(.ping, ByteBuffer())
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lastHeard = .now()
    let frame = unwrapInboundIn(data)
    switch frame.opcode {
    case .binary where !isInMessage, .continuation where isInMessage:
      isInMessage = !frame.fin
      connection?.receive(frame.unmaskedData)
    case .ping: write(.pong, frame.unmaskedData)
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
    data.writeString(reason)
    finish(data)
  }

  private func answerClose(_ data: ByteBuffer) {
    connection?.transportDidClose()
    connection = nil
    finish(data)
  }

  private func finish(_ data: ByteBuffer) {
    guard let context, !isClosing else { return }
    write(.connectionClose, data)
    isClosing = true
    let channel = context.channel
    // What was said before must be on its way; a peer that does not close is not waited for.
    context.eventLoop.scheduleTask(in: .milliseconds(200)) { channel.close(promise: nil) }
  }
}

/// Milliseconds since 1970.
func wallClockMilliseconds() -> UInt64 { UInt64(max(0, Date().timeIntervalSince1970 * 1_000)) }
