// One port, two protocols: a connection whose first request upgrades to WebSocket becomes a client's,
// any other one is Hummingbird's. A child channel type beside Hummingbird's own.

public import Admin
import Auth
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket
import TLS
import Wire

struct ClientChannel: HTTPChannelHandler {
  typealias HTTPChannel = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

  struct Value: ServerChildChannelValue {
    let decision: EventLoopFuture<Decision>
    let channel: any Channel
  }

  enum Decision: Sendable {
    case client
    case http(HTTPChannel)
  }

  static let path = "/v1/connect"
  static let subprotocol = "fairlead.v1"

  let responder: HTTPChannelHandler.Responder
  let configuration: RouterConfiguration
  let loop: @Sendable (any EventLoop) -> RouterLoop?

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      let options = channel.syncOptions
      try? options?.setOption(.tcpOption(.tcp_nodelay), value: 1)
      try options?.setOption(
        .writeBufferWaterMark,
        value: .init(low: RouterLimits.queued / 2, high: RouterLimits.queued))
      let client = ClientOrigin(channel)
      // What a proxy says of its client stands before TLS.
      if configuration.proxies.contains(client.peer) {
        try channel.pipeline.syncOperations.addHandler(ProxyProtocolHandler(client))
      }
      if let tls = configuration.tls {
        try channel.pipeline.syncOperations.addHandler(tls.handler())
      }
      let bound = NIOLoopBound(client, eventLoop: channel.eventLoop)
      let upgrader = NIOTypedWebSocketServerUpgrader<Decision>(
        maxFrameSize: RouterLimits.webSocketFrame, enableAutomaticErrorHandling: false,
        shouldUpgrade: { channel, _ in
          // The gate before this has taken out who is not accepted.
          channel.eventLoop.makeSucceededFuture(["Sec-WebSocket-Protocol": Self.subprotocol])
        },
        upgradePipelineHandler: { channel, _ in
          channel.eventLoop.makeCompletedFuture {
            guard let loop = loop(channel.eventLoop) else { throw ChannelError.eof }
            let client = bound.value
            try channel.pipeline.syncOperations.addHandler(
              WebSocketHandler(loop: loop, from: client.address, identity: client.identity))
            return .client
          }
        })
      var configuration = NIOUpgradableHTTPServerPipelineConfiguration(
        upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
          upgraders: [upgrader],
          notUpgradingCompletionHandler: { channel in
            channel.eventLoop.makeCompletedFuture { .http(try http(channel, bound.value, logger)) }
          }))
      configuration.enablePipelining = false
      let decision = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
        configuration: configuration)
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandler(
        UpgradeGate { accept($0, from: bound.value) },
        position: .before(pipeline.handler(type: NIOTypedHTTPServerUpgradeHandler<Decision>.self)))
      // A connection that never says what it wants is not kept.
      let deadline = channel.eventLoop.scheduleTask(in: RouterLimits.helloDeadline) {
        channel.close(promise: nil)
      }
      decision.whenComplete { _ in deadline.cancel() }
      return Value(decision: decision, channel: channel)
    }
  }

  func handle(value: Value, logger: Logger) async {
    guard case .http(let channel) = try? await value.decision.get() else {
      // A client's bytes travel in its handlers; here its end is awaited.
      try? await value.channel.closeFuture.get()
      return
    }
    await handleHTTP(asyncChannel: channel, logger: logger)
  }

  /// False: no upgrade, and the HTTP API explains why.
  private func accept(_ head: HTTPRequestHead, from client: ClientOrigin) -> Bool {
    let path = head.uri.split(separator: "?", maxSplits: 1).first.map(String.init) ?? ""
    guard path == Self.path, configuration.origins.allows(head.headers),
      head.headers[canonicalForm: "sec-websocket-protocol"].contains(where: {
        $0 == Self.subprotocol
      })
    else { return false }
    client.identify(head.headers, configuration)
    // Who offers a token that is no good hears why from the HTTP API. A cookie may be an old one,
    // and HELLO can still bring a token.
    if case .failure = client.identity, head.headers.contains(name: "authorization") {
      return false
    }
    return true
  }

  private func http(
    _ channel: any Channel, _ client: ClientOrigin, _ logger: Logger
  ) throws -> HTTPChannel {
    try channel.pipeline.syncOperations.addHandler(
      ClientAddressHandler(client, proxies: configuration.proxies))
    try channel.pipeline.syncOperations.addHandler(
      HTTP1ToHTTPServerCodec(secure: configuration.tls != nil))
    try channel.pipeline.syncOperations.addHandler(
      HTTPConnectionStateHandler(idleTimeout: .seconds(60), logger: logger))
    return try NIOAsyncChannel(
      wrappingChannelSynchronously: channel,
      configuration: .init(isOutboundHalfClosureEnabled: true))
  }
}

/// Takes the wish for an upgrade out of requests that will not get it, so that the HTTP API answers
/// them and says why; to NIO a refused upgrade is an error, and its connection would just end.
private final class UpgradeGate: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  private let accepts: (HTTPRequestHead) -> Bool

  init(accepts: @escaping (HTTPRequestHead) -> Bool) { self.accepts = accepts }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
    if !accepts(head) { head.headers.remove(name: "upgrade") }
    // Only a connection's first request can upgrade it; what follows may be WebSocket's bytes.
    context.fireChannelRead(wrapInboundOut(.head(head)))
    context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
  }
}

/// Which pages may connect: those of the same host, and those on a list, so that no other web site
/// can open a user's terminals through the user's browser. Programs send no Origin.
public struct OriginPolicy: Sendable {
  /// Whole origins, such as `https://console.example.com`, in the form that browsers send.
  let allowed: Set<String>
  /// By which names the server's own pages may call it.
  let ownHosts: OwnHosts

  public init(allowed: Set<String> = [], ownHosts: OwnHosts = .any) {
    self.ownHosts = ownHosts
    self.allowed = Set(
      allowed.map { ($0.hasSuffix("/") ? String($0.dropLast()) : $0).lowercased() })
  }

  func allows(_ headers: HTTPHeaders) -> Bool {
    let origins = headers["origin"]
    if origins.isEmpty { return true }
    guard origins.count == 1, let origin = origins.first else { return false }
    if allowed.contains(origin.lowercased()) { return true }
    let hosts = headers["host"]
    guard hosts.count == 1, let host = hosts.first else { return false }
    return ownHosts.own(pageOf: origin, calling: host)
  }
}
