// A link over TCP: the channel handler at the end of a link's pipeline, on either side.

public import NIOCore

/// Confined to its channel's event loop, like every handler.
public final class SocketTransport: ChannelInboundHandler, LinkTransport {
  public typealias InboundIn = ByteBuffer
  public typealias OutboundOut = ByteBuffer

  private var context: ChannelHandlerContext?
  private var link: Link?
  private var failure: (any Error)?

  public init() {}

  /// To be called before the channel reads, on its loop.
  public func attach(_ link: Link) { self.link = link }

  public var isWritable: Bool { context?.channel.isWritable ?? false }

  public func write(_ buffer: ByteBuffer) {
    guard let context else { return }
    context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
  }

  public func close() { context?.close(promise: nil) }

  public func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  public func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    link?.transportDidRead(unwrapInboundIn(data))
  }

  public func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { link?.transportDidBecomeWritable() }
  }

  public func errorCaught(context: ChannelHandlerContext, error: any Error) {
    failure = error
    context.close(promise: nil)
  }

  public func channelInactive(context: ChannelHandlerContext) {
    link?.transportDidClose(failure)
    link = nil
  }

  /// Options for a link's socket: no Nagle delay, and a write queue of one window.
  public static func configure(_ channel: any Channel) throws {
    let options = channel.syncOptions
    try options?.setOption(.tcpOption(.tcp_nodelay), value: 1)
    try options?.setOption(
      .writeBufferWaterMark,
      value: .init(low: LinkLimits.queued / 2, high: LinkLimits.queued))
    try options?.setOption(
      .recvAllocator,
      value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: LinkLimits.read)
    )
  }
}
