// Bounds of what a request may carry, and why (promise P6).

import Wire

enum APILimits {
  /// Bytes of a request's body: what an OPEN frame may carry.
  static let body = WireLimits.frameBody
  /// Fields of a form that are read: those of the sign-in, and some.
  static let formFields = 8
  /// Events of one answer, the oldest first: who wants more asks for those after the last.
  static let events = 1_000
}
