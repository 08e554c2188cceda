// When to try again: at once after a connection that had lasted, then after a random part of a time
// that doubles (full jitter), so that the clients of a router that went down do not come back as one.

/// The delays between attempts to connect.
public struct ReconnectDelays: Sendable {
  /// The most that is waited before the second attempt; doubled with each.
  public var first = Duration.milliseconds(250)
  /// The most that is ever waited.
  public var last = Duration.seconds(10)
  /// A connection counts as good once it has lasted this long: a server that takes connections and
  /// drops them must not be met at full speed.
  public var good = Duration.seconds(1)

  public init() {}
}

struct Backoff: Sendable {
  let delays: ReconnectDelays

  init(_ delays: ReconnectDelays = ReconnectDelays()) { self.delays = delays }

  /// Attempts since the last good connection.
  private(set) var attempts = 0

  /// The delay before the next attempt.
  /// - Parameter lasted: how long the connection was usable that has just been lost; nil if it never
  ///   was.
  mutating func next(
    lasted: Duration?, random: (ClosedRange<Double>) -> Double = { Double.random(in: $0) }
  ) -> Duration {
    if let lasted, lasted >= delays.good { attempts = 0 }
    attempts += 1
    // One that had worked is tried again at once; one that never did is not.
    if lasted != nil, attempts == 1 { return .zero }
    let doublings = min(attempts - 1, ClientLimits.doublings)
    let limit = min(delays.first * (1 << doublings), delays.last)
    return limit * random(0...1)
  }
}
