// Every number that bounds what logging may hold, and why (promise P6).

public enum LogLimits {
  /// Bytes that wait: some 10,000 lines. As many may be on their way out at the same time.
  public static let waiting = 2 * 1024 * 1024
  /// Bytes of a message and of each of its values.
  public static let value = 2 * 1024
  /// How long the end of a process waits for a log that is not read.
  public static let flush = Duration.seconds(2)
  /// Bytes written at once, of whole lines: what a pipe keeps apart from other writers' (PIPE_BUF).
  static let write = 4_096
  /// Between two looks at whether all is written, while the end of a process waits for that.
  static let flushInterval = Duration.milliseconds(2)
  /// What a close waits after a flush that took all its time: for one more write.
  static let lastFlush = Duration.milliseconds(20)
}
