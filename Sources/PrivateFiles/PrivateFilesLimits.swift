// Every number that bounds what this module reads, and why (promise P6).

enum PrivateFilesLimits {
  /// Bytes of a file that is read: a key, a token, an identity. The programs that are written are larger.
  static let file = 16 * 1024
}
