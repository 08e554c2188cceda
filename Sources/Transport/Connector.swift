// A way to somebody who listens: the socket, and what lies on it, in one spelling for every client.

public import NIOCore
import NIOPosix

public struct Connector: Sendable {
  public var address: Address
  private let layer: SocketLayer
  private let serverNames: [String]

  /// - Parameter serverNames: whom who answers may prove to be, by TLS; the address's host if none are given.
  public init(_ address: Address, _ layer: SocketLayer = .plain, serverNames: [String] = []) {
    self.address = address
    self.layer = layer
    self.serverNames = serverNames.isEmpty ? [address.host].compactMap(\.self) : serverNames
  }

  /// - Parameters:
  ///   - limit: for the socket to connect.
  ///   - initialize: adds the handlers of the protocol; called on the loop for each address of the host that is
  ///     tried.
  /// - Returns: what `initialize` returned for the channel that is connected.
  public func connect<End: Sendable>(
    on eventLoop: any EventLoop, within limit: TimeAmount,
    initialize: @escaping @Sendable (any Channel) throws -> End
  ) -> EventLoopFuture<End> {
    let ends = NIOLoopBoundBox.makeBoxSendingValue(
      [ObjectIdentifier: End](), eventLoop: eventLoop)
    let bootstrap = ClientBootstrap(group: eventLoop)
      .connectTimeout(limit)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if address.host != nil {
            try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
          }
          try layer.add(to: channel, serverNames: serverNames)
          ends.value[ObjectIdentifier(channel)] = try initialize(channel)
        }
      }
    let connected =
      switch address {
      case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
      case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
      }
    return connected.flatMapThrowing { channel in
      guard let end = ends.value.removeValue(forKey: ObjectIdentifier(channel)) else {
        throw ChannelError.eof
      }
      return end
    }
  }
}
