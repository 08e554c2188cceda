// What a client of Redis has done, for operators.

public import Transport

/// What one client has done since it was made.
public struct RedisUse: Sendable, Equatable {
  /// Where its connection is to; nil: it has none just now.
  public var primary: Address?
  /// Made, and logged in on.
  public var connections = 0
  public var commands = 0
  /// Commands that had no answer in time.
  public var timeouts = 0
  /// Commands that were sent again, since another server was the primary, or a slot was being moved.
  public var redirections = 0

  public init() {}
}
