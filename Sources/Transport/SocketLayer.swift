// What lies between a socket and the protocol that is spoken over it, for who listens and for who connects.

public import NIOCore
public import TLS

/// Nothing, or TLS. Each new connection gets a handler of its own, next to the socket.
public struct SocketLayer: Sendable {
  private enum Kind {
    case plain
    case tls(TLSCredentials)
    case interactive(TLSContext)
  }

  private let kind: Kind

  private init(_ kind: Kind) { self.kind = kind }

  public static let plain = SocketLayer(.plain)

  /// With the certificates that the files hold when a connection begins; plain without credentials.
  public init(_ credentials: TLSCredentials?) {
    self.init(credentials.map { .tls($0) } ?? .plain)
  }

  /// For a client that a user waits for, who hears early that the handshake had no answer.
  public static func interactive(_ context: TLSContext) -> SocketLayer {
    SocketLayer(.interactive(context))
  }

  public var isEncrypted: Bool { if case .plain = kind { false } else { true } }

  /// To be called on the channel's loop, before the handlers of its protocol are added.
  /// - Parameters:
  ///   - serverNames: as for ``TLSConnection/init(_:serverNames:)``; none where one listens.
  ///   - answerInClear: as for ``TLSHandler``; for a port that listens.
  public func add(
    to channel: any Channel, serverNames: [String] = [], answerInClear: ByteBuffer? = nil
  ) throws {
    let handler: TLSHandler
    switch kind {
    case .plain: return
    case .tls(let credentials):
      handler = try credentials.handler(serverNames: serverNames, answerInClear: answerInClear)
    case .interactive(let context):
      handler = try TLSHandler(
        context, serverNames: serverNames, handshakeDeadline: TLSLimits.clientHandshake)
    }
    try channel.pipeline.syncOperations.addHandler(handler)
  }
}
