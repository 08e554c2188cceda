// What the gate of a connection needs of the server behind it, and how a request makes another protocol's connection
// of it.

import NIOCore
import NIOHTTP1

struct GateKeeper {
  var rules = RequestRules()
  var keepAlive = RouterLimits.keepAlive
  /// Prepares a valid request for the HTTP server.
  var prepare: (inout HTTPRequestHead) -> Void = { _ in }
  /// What the connection is to become by this valid request; nil: it is for the HTTP API, which explains why.
  var upgrade: (HTTPRequestHead) -> Upgrade?
  /// Whether who asks is known: only from them a body is asked for.
  var isKnown: (HTTPRequestHead) -> Bool
  /// Adds the HTTP server's handlers behind the gate; called before the first request that is for them.
  var serve: () throws -> Void
  /// The server shuts down: each answer is the last of its connection.
  var isStopping: () -> Bool = { false }
  /// The connection has another protocol from now on, or has ended.
  var didLeaveHTTP: (_ isUpgraded: Bool) -> Void
}

/// Another protocol that a connection is to have.
struct Upgrade {
  /// The fields of the answer that says so.
  var answer: (HTTPRequestHead, any Channel) -> EventLoopFuture<HTTPHeaders>
  /// The protocol's end of the pipeline, what is next to the socket first.
  var handlers: () throws -> [any ChannelHandler]
}

/// Stands behind HTTP's decoder during the tick in which the decoder leaves. It lets bytes through, and ends the
/// connection if the decoder has read one more request, since the new protocol could not read that.
final class Sluice: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = Any

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if unwrapInboundIn(data) is IOData {
      context.fireChannelRead(data)
    } else {
      context.close(promise: nil)
    }
  }
}
