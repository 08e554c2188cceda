// Every number that bounds what a TLS connection may hold or wait for, and why (promise P6).

public import NIOCore

public enum TLSLimits {
  /// Bytes of what a client said first: the longest name of an HTTP method, and some.
  static let opening = 24
  /// A handshake takes two round trips and some milliseconds of CPU; a stalling peer gets no more.
  public static let handshake = TimeAmount.seconds(10)
  /// The same for a client that a user waits for: less than that client waits for an answer, so that it can
  /// say that it was the handshake that had none.
  public static let clientHandshake = TimeAmount.seconds(4)
  /// Bytes of plaintext that may be written before the handshake is over: a greeting and a first request, or
  /// one chunk of an upload.
  public static let early = 1024 * 1024
  /// Bytes of ciphertext handed on at a time: one read of the receiving end.
  public static let chunk = 64 * 1024
  /// Bytes that a peer may make us answer (key updates) while it reads nothing.
  public static let answers = 64 * 1024
  /// How long a close waits for what was written before it.
  public static let close = TimeAmount.seconds(2)
  /// Bytes of a buffer that a connection keeps for its next flush, so that keystrokes do not allocate and idle
  /// connections hold little.
  static let keptBuffer = 4 * 1024
  /// Bytes of a file of certificates or keys: the whole list of public CAs, four times over.
  static let file = 1024 * 1024
  /// How often the files of certificates are looked at: their `stat`, not what is in them.
  public static let reload = Duration.seconds(5)
  /// Seconds before its end from which a certificate's end is warned of: a week, to do something about it.
  static let warning: Int64 = 7 * 86_400
  /// Names of a certificate that is not for its host which are told: enough to see whose it is.
  static let namesTold = 8
}
