// When to try again: at once after a connection that had lasted, then after a random part of a time
// that doubles (full jitter), so that the clients of a router that went down do not come back as one.

struct Backoff: Sendable {
  static let first = Duration.milliseconds(250)
  static let last = Duration.seconds(10)
  /// A connection counts as good once it has lasted this long: a server that takes connections and
  /// drops them must not be met at full speed.
  static let good = Duration.seconds(1)

  /// Attempts since the last good connection.
  private(set) var attempts = 0

  /// The delay before the next attempt.
  /// - Parameter lasted: how long the connection was usable that has just been lost; nil if it never
  ///   was.
  mutating func next(
    lasted: Duration?, random: (ClosedRange<Double>) -> Double = { Double.random(in: $0) }
  ) -> Duration {
    if let lasted, lasted >= Self.good { attempts = 0 }
    attempts += 1
    // One that had worked is tried again at once; one that never did is not.
    if lasted != nil, attempts == 1 { return .zero }
    let doublings = min(attempts - 1, 10)
    let limit = min(Self.first * (1 << doublings), Self.last)
    return limit * random(0...1)
  }
}
