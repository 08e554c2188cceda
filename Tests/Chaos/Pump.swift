// One direction of a proxied connection: reads, holds back as planned, writes, and says when the
// place of the cut has come.

import DequeModule
import NIOCore

/// Confined to its connection's loop.
final class Pump {
  private let connection: ProxiedConnection
  private let fault: Fault
  private let isUp: Bool
  private var finder: CutFinder?
  private var source: (any Channel)?
  private var sink: (any Channel)?
  private var held: Deque<(due: NIODeadline, bytes: ByteBuffer)> = []
  private var heldBytes = 0
  private var isReadPending = false
  private var timer: Scheduled<Void>?
  /// When the next byte may leave, as the rate wants it.
  private var free = NIODeadline.now()
  private var sourceEnded = false
  private var isCut = false

  init(_ connection: ProxiedConnection, _ fault: Fault, framing: Framing, isUp: Bool) {
    self.connection = connection
    self.fault = fault
    self.isUp = isUp
    finder = fault.cut.map { CutFinder(after: $0.after, place: $0.place, framing: framing) }
  }

  func connect(from source: any Channel, to sink: any Channel) {
    self.source = source
    self.sink = sink
    readOn()
  }

  /// A read asked before the channel is active would be lost: asked again when it is.
  func readOn() {
    guard let source, !isReadPending, heldBytes < ChaosLimits.held, source.isActive else { return }
    isReadPending = true
    source.read()
  }

  func didRead(_ bytes: ByteBuffer) {
    isReadPending = false
    // A dead network takes everything and passes nothing.
    guard !connection.isSilent, !isCut else { return }
    held.append((.now() + .milliseconds(Int64(fault.delay)), bytes))
    heldBytes += bytes.readableBytes
    passOn()
  }

  func readCompleted() {
    isReadPending = false
    readOn()
  }

  func sinkBecameWritable() { passOn() }

  func sourceDidEnd() {
    sourceEnded = true
    if held.isEmpty || sink == nil || connection.isSilent {
      connection.didClose()
    } else {
      passOn()
    }
  }

  private func passOn() {
    timer?.cancel()
    timer = nil
    while var first = held.first, let sink, sink.isWritable, !isCut, !connection.isSilent {
      let now = NIODeadline.now()
      let due = max(first.due, free)
      guard due <= now else { return wait(until: due) }
      // 20 ms of the rate at a time, so that a slow line trickles.
      let most = fault.rate.map { max(1, $0 / 50) } ?? Int.max
      guard let piece = first.bytes.readSlice(length: min(most, first.bytes.readableBytes)) else {
        return
      }
      if first.bytes.readableBytes > 0 { held[0] = first } else { held.removeFirst() }
      heldBytes -= piece.readableBytes
      if let rate = fault.rate {
        free =
          max(free, now - .milliseconds(20))
          + .nanoseconds(Int64(piece.readableBytes) * 1_000_000_000 / Int64(rate))
      }
      write(piece, to: sink)
    }
    if held.isEmpty, sourceEnded { return connection.didClose() }
    readOn()
  }

  private func write(_ piece: ByteBuffer, to sink: any Channel) {
    var piece = piece
    guard let count = finder?.scan(piece.readableBytesView), let cut = fault.cut else {
      connection.passed(piece.readableBytes, isUp: isUp)
      return sink.writeAndFlush(piece, promise: nil)
    }
    isCut = true
    connection.passed(count, isUp: isUp)
    guard let last = piece.readSlice(length: count) else { return }
    let connection = NIOLoopBound(connection, eventLoop: sink.eventLoop)
    sink.writeAndFlush(last).whenComplete { _ in connection.value.cut(cut) }
  }

  private func wait(until due: NIODeadline) {
    guard let sink else { return }
    let bound = NIOLoopBound(self, eventLoop: sink.eventLoop)
    timer = sink.eventLoop.scheduleTask(deadline: due) { bound.value.passOn() }
  }
}

/// At the end of each channel: what it reads goes into one pump, what it takes comes from the other.
final class PumpHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let source: Pump
  private let sink: Pump

  init(source: Pump, sink: Pump) {
    self.source = source
    self.sink = sink
  }

  func channelActive(context: ChannelHandlerContext) { source.readOn() }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    source.didRead(unwrapInboundIn(data))
  }

  func channelReadComplete(context: ChannelHandlerContext) { source.readCompleted() }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { sink.sinkBecameWritable() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) { source.sourceDidEnd() }
}
