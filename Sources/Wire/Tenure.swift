// Which nodes had a session, one after the other.

/// A time in a session's life in which one start of a node has it, under one epoch.
public struct Tenure: Sendable, Hashable, Codable {
  public struct Cause: Word {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The session was started.
    public static let started = Cause(rawValue: "started")
    /// The node was restarted and got the session from its holder.
    public static let restarted = Cause(rawValue: "restarted")
    /// The node before had died.
    public static let takenOver = Cause(rawValue: "taken_over")
    /// The node before handed it over.
    public static let moved = Cause(rawValue: "moved")
  }
  public var epoch: Epoch
  public var node: String
  /// When it began, in milliseconds since 1970; nil: nobody knows any more.
  public var since: UInt64?
  /// Why it began.
  public var why: Cause

  public init(epoch: Epoch, node: String, since: UInt64?, why: Cause) {
    self.epoch = epoch
    self.node = node
    self.since = since
    self.why = why
  }
}

extension [Tenure] {
  /// With one more, of which the last ``WireLimits/tenures`` are remembered.
  public func followed(by next: Tenure) -> [Tenure] {
    Array((self + [next]).suffix(WireLimits.tenures))
  }
}
