// One port, two protocols: requests are Hummingbird's, until one of them makes its connection a client's
// WebSocket. A child channel type beside Hummingbird's own.

public import Admin
import Auth
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import TLS
import Wire

struct ClientChannel: HTTPChannelHandler {
  typealias HTTPChannel = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

  struct Value: ServerChildChannelValue {
    let decision: EventLoopFuture<Decision>
    let channel: any Channel
  }

  /// What the connection's first request asks for.
  enum Decision: Sendable {
    case client
    case http(HTTPChannel)
  }

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
      try options?.setOption(.maxMessagesPerRead, value: 1)
      try options?.setOption(
        .recvAllocator,
        value: AdaptiveRecvByteBufferAllocator(
          minimum: 1_024, initial: 2_048, maximum: RouterLimits.read))
      let client = ClientOrigin(channel)
      let pipeline = channel.pipeline.syncOperations
      // What a proxy says of its client stands before TLS.
      if configuration.proxies.contains(client.peer) {
        try pipeline.addHandler(ProxyProtocolHandler(client))
      }
      if let tls = configuration.tls { try pipeline.addHandler(tls.handler()) }
      let encoder = HTTPResponseEncoder()
      let decoder = ByteToMessageHandler(
        HTTPRequestDecoder(
          leftOverBytesStrategy: .forwardBytes, limitConfiguration: RouterLimits.requestHead))
      let decision = channel.eventLoop.makePromise(of: Decision.self)
      let gate = RequestGate(
        keeper(of: channel, client, decision), encoder: encoder, decoder: decoder)
      try pipeline.addHandlers(encoder, decoder, gate)
      return Value(decision: decision.futureResult, channel: channel)
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

  private func keeper(
    of channel: any Channel, _ client: ClientOrigin, _ decision: EventLoopPromise<Decision>
  ) -> GateKeeper {
    let configuration = configuration
    let loop = loop(channel.eventLoop)
    var isDecided = false
    return GateKeeper(
      rules: RequestRules(path: configuration.path, ownHosts: configuration.origins.ownHosts),
      keepAlive: configuration.keepAlive,
      prepare: { head in
        head.headers.replaceOrAdd(
          name: clientAddressHeader, value: client.client(of: head.headers, configuration.proxies))
      },
      accepts: { head in
        guard loop != nil, configuration.origins.allows(head.headers) else { return false }
        client.identify(head.headers, configuration)
        // Who offers a token that is no good hears why from the HTTP API. A cookie may be an old one,
        // and HELLO can still bring a token.
        if case .failure = client.identity, head.headers.contains(name: "authorization") {
          return false
        }
        return true
      },
      isKnown: { head in client.principal(of: head.headers, configuration) != nil },
      connect: {
        guard let loop else { throw ChannelError.eof }
        return WebSocketHandler(loop: loop, from: client.address, identity: client.identity)
      },
      serve: {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: configuration.tls != nil))
        // The gate ends the connection, not who answers in it.
        let http = try HTTPChannel(
          wrappingChannelSynchronously: channel,
          configuration: .init(isOutboundHalfClosureEnabled: false))
        isDecided = true
        decision.succeed(.http(http))
      },
      isStopping: { loop?.context.isStopping ?? true },
      didLeaveHTTP: { isWebSocket in
        guard !isDecided else { return }
        isDecided = true
        if isWebSocket { decision.succeed(.client) } else { decision.fail(ChannelError.eof) }
      })
  }
}

/// Which pages may connect: those of the same host, and those on a list, so that no other web site
/// can open a user's terminals through the user's browser. Programs send no Origin.
public struct OriginPolicy: Sendable {
  /// Whole origins, such as `https://console.example.com`, in the form that browsers send.
  let allowed: Set<String>
  /// By which names the server's own pages may call it.
  let ownHosts: OwnHosts
  /// Of `allowed`, those of the server's own pages.
  let own: Set<String>

  public init(
    allowed: Set<String> = [], own: Set<String> = [], ownHosts: OwnHosts = .any
  ) {
    self.ownHosts = ownHosts
    self.own = Set(own.map(Self.withoutPort))
    self.allowed = Set(
      allowed.map { Self.withoutPort($0.hasSuffix("/") ? String($0.dropLast()) : $0) })
  }

  /// As browsers send it: without the port that its scheme has anyway.
  private static func withoutPort(_ origin: String) -> String {
    let origin = origin.lowercased()
    for (scheme, port) in [("http://", ":80"), ("https://", ":443")]
    where origin.hasPrefix(scheme) && origin.hasSuffix(port) {
      return String(origin.dropLast(port.count))
    }
    return origin
  }

  func allows(_ headers: HTTPHeaders) -> Bool {
    allows(origins: headers["origin"], hosts: headers["host"])
  }

  var pageRules: PageRules {
    PageRules(ownHosts: ownHosts, ownOrigins: own) { allows(origins: $0, hosts: $1) }
  }

  private func allows(origins: [String], hosts: [String]) -> Bool {
    if origins.isEmpty { return true }
    guard origins.count == 1, let origin = origins.first else { return false }
    if allowed.contains(Self.withoutPort(origin)) { return true }
    guard hosts.count == 1, let host = hosts.first else { return false }
    return ownHosts.own(pageOf: origin, calling: host)
  }
}
