// With which codes a WebSocket of `fairlead.v1` is closed, beside those of RFC 6455; docs/protocol.md.

public enum CloseCode {
  /// The client is to come back with another token. RFC 6455, section 7.4.2, leaves 4000 to 4999 to applications.
  public static let unauthorized: UInt16 = 4_401
  /// The client is not to come back by itself: who it is for is known, and the answer is no.
  public static let forbidden: UInt16 = 4_403
  /// Service restart, of IANA's registry for RFC 6455: another router serves the client.
  public static let restart: UInt16 = 1_012
}
