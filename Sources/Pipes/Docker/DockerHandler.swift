// The handler of an exec's connection after the switch of protocols: the terminal's bytes, read on
// demand. What arrives while nobody may have it is withheld: at first, since an engine tells in the
// stream why a command did not start.

import NIOCore

/// Confined to its event loop.
final class DockerHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private weak var pipe: DockerPipe?
  private let eventLoop: any EventLoop
  private var context: ChannelHandlerContext?
  private var withheld = ByteBuffer()
  private var isStarting = true
  private var isReadPending = false
  private var isDelivering = false
  private let closing: EventLoopPromise<Void>

  /// Completes when the connection has ended; what came before may still be withheld.
  var closed: EventLoopFuture<Void> { closing.futureResult }
  private var isClosed = false

  var isReading = false {
    didSet { if isReading, !oldValue { deliverSoon() } }
  }

  init(eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
    closing = eventLoop.makePromise()
  }

  /// What the stream said before anything was attached.
  var withheldText: String { String(buffer: withheld) }

  func attach(_ pipe: DockerPipe) {
    self.pipe = pipe
    isStarting = false
  }

  /// Ends the stream from this side: the start has failed, or nothing more is waited for.
  func giveUp() { if let context { context.close(promise: nil) } else { didClose() } }

  // MARK: Reading

  private var isHolding: Bool { isStarting || !isReading || isDelivering }

  /// Never from within the setter: who sets it may be in the middle of something.
  private func deliverSoon() {
    guard !isStarting, !isDelivering else { return }
    guard withheld.readableBytes > 0 || isClosed else { return readIfWanted() }
    isDelivering = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute { bound.value.deliver() }
  }

  private func deliver() {
    isDelivering = false
    guard isReading else { return }
    if withheld.readableBytes > 0 {
      let bytes = withheld
      withheld = ByteBuffer()
      pipe?.didRead(bytes)
    }
    if isClosed { pipe?.streamDidClose() } else { readIfWanted() }
  }

  private func readIfWanted() {
    // Before the start is known to have succeeded only one turn's worth is read, which is more than any
    // message of a container runtime.
    let mayRead = isStarting ? withheld.readableBytes < PipeReading.most : isReading
    guard mayRead, !isReadPending, let context else { return }
    isReadPending = true
    context.read()
  }

  // MARK: The channel

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    do { try PipeReading.limit(context.channel) } catch { context.close(promise: nil) }
    // The decoder before this handler is not gone yet.
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute { bound.value.readIfWanted() }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    didClose()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    guard isHolding else {
      pipe?.didRead(bytes)
      return
    }
    withheld.writeImmutableBuffer(bytes)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReadPending = false
    readIfWanted()
  }

  func channelInactive(context: ChannelHandlerContext) { didClose() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func didClose() {
    guard !isClosed else { return }
    isClosed = true
    closing.succeed()
    if isReading { deliverSoon() }
  }
}
