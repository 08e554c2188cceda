// Bounds of what a query may say, and why.

enum QueryLimits {
  /// Of a length of time, in whatever unit: a billion days fit in milliseconds, and nobody means more.
  static let timeCount: UInt64 = 1_000_000_000
}
