// The numbers that bound a request and its answer.

public import NIOCore

public enum HTTPClientLimits {
  /// Bytes of an answer's body, unless the caller takes less: a list of 10,000 sessions fits well.
  public static let body = 64 * 1024 * 1024
  /// Bytes of the head of an answer to an upgrade; a longer one is left to the decoder to judge.
  static let upgradeHead = 16 * 1024
  /// To connect: a user or a start of a session waits for it.
  static let connectTimeout = TimeAmount.seconds(5)
  /// For the whole answer, with connecting, unless the caller waits otherwise.
  public static let answer = TimeAmount.seconds(10)
}
