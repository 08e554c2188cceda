// The beginning of the pipeline of a client that asks for another protocol. It looks at the answer's
// head before anything else does: behind a 101 come the new protocol's bytes, and perhaps at once the
// end of the stream too, and NIO's decoder, which leaves a pipeline only in the next tick, would take
// what it still holds for garbage.

import NIOCore
import NIOHTTP1
import Wire

final class HTTPUpgradeGate: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let promise: EventLoopPromise<HTTPUpgrade>
  private let successor: any ChannelHandler
  /// The handlers of HTTP, behind this one.
  private let codec: [any RemovableChannelHandler]
  private var head = ByteBuffer()
  /// How much of it was looked through for its end.
  private var searched = 0
  private var isOpen = false
  private(set) var isSwitching = false

  init(
    _ promise: EventLoopPromise<HTTPUpgrade>, codec: [any RemovableChannelHandler],
    successor: any ChannelHandler
  ) {
    self.promise = promise
    self.codec = codec
    self.successor = successor
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isOpen else { return context.fireChannelRead(data) }
    head.writeImmutableBuffer(unwrapInboundIn(data))
    // However it was cut: what is too long is so as well where it comes at once.
    guard let length = takeHeadLength(), length <= HTTPClientLimits.upgradeHead else {
      if head.readableBytes > HTTPClientLimits.upgradeHead { open(context) }
      return
    }
    if head.readableBytesView.dropFirst("HTTP/1.1 ".utf8.count).starts(with: "101 ".utf8) {
      head.moveReaderIndex(forwardBy: length)
      handOver(context)
    }
    open(context)
    if isSwitching { context.pipeline.syncOperations.removeHandler(self, promise: nil) }
  }

  /// The head's length with the empty line behind it, once all of it is there. To be called once for each piece.
  private func takeHeadLength() -> Int? {
    let bytes = head.readableBytesView
    let end = "\r\n\r\n".utf8
    // Each byte is looked at once, however small the pieces are in which it comes.
    let first = bytes.startIndex + searched
    searched = max(0, bytes.count - end.count + 1)
    return bytes.indices[first...].first { bytes[$0...].starts(with: end) }.map {
      $0 - bytes.startIndex + end.count
    }
  }

  /// Lets through what has come, and all that comes.
  private func open(_ context: ChannelHandlerContext) {
    isOpen = true
    let bytes = head
    head = ByteBuffer()
    if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
  }

  /// Puts the successor right behind this handler, so that the next byte is its own. The codec behind
  /// it hears nothing any more, and is gone before anyone is told that he may write.
  private func handOver(_ context: ChannelHandlerContext) {
    isSwitching = true
    let channel = context.channel
    let pipeline = context.pipeline.syncOperations
    do {
      try channel.syncOptions?.setOption(.autoRead, value: false)
      try pipeline.addHandler(successor, position: .after(self))
    } catch {
      promise.fail(HTTPClientError(.closed, "the connection broke", cause: error))
      return context.close(promise: nil)
    }
    let promise = self.promise
    EventLoopFuture.andAllComplete(
      codec.map { pipeline.removeHandler($0) }, on: context.eventLoop
    ).whenComplete { _ in promise.succeed(.switched(channel)) }
  }
}
