// When a client tries again: at once after a connection that had lasted, then with a backoff.

import Transport

/// The delays between attempts to connect.
public struct ReconnectDelays: Sendable {
  /// The most that is waited before the second attempt; doubled with each.
  public var first = ClientLimits.reconnectFirst
  /// The most that is ever waited.
  public var last = ClientLimits.reconnectLast
  /// A connection counts as good once it has lasted this long: a server that takes connections and
  /// drops them must not be met at full speed.
  public var good = ClientLimits.goodConnection

  public init() {}
}

struct Reconnecting: Sendable {
  private let good: Duration
  private var backoff: Backoff
  private var isFirst = true

  init(_ delays: ReconnectDelays = ReconnectDelays()) {
    good = delays.good
    backoff = Backoff(first: delays.first, last: delays.last)
  }

  /// The delay before the next attempt.
  /// - Parameter lasted: how long the connection was usable that has just been lost; nil if it never
  ///   was.
  mutating func next(
    lasted: Duration?, random: (ClosedRange<Double>) -> Double = { Double.random(in: $0) }
  ) -> Duration {
    if let lasted, lasted >= good {
      backoff.reset()
      isFirst = true
    }
    let delay = backoff.next(random: random)
    // One that had worked is tried again at once; one that never did is not.
    let isAtOnce = isFirst && lasted != nil
    isFirst = false
    return isAtOnce ? .zero : delay
  }
}
