// Every number that bounds what a client's connection may hold or wait for, and why (promise P6).

import NIOCore

enum RouterLimits {
  /// From the upgrade to a HELLO: more than any round trip, less than an idle attacker wants.
  static let helloDeadline = TimeAmount.seconds(10)
  /// A WebSocket PING goes out this often. Browsers answer it in the network process, whatever the
  /// page is doing, so that a hidden tab is not taken for a dead one.
  static let pingInterval = TimeAmount.seconds(10)
  /// Nothing heard for so long, in spite of PINGs: the connection is dead.
  static let silence = TimeAmount.seconds(25)
  /// One WebSocket frame; a sender may put several of our frames into it.
  static let webSocketFrame = 256 * 1024
  /// Bytes handed to a client's socket at a time (as for links).
  static let queued = 64 * 1024
  /// Frames waiting for a client that does not read: what its streams' windows allow as OUTPUT
  /// (64 × 16), and as much again of events and sizes.
  static let unsentFrames = 2_048
  /// Bytes of answers to the client's own frames that wait for it to read.
  static let unsentAnswers = 1024 * 1024
  /// Owners being looked up for one client; its next OPEN waits, unread.
  static let lookUps = 16
  /// Bytes of write buffer that an idle connection keeps: some keystrokes' echoes.
  static let keptBuffer = 1024
  /// Sessions whose owner a router remembers, those asked for last; 200 bytes each.
  static let cachedRoutes = 50_000
  /// Times that one OPEN is sent to another node after NOT_OWNER or a dead link.
  static let attempts = 3
  /// Between the tries to reopen a broken stream: from, up to, with full jitter.
  static let reopenFirst = 50.0
  static let reopenLast = 3_000.0
  /// How old the list of nodes may be.
  static let directoryInterval = Duration.seconds(2)
  /// How often the registry is asked for the owners of sessions whose node counts as dead or was replaced, while
  /// its link lives; and for how many at a time.
  static let ownersInterval = Duration.seconds(3)
  static let ownersAtOnce = 64
  /// A node that does not take a connection, or does not say WELCOME, in this time.
  static let connectDeadline = TimeAmount.seconds(3)
  /// An answer of a node to a question of the admin API.
  static let requestDeadline = TimeAmount.seconds(5)
  /// Before a token runs out, the client is asked for another one this long (or half of what is left
  /// of a shorter one).
  static let tokenNotice = 60.0
  /// Seconds after which a far end of a token is looked at again: no timer of years.
  static let tokenCheck = 86_400.0
  /// After GOAWAY, clients leave within this time (milliseconds), spread evenly.
  static let goAwaySpread = 1_000
}
