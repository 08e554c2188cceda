// Every number that bounds what a client holds or waits for, and why (promise P6).

import NIOCore
import Wire

enum ClientLimits {
  // MARK: The connection

  /// The time for TCP to connect, and again for the whole answer to the upgrade; a dead router costs no more
  /// of a reconnect than this.
  static let connectTimeout = TimeAmount.seconds(5)
  /// Bytes of a server's explanation of why there is no connection: a router's messages are sentences.
  static let explanation = 4_096
  /// Bytes of what is said in a close frame: RFC 6455 leaves 123 of them to a reason.
  static let closeReason = 100
  /// The most that is waited before the second try to connect; doubled with each, with full jitter.
  public static let reconnectFirst = Duration.milliseconds(250)
  /// The most that is ever waited between two: a user who watches it sees that it goes on.
  public static let reconnectLast = Duration.seconds(10)
  /// A connection counts as good once it has lasted this long: a server that takes connections and drops them must
  /// not be met at full speed.
  public static let goodConnection = Duration.seconds(1)
  /// Nothing heard for so long: PING.
  static let idle = TimeAmount.seconds(10)
  /// No answer to a PING, or no WELCOME, in this time: the connection is dead.
  static let answerDeadline = TimeAmount.seconds(5)
  /// Bytes put into one WebSocket message: well below what a router takes.
  static let message = 32 * 1024
  /// Bytes of the longest WebSocket frame taken: many times what a router puts into one.
  static let largestMessage = 1024 * 1024
  /// Milliseconds that a server can make a client wait, before it opens a stream again or comes back: what says
  /// more than a minute is a mistake.
  static let longestWait = 60_000

  // MARK: A stream

  /// Less than ``WireLimits/acknowledgeAt`` is acknowledged with the next input, or after this time: a second frame for
  /// each echo costs a server and a router as much as the key does.
  static let acknowledgeWithin = TimeAmount.milliseconds(200)
  /// Bytes of a snapshot, which is one screen with its scrollback; a larger one is a mistake.
  static let snapshot = 64 * 1024 * 1024
  /// Bytes of input that are kept in all, as in the browser's library: more than anybody pastes.
  static let input = 16 * 1024 * 1024
  /// Bytes of those that may be under way which a paste leaves to the interrupt that is to end it: some keys, and
  /// a frame's end.
  static let reserve = 256
  /// Bytes up to which keys typed one by one are kept together, so that each does not cost a buffer.
  static let joinedKeys = 4 * 1024
  /// Bytes of a key's sequence: the longest that terminals send, and room.
  static let key = 32
}
