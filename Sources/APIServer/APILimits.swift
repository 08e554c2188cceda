// Bounds of what a request may carry, and why (promise P6).

import Wire

enum APILimits {
  /// Bytes of a request's body: what an OPEN frame may carry.
  static let body = WireLimits.frameBody
}
