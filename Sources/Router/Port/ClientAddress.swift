// Where a connection comes from, as far as it can be believed: its peer, or what a trusted proxy says
// of it, by the PROXY protocol before the first byte or by X-Forwarded-For in a request.

import Auth
import NIOCore
import NIOHTTP1
import Wire

/// Confined to the channel's loop.
final class ClientAddress {
  /// The other end of the connection itself.
  let peer: String
  /// What the PROXY protocol says that the peer is; it goes before headers.
  private var near: String

  init(_ channel: any Channel) {
    peer = channel.remoteAddress?.ipAddress ?? "local"
    near = peer
  }

  func proxy(says client: String?) {
    if let client { near = client }
  }

  func client(of headers: HTTPHeaders, _ proxies: TrustedProxies) -> String {
    proxies.client(peer: near, forwardedFor: headers["x-forwarded-for"])
  }
}

/// Reads the PROXY protocol's header, from a proxy that is trusted, and leaves the pipeline. Holds at
/// most one header; a client that says nothing runs into the deadline of every connection.
final class ProxyProtocolHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let address: ClientAddress
  private var header = ByteBuffer()

  init(_ address: ClientAddress) { self.address = address }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    header.writeBuffer(&bytes)
    switch ProxyHeader.read(header.readableBytesView) {
    case .incomplete: context.read()
    case .invalid: context.close(promise: nil)
    case .none: pass(context)
    case .client(let client, let length):
      address.proxy(says: client)
      header.moveReaderIndex(forwardBy: length)
      pass(context)
    }
  }

  private func pass(_ context: ChannelHandlerContext) {
    let rest = header
    header = ByteBuffer()
    if rest.readableBytes > 0 {
      context.fireChannelRead(wrapInboundOut(rest))
      context.fireChannelReadComplete()
    } else {
      context.read()
    }
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }
}
