// When to try again: after a random part of a time that doubles with each failure (full jitter), so that all
// who lost the same server do not come back as one. Pure.

public struct Backoff: Sendable {
  /// The most that is waited before the first try, and before any.
  private let first: Duration
  private let last: Duration
  private var failures = 0

  public init(first: Duration, last: Duration) {
    self.first = first
    self.last = last
  }

  /// The delay before the next try.
  public mutating func next(
    random: (ClosedRange<Double>) -> Double = { Double.random(in: $0) }
  ) -> Duration {
    nextLongest() * random(0...1)
  }

  /// The longest that the next delay may be, for who draws the random part elsewhere.
  public mutating func nextLongest() -> Duration {
    defer { failures += 1 }
    // More doublings would be longer than anybody waits, and at last no number.
    return min(first * (1 << min(failures, 16)), last)
  }

  /// It has worked: the next failure is the first again.
  public mutating func reset() { failures = 0 }
}
