// Where a connection comes from, as far as it can be believed: its peer, or what a trusted proxy says
// of it, by the PROXY protocol before the first byte or by X-Forwarded-For in a request.

import Auth
import NIOCore
import NIOHTTP1
import Wire

/// Confined to the channel's loop.
final class ClientOrigin {
  /// The other end of the connection itself.
  let peer: String
  /// The client's address.
  private(set) var address: String
  /// What the PROXY protocol said; it goes before headers.
  private var isProxied = false
  /// Who the upgrade's headers say it is, if anybody.
  private(set) var identity: Result<Principal?, AuthError> = .success(nil)

  init(_ channel: any Channel) {
    peer = channel.remoteAddress?.ipAddress ?? "local"
    address = peer
  }

  func proxy(says client: String?) {
    isProxied = true
    if let client { address = client }
  }

  func client(of headers: HTTPHeaders, _ proxies: TrustedProxies) -> String {
    let near = isProxied ? address : peer
    return proxies.client(peer: near, forwardedFor: headers["x-forwarded-for"])
  }

  func identify(_ headers: HTTPHeaders, _ configuration: RouterConfiguration) {
    address = client(of: headers, configuration.proxies)
    identity = credentials(of: headers, configuration)
  }

  /// Who asks, if that is known by the request's headers.
  func principal(of headers: HTTPHeaders, _ configuration: RouterConfiguration) -> Principal? {
    try? credentials(of: headers, configuration).get()
  }

  private func credentials(
    of headers: HTTPHeaders, _ configuration: RouterConfiguration
  ) -> Result<Principal?, AuthError> {
    Result { () throws(AuthError) in
      try configuration.access.principal(
        authorization: headers["authorization"], cookies: headers["cookie"],
        host: headers.first(name: "host"))
    }
  }
}

/// Reads the PROXY protocol's header, from a proxy that is trusted, and leaves the pipeline. Holds at
/// most one header; a client that says nothing runs into the deadline of every connection.
final class ProxyProtocolHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let origin: ClientOrigin
  private var held = ByteBuffer()

  init(_ origin: ClientOrigin) { self.origin = origin }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    held.writeBuffer(&bytes)
    switch ProxyHeader.read(held.readableBytesView) {
    case .incomplete: context.read()
    case .invalid: context.close(promise: nil)
    case .none: pass(context)
    case .client(let client, let length):
      origin.proxy(says: client)
      held.moveReaderIndex(forwardBy: length)
      pass(context)
    }
  }

  private func pass(_ context: ChannelHandlerContext) {
    let rest = held
    held = ByteBuffer()
    if rest.readableBytes > 0 {
      context.fireChannelRead(wrapInboundOut(rest))
      context.fireChannelReadComplete()
    } else {
      context.read()
    }
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }
}
