// The gate of a connection, between HTTP's codec and everything that answers. It lets through one request at a time,
// and gives each phase of it a deadline (promise P6). What cannot be a request gets one answer, and the connection
// ends. Any request of the connection, not only its first, may bring it to a door of clients.

import APIServer
import DequeModule
import NIOCore
import NIOHTTP1
import Wire

final class RequestGate: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private let keeper: GateKeeper
  private let encoder: HTTPResponseEncoder
  private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
  private var context: ChannelHandlerContext?
  private var phase = Phase.open
  /// The request that is being read or answered.
  private var exchange: Exchange?
  /// What came behind it: at most what one read brought, since no more is read while anything waits.
  private var waiting: Deque<HTTPServerRequestPart> = []
  private var isReadWanted = false
  private var hasServer = false
  /// Whether the present request is the last one.
  private var isLast = false
  /// The number of answers of which a part has yet to go to the socket.
  private var unflushed = 0
  private var deadline: Scheduled<Void>?

  private enum Phase {
    case open
    /// The last answer has been given; what still comes is not looked at.
    case closing
    /// The connection has another protocol.
    case upgraded
  }

  private struct Exchange {
    let isHEAD: Bool
    let version: HTTPVersion
    var bodyBytes = 0
    var hasBodyEnded = false
    var hasAnswerBegun = false
    /// Its answer ends the connection.
    var isLast: Bool
    /// Set if it makes another protocol's connection of this one.
    var upgrade: (head: HTTPRequestHead, to: Upgrade)?
  }

  private enum Wait { case head, body, answer, idle, lingering }

  /// Told the reader of a body that breaks off. No ``Failure``: nobody is told of it, since the gate has answered.
  struct BrokenOff: Error {}

  init(
    _ keeper: GateKeeper, encoder: HTTPResponseEncoder,
    decoder: ByteToMessageHandler<HTTPRequestDecoder>
  ) {
    self.keeper = keeper
    self.encoder = encoder
    self.decoder = decoder
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    wait(for: .head, RouterLimits.helloDeadline)
  }

  func handlerRemoved(context: ChannelHandlerContext) { leave() }

  func channelInactive(context: ChannelHandlerContext) {
    context.fireChannelInactive()
    leave()
  }

  private func leave() {
    deadline?.cancel()
    guard context != nil else { return }
    context = nil
    keeper.didLeaveHTTP(phase == .upgraded)
  }

  // MARK: In

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard phase == .open else {
      // Nothing of HTTP may follow the request for another protocol.
      if phase == .upgraded { context.close(promise: nil) }
      return
    }
    waiting.append(unwrapInboundIn(data))
    takeWaiting()
  }

  private func takeWaiting() {
    while phase == .open, let context, let part = waiting.first {
      if case .head = part, exchange != nil { return }
      waiting.removeFirst()
      do throws(RequestProblem) {
        switch part {
        case .head(let head): try begin(head, context)
        case .body(let bytes): try takeBody(bytes, context)
        case .end(let trailers): endRequest(trailers, context)
        }
      } catch {
        refuse(error)
      }
    }
  }

  private func begin(
    _ given: HTTPRequestHead, _ context: ChannelHandlerContext
  ) throws(RequestProblem) {
    var head = given
    exchange = Exchange(
      isHEAD: head.method == .HEAD, version: head.version,
      // After such a request the decoder reads no further one.
      isLast: !head.isKeepAlive || head.headers.contains(name: "upgrade")
        || head.method == .CONNECT)
    try keeper.rules.apply(to: &head)
    if head.hasBody { wait(for: .body, RouterLimits.bodyDeadline) }
    if let upgrade = keeper.upgrade(head) {
      exchange?.upgrade = (head, upgrade)
      return
    }
    if !hasServer {
      hasServer = true
      do { try keeper.serve() } catch { return context.close(promise: nil) }
    }
    if head.hasBody, head.headers.contains(name: "expect"), head.version == .http1_1,
      keeper.isKnown(head)
    {
      context.writeAndFlush(
        wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil
      )
    }
    keeper.prepare(&head)
    context.fireChannelRead(wrapInboundOut(.head(head)))
  }

  private func takeBody(
    _ bytes: ByteBuffer, _ context: ChannelHandlerContext
  ) throws(RequestProblem) {
    guard exchange?.upgrade == nil else { return }
    exchange?.bodyBytes += bytes.readableBytes
    // The rules have seen the length of every body but a chunked one.
    guard exchange?.bodyBytes ?? 0 <= WireLimits.frameBody else { throw .tooLarge }
    context.fireChannelRead(wrapInboundOut(.body(bytes)))
  }

  private func endRequest(_ trailers: HTTPHeaders?, _ context: ChannelHandlerContext) {
    if let (head, upgrade) = exchange?.upgrade { return self.upgrade(head, to: upgrade, context) }
    exchange?.hasBodyEnded = true
    wait(for: .answer, RouterLimits.answerDeadline)
    context.fireChannelRead(wrapInboundOut(.end(trailers)))
  }

  func read(context: ChannelHandlerContext) {
    if waiting.isEmpty { context.read() } else { isReadWanted = true }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case is ChannelShouldQuiesceEvent:
      isLast = true
      // A connection that lingers ends by itself.
      if exchange == nil, phase == .open { closeOnceAnswered(context) }
    case ChannelEvent.inputClosed:
      isLast = true
      if exchange == nil { closeOnceAnswered(context) }
      context.fireUserInboundEventTriggered(event)
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  /// Closes the connection, on which no request is open, once the last answer has gone out.
  private func closeOnceAnswered(_ context: ChannelHandlerContext) {
    if unflushed > 0, phase != .upgraded {
      phase = .closing
    } else {
      context.close(promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard phase == .open else { return }
    guard let error = error as? HTTPParserError else {
      context.fireErrorCaught(error)
      return context.close(promise: nil)
    }
    if exchange?.hasBodyEnded == true {
      // The request itself can be answered. What follows it cannot be read, so that it is the last.
      isLast = true
      return
    }
    refuse(
      error == .headerOverflow
        ? RequestProblem(
          status: .requestHeaderFieldsTooLarge, code: "too_large",
          message: "the request's head is too large")
        : .malformed("this is not a request of HTTP/1.1"))
  }

  // MARK: Out

  func write(
    context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
  ) {
    // If the gate has answered by itself, the server's answer to the same request is dropped.
    guard phase == .open, var exchange else {
      promise?.succeed()
      return
    }
    switch unwrapOutboundIn(data) {
    case .head(var head):
      exchange.hasAnswerBegun = true
      if isLast || !exchange.hasBodyEnded || keeper.isStopping()
        || head.headers[canonicalForm: "connection"].contains("close")
      {
        exchange.isLast = true
      }
      self.exchange = exchange
      head.version = exchange.version
      if exchange.isLast {
        head.headers.add(name: "Connection", value: "close")
      } else if exchange.version == .http1_0 {
        head.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
      }
      context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .body:
      if exchange.isHEAD { promise?.succeed() } else { context.write(data, promise: promise) }
    case .end(let trailers):
      self.exchange = nil
      endAnswer(trailers, exchange, context, promise)
    }
  }

  private func endAnswer(
    _ trailers: HTTPHeaders?, _ exchange: Exchange, _ context: ChannelHandlerContext,
    _ promise: EventLoopPromise<Void>?
  ) {
    let written = promise ?? context.eventLoop.makePromise()
    // It may have become the last one after its answer's head was written.
    if exchange.isLast || isLast { phase = .closing }
    // The request is answered before its body has come: the body's deadline is over, and the reader's begins.
    if !exchange.hasBodyEnded { wait(for: .answer, RouterLimits.answerDeadline) }
    unflushed += 1
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    written.futureResult.whenComplete { _ in bound.value.didAnswer() }
    // In an answer to HEAD the encoder would write the end of a body of chunks.
    let end: HTTPServerResponsePart =
      exchange.isHEAD ? .body(.byteBuffer(ByteBuffer())) : .end(trailers)
    context.write(wrapOutboundOut(end), promise: written)
    context.flush()
    resume(context)
  }

  /// Takes the next request, if it has come, or reads on.
  private func resume(_ context: ChannelHandlerContext) {
    if phase == .closing { waiting.removeAll() }
    if !waiting.isEmpty {
      takeWaiting()
      context.fireChannelReadComplete()
    }
    if waiting.isEmpty, isReadWanted {
      isReadWanted = false
      context.read()
    }
  }

  /// Notes that all of an answer has gone to the socket.
  private func didAnswer() {
    unflushed -= 1
    guard let context, unflushed == 0 else { return }
    switch phase {
    case .open: if exchange == nil { wait(for: .idle, keeper.keepAlive) }
    case .closing:
      // A socket that is closed at once, with something unread, takes its answer away from a client that has yet to
      // read it.
      context.close(mode: .output, promise: nil)
      wait(for: .lingering, RouterLimits.linger)
    case .upgraded: break
    }
  }

  /// Closes the connection, unless it lingers: then it ends by itself.
  func close(
    context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?
  ) {
    guard phase == .closing else { return context.close(mode: mode, promise: promise) }
    context.channel.closeFuture.cascade(to: promise)
  }

  // MARK: The gate's own answers

  private func refuse(_ problem: RequestProblem) {
    guard phase == .open, let context else { return }
    let refused = exchange
    exchange = nil
    phase = .closing
    waiting.removeAll()
    if refused != nil, hasServer { context.fireErrorCaught(BrokenOff()) }
    guard refused?.hasAnswerBegun != true else { return context.close(promise: nil) }
    wait(for: .lingering, RouterLimits.answerDeadline)
    let body = errorBody(problem.code, problem.message)
    var head = HTTPResponseHead(version: .http1_1, status: problem.status)
    head.headers.add(name: "Connection", value: "close")
    head.headers.add(name: "Content-Type", value: "application/json")
    head.headers.add(name: "Content-Length", value: "\(body.readableBytes)")
    if let location = problem.location { head.headers.add(name: "Location", value: location) }
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if refused?.isHEAD != true {
      context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    }
    unflushed += 1
    let written = context.eventLoop.makePromise(of: Void.self)
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    written.futureResult.whenComplete { _ in bound.value.didAnswer() }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    resume(context)
  }

  // MARK: Deadlines

  private func wait(for what: Wait, _ time: TimeAmount) {
    deadline?.cancel()
    guard let context else { return }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    deadline = context.eventLoop.scheduleTask(in: time) { bound.value.timeIsOver(for: what) }
  }

  private func timeIsOver(for what: Wait) {
    switch what {
    case .head, .idle, .lingering: context?.close(promise: nil)
    case .body:
      refuse(
        RequestProblem(
          status: .requestTimeout, code: "too_slow", message: "the request did not come in time"))
    // The answer was given, and its client does not read it.
    case .answer where exchange == nil: context?.close(promise: nil)
    case .answer:
      refuse(
        RequestProblem(
          status: .serviceUnavailable, code: "unavailable",
          message: "there was no answer in time; try again"))
    }
  }

  // MARK: Another protocol

  private func upgrade(
    _ head: HTTPRequestHead, to upgrade: Upgrade, _ context: ChannelHandlerContext
  ) {
    upgrade.answer(head, context.channel).assumeIsolated().whenComplete { result in
      guard case .success(let headers) = result else { return context.close(promise: nil) }
      do { try self.leaveHTTP(headers, to: upgrade, context) } catch { context.close(promise: nil) }
    }
  }

  /// Says 101, takes HTTP out of the pipeline and puts the other protocol in its place. What the client has sent
  /// behind its request waits in the decoder, which hands it on when it leaves.
  private func leaveHTTP(
    _ headers: HTTPHeaders, to upgrade: Upgrade, _ context: ChannelHandlerContext
  ) throws {
    guard phase == .open else { return }
    let handlers = try upgrade.handlers()
    phase = .upgraded
    exchange = nil
    let head = HTTPResponseHead(
      version: .http1_1, status: .switchingProtocols, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    let pipeline = context.pipeline.syncOperations
    let sluice = Sluice()
    pipeline.removeHandler(encoder, promise: nil)
    try pipeline.addHandlers([sluice] + handlers, position: .after(decoder))
    let bound = NIOLoopBound(sluice, eventLoop: context.eventLoop)
    let channel = context.channel
    pipeline.removeHandler(decoder).whenComplete { _ in
      channel.pipeline.syncOperations.removeHandler(bound.value, promise: nil)
    }
    pipeline.removeHandler(context: context, promise: nil)
  }
}
