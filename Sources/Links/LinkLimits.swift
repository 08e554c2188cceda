// Every number that bounds what a link may hold or wait for, and why (promise P6).

public import NIOCore

public enum LinkLimits {
  /// Bytes handed to the kernel's queue at a time. What is in the kernel cannot be overtaken by an
  /// echo, so it stays small: one first window (measured: docs/performance.md).
  public static let queued = 64 * 1024
  /// Bytes of control frames that may wait while a link's kernel buffer is full: thousands of answers. More
  /// means that the other end has stopped reading; the link is then cut and reopened.
  public static let unsent = 8 * 1024 * 1024
  /// Bytes of a read: with fewer system calls than NIO's 2 KiB start, and no more than one window.
  public static let read = 64 * 1024
  /// Nothing heard for so long, in spite of PINGs: the other end is gone.
  public static let silence = TimeAmount.seconds(10)
  /// Between the PINGs of a link on which nothing is heard.
  public static let pingInterval = TimeAmount.seconds(3)
  /// Bytes that one end of a link inside a process may be ahead of the other's loop: more than the streams' windows
  /// let flow in a tick; a loop that is so far behind is busy.
  static let localWindow = 4 * 1024 * 1024
  /// Bytes of the cluster's key at least: as many as the hash has.
  static let clusterKey = 32
  /// Bytes of a nonce: 192 random bits, which nobody guesses and no two links share.
  static let nonce = 24
  /// Characters of a nonce that is taken: enough that it is never the same twice, and little enough to be hashed.
  public static let nonces = 16...64
  /// Characters of a proof: a SHA-256 hash as base64url.
  static let proof = 43
}
