// Whose bytes a session's input is, and where they stand among what that client typed.

/// Who a client is to a session. The ClientID alone would not do: it is told to every viewer, and must not let
/// one of them pass for another (promise P9).
public struct ClientIdentity: Hashable, Sendable, Codable {
  public var client: ClientID
  /// Whom its token proves; nil: nobody, since authentication is off.
  public var subject: String?

  public init(client: ClientID, subject: String?) {
    self.client = client
    self.subject = subject
  }

  public init(_ request: LinkOpen) {
    self.init(client: request.client, subject: request.access.subject)
  }
}

/// Where a piece of input comes from.
public enum InputSource: Equatable, Sendable {
  /// A client typed it; the offset is that of the piece's first byte among all that it typed.
  case client(ClientIdentity, offset: UInt64)
  /// The screen answers what the program asked before this offset of its output.
  case answer(before: UInt64)
  /// The screen tells the program something that it has not asked for now, as that the colours changed.
  case report
}

/// How far a client's input is given up for a key that interrupts.
public struct GivenUpInput: Equatable, Sendable {
  public var client: ClientIdentity
  /// The offset behind the last byte that is not to be written any more.
  public var end: UInt64

  public init(client: ClientIdentity, end: UInt64) {
    self.client = client
    self.end = end
  }
}
