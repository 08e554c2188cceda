// TLS in a channel's pipeline: next to the socket, ciphertext on that side and plaintext on the other.
// `TLSConnection` decides; this handler carries out, and keeps what belongs to time and to channels: the
// deadline of the handshake, what is written before its end, who asked to read, and the order of closing.

public import Logging
public import NIOCore
import NIOTLS
public import Wire

/// Fires `TLSUserEvent.handshakeCompleted` once plaintext can flow. Whatever goes wrong is fired as a
/// ``TLSError``, and then the channel is closed.
public final class TLSHandler: ChannelDuplexHandler {
  public typealias InboundIn = ByteBuffer
  public typealias InboundOut = ByteBuffer
  public typealias OutboundIn = ByteBuffer
  public typealias OutboundOut = ByteBuffer

  private enum Phase { case waiting, handshaking, open, closing, closed }

  public let connection: TLSConnection
  private let handshakeDeadline: TimeAmount
  private let answerInClear: ByteBuffer?
  private let logger: Logger?
  private var phase = Phase.waiting
  private var context: ChannelHandlerContext?
  private var deadline: Scheduled<Void>?
  /// Written before the handshake was over.
  private var early: [(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)] = []
  private var earlyBytes = 0
  private var isFlushDue = false
  /// Of what was written since the last flush.
  private var promises: [EventLoopPromise<Void>] = []
  private var hasUnflushed = false
  private var unreadAnswers = 0
  /// Someone asked to read, and has got nothing yet.
  private var isReadWanted = false
  private var hasDelivered = false
  /// Decrypted, and nobody asked for it yet.
  private var undelivered: ByteBuffer?
  private var hasInputEnded = false
  private var hasOutputEnded = false
  private var closePromises: [EventLoopPromise<Void>] = []

  /// - Parameters:
  ///   - context: its role says whether this end is the server.
  ///   - serverNames: as for ``TLSConnection/init(_:serverNames:)``.
  ///   - answerInClear: a server sends this to a client that speaks neither TLS nor HTTP.
  ///   - logger: is told what goes wrong, besides the handlers that follow.
  public init(
    _ context: TLSContext, serverNames: [String] = [],
    handshakeDeadline: TimeAmount = TLSLimits.handshake, answerInClear: ByteBuffer? = nil,
    logger: Logger? = nil
  ) throws(TLSError) {
    connection = try TLSConnection(context, serverNames: serverNames)
    self.answerInClear = answerInClear
    self.handshakeDeadline = handshakeDeadline
    self.logger = logger
  }

  // MARK: Beginning

  public func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { start(context) }
  }

  public func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    deadline?.cancel()
    abandon(ChannelError.ioOnClosedChannel)
  }

  public func channelActive(context: ChannelHandlerContext) {
    start(context)
    context.fireChannelActive()
  }

  private func start(_ context: ChannelHandlerContext) {
    guard phase == .waiting else { return }
    phase = .handshaking
    let seconds = Double(handshakeDeadline.nanoseconds) / 1e9
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: handshakeDeadline) {
      self.fail(TLSError(.timeout, "the TLS handshake was not over within \(seconds) s"))
    }
    let progress = connection.start()
    send(context)
    flushCiphertext(context)
    if let failure = progress.failure { return fail(failure) }
    // A handshake reads even where reading is not automatic.
    context.read()
  }

  private func opened(_ context: ChannelHandlerContext) {
    guard phase == .handshaking else { return }
    phase = .open
    deadline?.cancel()
    let early = early
    self.early = []
    earlyBytes = 0
    for (bytes, promise) in early { encrypt(bytes, promise, context) }
    if isFlushDue { flush(context: context) }
    context.fireUserInboundEventTriggered(
      TLSUserEvent.handshakeCompleted(negotiatedProtocol: connection.negotiatedProtocol))
  }

  // MARK: In

  public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard phase == .handshaking || phase == .open else { return }
    let progress = connection.receive(unwrapInboundIn(data))
    let answered = connection.ciphertextBytes
    send(context)
    if progress.finishedHandshake { opened(context) }
    if let plaintext = progress.plaintext { deliver(plaintext, context) }
    if let failure = progress.failure { return fail(failure) }
    if progress.peerClosed { return peerClosed(context) }
    guard phase == .open, answered > 0, !context.channel.isWritable else { return }
    unreadAnswers += answered
    if unreadAnswers > TLSLimits.answers {
      fail(TLSError(.limit, "the peer asks for answers and does not read them"))
    }
  }

  private func deliver(_ plaintext: ByteBuffer, _ context: ChannelHandlerContext) {
    guard isReadWanted, undelivered == nil else {
      undelivered.setOrWriteImmutableBuffer(plaintext)
      return
    }
    hasDelivered = true
    context.fireChannelRead(wrapInboundOut(plaintext))
  }

  private func deliverAll(_ context: ChannelHandlerContext) {
    guard let plaintext = undelivered else { return }
    undelivered = nil
    context.fireChannelRead(wrapInboundOut(plaintext))
    context.fireChannelReadComplete()
  }

  public func channelReadComplete(context: ChannelHandlerContext) {
    flushCiphertext(context)
    if hasDelivered {
      hasDelivered = false
      isReadWanted = false
      context.fireChannelReadComplete()
    } else if phase == .handshaking || (phase == .open && isReadWanted && !hasInputEnded) {
      // What came was not for the reader, who still waits.
      context.read()
    }
  }

  public func read(context: ChannelHandlerContext) {
    isReadWanted = true
    guard phase != .closing else { return context.read() }
    if undelivered != nil {
      isReadWanted = false
      deliverAll(context)
      // Where reading is automatic, this call was the only one.
      let isAutomatic = try? context.channel.syncOptions?.getOption(.autoRead)
      guard isAutomatic == true, phase == .open else { return }
      isReadWanted = true
    }
    context.read()
  }

  /// An orderly end of the peer's data.
  private func peerClosed(_ context: ChannelHandlerContext) {
    guard !hasInputEnded else { return }
    hasInputEnded = true
    deliverAll(context)
    let staysOpen = try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)
    if staysOpen == true {
      context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    } else {
      close(context: context, mode: .all, promise: nil)
    }
  }

  /// The socket's end, without one of the peer's data before it.
  private func inputCut() -> TLSError? {
    switch phase {
    case .handshaking:
      TLSError(.handshake, "the peer closed the connection during the TLS handshake")
    case .open where !hasInputEnded:
      TLSError(.truncated, "the connection was cut: it ended without the peer's close_notify")
    default: nil
    }
  }

  public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case ChannelEvent.inputClosed = event else {
      return context.fireUserInboundEventTriggered(event)
    }
    deliverAll(context)
    // After close_notify the event has been fired already.
    if let error = inputCut() { fail(error) }
  }

  public func channelInactive(context: ChannelHandlerContext) {
    deliverAll(context)
    let error = inputCut()
    deadline?.cancel()
    phase = .closed
    abandon(error ?? ChannelError.eof)
    for promise in takeClosePromises() { promise.succeed() }
    if let error { report(error, context) }
    context.fireChannelInactive()
  }

  public func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The socket's own error says more than that the data was cut.
    hasInputEnded = true
    context.fireErrorCaught(error)
  }

  // MARK: Out

  public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?)
  {
    let bytes = unwrapOutboundIn(data)
    switch phase {
    case .open: encrypt(bytes, promise, context)
    case .waiting, .handshaking:
      early.append((bytes, promise))
      earlyBytes += bytes.readableBytes
      if earlyBytes > TLSLimits.early {
        fail(
          TLSError(
            .limit, "more than \(TLSLimits.early / 1024) KiB written before the handshake's end"))
      }
    case .closing, .closed: promise?.fail(ChannelError.ioOnClosedChannel)
    }
  }

  private func encrypt(
    _ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext
  ) {
    guard phase == .open, !hasOutputEnded else {
      promise?.fail(phase == .open ? ChannelError.outputClosed : ChannelError.ioOnClosedChannel)
      return
    }
    if let promise { promises.append(promise) }
    do {
      try connection.write(bytes)
    } catch {
      return fail(error)
    }
    // So that the channel counts it, and says when it is no longer writable.
    if connection.ciphertextBytes >= TLSLimits.chunk { send(context) }
  }

  public func flush(context: ChannelHandlerContext) {
    guard phase == .open else {
      isFlushDue = phase == .waiting || phase == .handshaking
      return
    }
    do {
      try connection.flush()
    } catch {
      return fail(error)
    }
    send(context, takePromise(context))
    flushCiphertext(context)
  }

  /// One promise for all writes since the last flush.
  private func takePromise(_ context: ChannelHandlerContext) -> EventLoopPromise<Void>? {
    guard let first = promises.first else { return nil }
    let rest = promises.dropFirst()
    promises = []
    for promise in rest { first.futureResult.cascade(to: promise) }
    return first
  }

  /// Hands on what there is to send. The promise is kept even if that is nothing.
  private func send(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>? = nil) {
    let bytes = connection.takeCiphertext()
    guard bytes != nil || promise != nil else { return }
    hasUnflushed = true
    context.write(wrapOutboundOut(bytes ?? ByteBuffer()), promise: promise)
  }

  private func flushCiphertext(_ context: ChannelHandlerContext) {
    guard hasUnflushed else { return }
    hasUnflushed = false
    context.flush()
  }

  public func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { unreadAnswers = 0 }
    context.fireChannelWritabilityChanged()
  }

  // MARK: Ending

  public func close(
    context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?
  ) {
    switch (mode, phase) {
    case (.output, .open):
      sayClose(context).whenComplete { _ in self.context?.close(mode: .output, promise: promise) }
    case (.all, .open):
      phase = .closing
      if let promise { closePromises.append(promise) }
      deadline = context.eventLoop.assumeIsolated().scheduleTask(in: TLSLimits.close) {
        self.closeNow()
      }
      sayClose(context).whenComplete { _ in self.closeNow() }
    case (.all, .closing):
      if let promise { closePromises.append(promise) }
    case (.all, .waiting), (.all, .handshaking):
      phase = .closed
      deadline?.cancel()
      abandon(ChannelError.ioOnClosedChannel)
      context.close(mode: .all, promise: promise)
    default: context.close(mode: mode, promise: promise)
    }
  }

  /// Sends close_notify; what it returns is completed when all before it has gone to the socket.
  private func sayClose(_ context: ChannelHandlerContext) -> EventLoopFuture<Void>.Isolated {
    // As on a bare channel, what was not flushed is not sent.
    for promise in promises { promise.fail(ChannelError.ioOnClosedChannel) }
    promises = []
    hasOutputEnded = true
    connection.close()
    let sent = context.eventLoop.makePromise(of: Void.self)
    send(context, sent)
    flushCiphertext(context)
    return sent.futureResult.assumeIsolated()
  }

  private func closeNow() {
    guard phase == .closing, let context else { return }
    phase = .closed
    deadline?.cancel()
    let waiting = takeClosePromises()
    let closed = context.eventLoop.makePromise(of: Void.self)
    for promise in waiting { closed.futureResult.cascade(to: promise) }
    context.close(mode: .all, promise: closed)
  }

  private func takeClosePromises() -> [EventLoopPromise<Void>] {
    defer { closePromises = [] }
    return closePromises
  }

  /// Sends the alert that OpenSSL may have written, says why, and closes.
  private func fail(_ error: TLSError) {
    guard let context, phase != .closed, phase != .closing else { return }
    phase = .closed
    deadline?.cancel()
    send(context)
    // Said in its own language: it could read nothing else, and OpenSSL writes no alert.
    let answer =
      switch error.code {
      case .plainHTTP: ByteBuffer(string: Self.answerToPlainHTTP)
      case .notTLS: answerInClear
      default: nil as ByteBuffer?
      }
    if let answer { context.writeAndFlush(wrapOutboundOut(answer), promise: nil) }
    flushCiphertext(context)
    deliverAll(context)
    abandon(error)
    report(error, context)
    context.close(mode: .all, promise: nil)
  }

  private static let answerToPlainHTTP = {
    let body =
      #"{"error":{"code":"tls_required","message":"this port speaks TLS: use https:// or wss://"}}"#
      + "\n"
    return "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
      + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
  }()

  private func report(_ error: TLSError, _ context: ChannelHandlerContext) {
    logger?.log(
      // Browsers cut connections all day long.
      level: error.code == .truncated ? .debug : .info, "a TLS connection failed",
      metadata: [
        "error": "\(error)", "peer": "\(context.remoteAddress.map { "\($0)" } ?? "unknown")",
      ])
    context.fireErrorCaught(error)
  }

  private func abandon(_ error: any Error) {
    let abandoned = promises + early.compactMap(\.promise)
    promises = []
    early = []
    earlyBytes = 0
    for promise in abandoned { promise.fail(error) }
  }
}
