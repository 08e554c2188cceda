// The door of `fairlead.v1`: the end of a client's channel pipeline, between WebSocket frames (RFC 6455) and the
// protocol's own in them. Boundaries of WebSocket messages carry no meaning, so fragments are taken as they come.

import Auth
import NIOCore
import NIOWebSocket
import Wire

final class FairleadDoor: ChannelDuplexHandler, Door {
  typealias InboundIn = WebSocketFrame
  typealias OutboundIn = Never
  typealias OutboundOut = WebSocketFrame

  private let loop: RouterLoop
  private let from: String
  private let identity: Result<Principal?, AuthError>
  private var client: ConnectedClient?
  private var context: ChannelHandlerContext?
  private var decoder = FrameDecoder()
  /// The last WebSocket frame's bytes, without their mask.
  private var unmasked = ByteBuffer()
  private var out = ByteBuffer()
  private var isInMessage = false
  private var isHandling = false
  private var isClosing = false
  private var isReadWanted = false
  private var lastHeard = NIODeadline.uptimeNanoseconds(0)
  private var pings: RepeatedTask?

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
    client = ConnectedClient(loop: loop, from: from, identity: identity, door: self)
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
    closeClient()
    context = nil
  }

  private func closeClient() {
    client?.doorDidClose()
    client = nil
  }

  private func keepAlive() {
    guard let context else { return }
    if context.eventLoop.now - lastHeard > RouterLimits.silence {
      context.close(promise: nil)
    } else {
      write(.ping, ByteBuffer())
    }
  }

  // MARK: In

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lastHeard = context.eventLoop.now
    guard !isClosing else { return }
    let frame = unwrapInboundIn(data)
    guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
      return close(code: .protocolError, reason: "a frame without mask, or with a reserved bit")
    }
    switch frame.opcode {
    case .binary where !isInMessage, .continuation where isInMessage:
      isInMessage = !frame.fin
      handIn(frame)
    // A client that does not read its PONGs gets no more of them (RFC 6455 §5.5.3 lets us skip).
    case .ping: if isWritable { write(.pong, frame.unmaskedData) }
    case .pong: break
    case .connectionClose: answerClose(frame.unmaskedData)
    case .text: close(code: .unacceptableData, reason: "fairlead.v1 travels in binary messages")
    default: close(code: .protocolError, reason: "an unexpected fragment or opcode")
    }
  }

  private func handIn(_ frame: WebSocketFrame) {
    guard let mask = frame.maskKey else { return }
    // Used again for the next one, if nothing waits in it then.
    unmasked.clear()
    unmasked.writeImmutableBuffer(frame.data)
    unmasked.webSocketUnmask(mask)
    decoder.append(unmasked)
    if unmasked.capacity > RouterLimits.keptBuffer { unmasked = ByteBuffer() }
    handFramesIn()
  }

  private func handFramesIn() {
    // A frame may lead back to here, when what it opens is refused at once.
    guard !isHandling else { return }
    isHandling = true
    defer { isHandling = false }
    do throws(WireError) {
      while let client, client.takesFrames, let (stream, frame) = try decoder.next() {
        client.receive(frame, stream: stream)
      }
    } catch {
      client?.leave(.mistake(error))
    }
    isReading = client?.takesFrames ?? true
  }

  func readingDidChange() { handFramesIn() }

  private var isReading = true {
    didSet {
      guard isReading, isReadWanted, let context else { return }
      isReadWanted = false
      context.read()
    }
  }

  func read(context: ChannelHandlerContext) {
    if isReading { context.read() } else { isReadWanted = true }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event {
      context.close(promise: nil)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let error = error as? NIOWebSocketError {
      switch error {
      case .invalidFrameLength:
        close(code: .messageTooLarge, reason: "a WebSocket frame is too long")
      default: close(code: .protocolError, reason: "not a valid WebSocket frame")
      }
    } else {
      context.close(promise: nil)
    }
  }

  // MARK: Out

  var isWritable: Bool { context?.channel.isWritable ?? false }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { client?.doorDidBecomeWritable() }
  }

  var unflushed: Int { out.readableBytes }

  func write(_ frame: Frame, stream: UInt64) { out.writeFrame(frame, stream: stream) }

  func flush(isLast: Bool) {
    let written = out.readableBytes
    write(.binary, out)
    // An idle connection keeps no more than a keystroke's worth; a busy one what it used last.
    if isLast, out.capacity > RouterLimits.keptBuffer {
      out = ByteBuffer()
    } else {
      out.clear(minimumCapacity: min(written, RouterLimits.queued))
    }
  }

  private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
    guard let context, !isClosing else { return }
    context.writeAndFlush(
      wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: data)), promise: nil)
  }

  // MARK: The end

  func close(_ parting: Parting) {
    switch parting {
    case .mistake(let error): close(code: .protocolError, reason: error.description)
    case .unauthorized(let error):
      close(code: .unknown(CloseCode.unauthorized), reason: error.description)
    case .shuttingDown:
      close(code: .unknown(CloseCode.restart), reason: "this router is shutting down")
    case .kicked:
      close(
        code: .unknown(CloseCode.forbidden),
        reason: "forbidden: an operator has ended this connection")
    }
  }

  private func close(code: WebSocketErrorCode, reason: String) {
    var data = ByteBuffer()
    data.write(webSocketErrorCode: code)
    data.writeString(reason.clipped(to: RouterLimits.closeReason))
    finish(data)
  }

  private func answerClose(_ data: ByteBuffer) {
    let code = data.getInteger(at: data.readerIndex, as: UInt16.self)
    let isUTF8 = String(validating: data.readableBytesView.dropFirst(2), as: UTF8.self) != nil
    switch code {
    case nil where data.readableBytes == 0: finish(data)
    case nil: close(code: .protocolError, reason: "a close code of one byte")
    case .some(1000...1003), .some(1007...1014), .some(3000...4999):
      if isUTF8 {
        finish(data)
      } else {
        close(code: .dataInconsistentWithMessage, reason: "a close reason not in UTF-8")
      }
    default: close(code: .protocolError, reason: "a close code that may not be sent")
    }
  }

  private func finish(_ data: ByteBuffer) {
    guard let context, !isClosing else { return }
    write(.connectionClose, data)
    isClosing = true
    closeClient()
    isReading = true
    let channel = context.channel
    // What was said before must be on its way; a peer that does not close is not waited for.
    context.eventLoop.scheduleTask(in: RouterLimits.closing) { channel.close(promise: nil) }
  }
}
