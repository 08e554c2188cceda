// Bounds of what a request may carry, and why (promise P6).

import Wire

enum APILimits {
  /// Bytes of a request's body: what an OPEN frame may carry.
  static let body = WireLimits.frameBody
  /// Of a length of time in a query, in whatever unit: a billion days fit in milliseconds, and nobody means more.
  static let timeCount: UInt64 = 1_000_000_000
  /// Fields of a form that are read: those of the sign-in, and some.
  static let formFields = 8
}
