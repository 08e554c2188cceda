// One port, several protocols: requests are Hummingbird's, until one of them brings its connection to a door of
// clients. A child channel type beside Hummingbird's own.

import APIServer
import Auth
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Transport
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
      let client = ClientAddress(channel)
      let pipeline = channel.pipeline.syncOperations
      // What a proxy says of its client stands before TLS.
      if configuration.proxies.contains(client.peer) {
        try pipeline.addHandler(ProxyProtocolHandler(client))
      }
      try configuration.tls.add(to: channel)
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
      // A client's bytes travel in its handlers; here its end is awaited, to the last byte that it is told.
      try? await value.channel.closeFuture.get()
      return
    }
    // An answer may take its time, and must not hold up the loop that accepts connections.
    await withTaskExecutorPreference(globalConcurrentExecutor) {
      await handleHTTP(asyncChannel: channel, logger: logger)
    }
  }

  private func keeper(
    of channel: any Channel, _ client: ClientAddress, _ decision: EventLoopPromise<Decision>
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
      upgrade: { head in
        guard let loop, FairleadDoor.isAskedFor(by: head),
          configuration.origins.allows(head.headers)
        else { return nil }
        let identity = configuration.access.identity(of: head.headers)
        // A client whose token is no good hears why from the HTTP API. A cookie may be an old one, and HELLO can still
        // bring a token.
        if case .failure = identity, head.headers.contains(name: "authorization") { return nil }
        let from = client.client(of: head.headers, configuration.proxies)
        return FairleadDoor.upgrade {
          FairleadDoor(loop: loop, from: from, identity: identity)
        }
      },
      isKnown: { head in (try? configuration.access.identity(of: head.headers).get()) != nil },
      serve: {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: configuration.tls.isEncrypted))
        // The gate ends the connection, not who answers in it.
        let http = try HTTPChannel(
          wrappingChannelSynchronously: channel,
          configuration: .init(isOutboundHalfClosureEnabled: false))
        isDecided = true
        decision.succeed(.http(http))
      },
      isStopping: { loop?.context.isStopping ?? true },
      didLeaveHTTP: { isUpgraded in
        guard !isDecided else { return }
        isDecided = true
        if isUpgraded { decision.succeed(.client) } else { decision.fail(ChannelError.eof) }
      })
  }
}

extension AccessControl {
  /// Whom the headers name as the caller, if anybody.
  fileprivate func identity(of headers: HTTPHeaders) -> Result<Principal?, AuthError> {
    Result { () throws(AuthError) in
      try principal(
        authorization: headers["authorization"], cookies: headers["cookie"],
        host: headers.first(name: "host"))
    }
  }
}
