// The numbers that bound the connections to Redis, their replies and their commands.

import NIOCore

enum RedisLimits {
  /// Bytes of one reply: ten thousand records of a session list are 2 MB.
  static let reply = 32 * 1024 * 1024
  /// Parts of one reply, of all arrays in it together: the largest list has some ten thousand. What an array
  /// claims to hold is reserved at once, so that a few bytes could ask for gigabytes.
  static let parts = 1_000_000
  /// Arrays within each other; ours are two deep, a Cluster's list of slots four. The C library frees them by calling
  /// itself.
  static let depth = 7
  /// Commands under way or waiting for a connection. More means that Redis does not keep up; a
  /// refusal now is better than an answer too late.
  static let commands = 10_000
  /// A command's time, with waiting for a connection and all that it is sent again. A user waits for it.
  static let deadline = TimeAmount.seconds(2)
  static let connectTimeout = TimeAmount.seconds(2)
  /// From the connection to the answers of AUTH, SELECT and PING: one that hangs is left.
  static let greetingTimeout = TimeAmount.seconds(2)
  /// Between tries to connect.
  static let reconnectFirst = Duration.milliseconds(50)
  static let reconnectLast = Duration.seconds(2)
  /// Sentinels, or servers of a Cluster, that a URL names: of either some five are usual.
  static let servers = 16
  /// How often a command that a server did not carry out is sent again, to the same or another one: a failover takes
  /// one or two, two servers that each point to the other would take it for ever.
  static let tries = 8
  /// Before a command is sent again that a server will take in a moment.
  static let tryFirst = Duration.milliseconds(25)
  static let tryLast = Duration.milliseconds(800)
  /// Between looks whether the sentinels still name the same primary. They tell of a failover at once; this is for what
  /// they told while nobody heard it.
  static let sentinelLook = TimeAmount.seconds(10)
  /// How much later than that, at random, so that all processes do not look at once.
  static let sentinelLookJitter = TimeAmount.seconds(3)
  /// Servers of a Cluster that are asked at the same time where the keys are: one of them may hang.
  static let askedAtOnce = 3
  /// Servers of a Cluster that are remembered, to be asked when those of the URL have gone.
  static let remembered = 64
}
