// What remains of a session that is no more.

public import Wire

/// What remains of a closed session. Which node had it stands in its record.
public struct Tombstone: Hashable, Sendable, Codable {
  public var status: ExitStatus?
  public var reason: EndReason
  /// When it ended, in milliseconds since 1970; for a lost one, when its node's lease did. Nil: not known.
  public var ended: UInt64?
  /// The subject that created the session; nil: nobody's, or not known.
  public var creator: String?

  public init(
    status: ExitStatus?, reason: EndReason, ended: UInt64? = nil, creator: String? = nil
  ) {
    self.status = status
    self.reason = reason
    self.ended = ended
    self.creator = creator
  }

  /// Its node died with it, as far as the registry can know.
  public var isLost: Bool { reason == .lost }
}
