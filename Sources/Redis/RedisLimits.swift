// The numbers that bound a connection to Redis, its replies and its commands.

import NIOCore

enum RedisLimits {
  /// Bytes of one reply: ten thousand records of a session list are 2 MB.
  static let reply = 32 * 1024 * 1024
  /// Parts of one reply, of all arrays in it together: the largest list has some ten thousand. What an array
  /// claims to hold is reserved at once, so that a few bytes could ask for gigabytes.
  static let parts = 1_000_000
  /// Arrays within each other; ours are two deep. The C library frees them by calling itself.
  static let depth = 7
  /// Commands under way or waiting for a connection. More means that Redis does not keep up; a
  /// refusal now is better than an answer too late.
  static let commands = 10_000
  /// A command's time, with waiting for a connection. A user waits for it.
  static let deadline = TimeAmount.seconds(2)
  static let connectTimeout = TimeAmount.seconds(2)
  /// From the connection to the answers of AUTH, SELECT and PING: one that hangs is left.
  static let greetingTimeout = TimeAmount.seconds(2)
  /// Between tries to connect.
  static let reconnectFirst = Duration.milliseconds(50)
  static let reconnectLast = Duration.seconds(2)
}
