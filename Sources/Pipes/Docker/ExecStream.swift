// An exec without a terminal: its output comes in pieces behind heads of 8 bytes, that say whether it is standard output
// or error. What it begins with shows whether it is what was asked for; else all that comes is a reason.

import NIOCore

/// The first handler of such a connection. Confined to its event loop.
final class ExecStream: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  /// Whether output begins as it should; nil: more is needed to tell.
  typealias Beginning = @Sendable (ByteBufferView) -> Bool?

  private let begins: Beginning
  /// Gets the output; nil: nobody does.
  private let next: (any ChannelHandler)?
  private let begun: EventLoopPromise<Void>
  private var hasBegun = false
  /// What came before it is known to have begun, and what it says of itself.
  private var text = ByteBuffer()
  private var head = ByteBuffer()
  /// Of the piece that is being read.
  private var rest = 0
  private var isOutput = false

  /// - Parameter begun: completes when the output begins as it should; fails with ``ExecEnd`` if it does not.
  init(
    begins: @escaping Beginning, next: (any ChannelHandler)? = nil, begun: EventLoopPromise<Void>
  ) {
    self.begins = begins
    self.next = next
    self.begun = begun
  }

  func handlerAdded(context: ChannelHandlerContext) {
    do {
      if let next {
        try context.pipeline.syncOperations.addHandler(next, position: .after(self))
      }
      try PipeReading.limit(context.channel)
    } catch { context.close(promise: nil) }
    // The decoder before this handler is not gone yet.
    let channel = context.channel
    context.eventLoop.execute { _ = channel.setOption(.autoRead, value: true) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    while bytes.readableBytes > 0 {
      if rest == 0 {
        guard readHead(&bytes) else { return context.close(promise: nil) }
      } else if let piece = bytes.readSlice(length: min(rest, bytes.readableBytes)) {
        rest -= piece.readableBytes
        didRead(piece, context)
      }
    }
  }

  /// False: no engine writes that.
  private func readHead(_ bytes: inout ByteBuffer) -> Bool {
    if var piece = bytes.readSlice(length: min(8 - head.readableBytes, bytes.readableBytes)) {
      head.writeBuffer(&piece)
    }
    guard head.readableBytes == 8 else { return true }
    guard let kind = head.readInteger(as: UInt32.self),
      let length = head.readInteger(as: UInt32.self)
    else { return false }
    head.clear()
    let stream = kind >> 24
    guard stream <= 2, kind & 0xff_ffff == 0 else { return false }
    isOutput = stream != 2
    rest = Int(length)
    return true
  }

  private func didRead(_ piece: ByteBuffer, _ context: ChannelHandlerContext) {
    if hasBegun {
      if isOutput, next != nil { context.fireChannelRead(wrapInboundOut(piece)) }
      return
    }
    guard text.readableBytes < PipeLimits.startReasonLength else { return }
    text.writeImmutableBuffer(piece)
    guard isOutput, begins(text.readableBytesView) == true else { return }
    hasBegun = true
    let first = text
    text = ByteBuffer()
    begun.succeed()
    if next != nil { context.fireChannelRead(wrapInboundOut(first)) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail()
    // The next handler has heard nothing of an exec that has not begun; whoever started it asks why.
    if hasBegun { context.fireChannelInactive() }
  }

  func handlerRemoved(context: ChannelHandlerContext) { fail() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func fail() {
    if !hasBegun { begun.fail(ExecEnd(text: String(buffer: text))) }
  }
}

/// An exec ended before it began as it should. No `Failure`: it is never shown, but asked why.
struct ExecEnd: Error {
  /// What it printed, or the container runtime's reason for not starting it.
  var text: String
}
