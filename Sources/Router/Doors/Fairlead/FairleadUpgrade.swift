// How a connection comes to the door of `fairlead.v1`: by a request for a WebSocket with that subprotocol.

import APIServer
import NIOCore
import NIOHTTP1
import NIOWebSocket

extension FairleadDoor {
  /// Whether the request asks for it. Who may come in is another question.
  static func isAskedFor(by head: HTTPRequestHead) -> Bool {
    head.method == .GET && head.version == .http1_1 && head.pathOnly == UpgradeOffer.path
      && UpgradeOffer { head.headers[$0] }.obstacle == nil
  }

  /// - Parameter door: called once the request has been read to its end.
  static func upgrade(to door: @escaping () throws -> FairleadDoor) -> Upgrade {
    Upgrade(
      answer: { head, channel in
        NIOTypedWebSocketServerUpgrader<Void>(
          shouldUpgrade: { channel, _ in
            channel.eventLoop.makeSucceededFuture(
              ["Sec-WebSocket-Protocol": UpgradeOffer.subprotocol])
          }, upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
        ).buildUpgradeResponse(
          channel: channel, upgradeRequest: head, initialResponseHeaders: [:])
      },
      handlers: {
        let frames = WebSocketFrameDecoder(maxFrameSize: RouterLimits.webSocketFrame)
        return [WebSocketFrameEncoder(), ByteToMessageHandler(frames), try door()]
      })
  }
}
