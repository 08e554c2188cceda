// Every number that bounds what a client's connection may hold or wait for, and why (promise P6).

public import NIOCore
import NIOHTTP1

public enum RouterLimits {
  // MARK: A request's phases

  /// A request's head: a URL, a token of 8 KiB, the cookies of a page.
  static let requestHead = {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = 16 * 1024
    limits.maxHeaderListSize = 64 * 1024
    limits.maxHeaderFieldCount = 100
    return limits
  }()
  /// From a request's head to the end of its body, of 16 KiB at most.
  static let bodyDeadline = TimeAmount.seconds(10)
  /// From there until the answer has been read: a create waits for engines and for three nodes, and a screen
  /// of 4 MiB for a slow line.
  static let answerDeadline = TimeAmount.seconds(60)
  /// Until a whole next request: longer than the 60 s after which load balancers close what they do not
  /// use, since who closes first must be the one that sends.
  public static let keepAlive = TimeAmount.seconds(75)
  /// After the last answer, for its reader to go.
  static let linger = TimeAmount.seconds(1)

  // MARK: A client's connection

  /// What is read of a client before it is others' turn: 2,700 of the smallest frames, a few milliseconds of work.
  static let read = 16 * 1024

  /// From connecting to a first request, and from the upgrade to a HELLO: more than any round trip, less
  /// than an idle attacker wants.
  static let helloDeadline = TimeAmount.seconds(10)
  /// A WebSocket PING goes out this often. Browsers answer it in the network process, whatever the
  /// page is doing, so that a hidden tab is not taken for a dead one.
  static let pingInterval = TimeAmount.seconds(10)
  /// Nothing heard for so long, in spite of PINGs: the connection is dead.
  static let silence = TimeAmount.seconds(25)
  /// Bytes of why a WebSocket is closed: a control frame has 125 at most (RFC 6455 section 5.5), of which the code takes
  /// two.
  static let closeReason = 123
  /// After a close has been said, for it to be on its way.
  static let closing = TimeAmount.milliseconds(200)
  /// One WebSocket frame; a sender may put several of our frames into it.
  static let webSocketFrame = 256 * 1024
  /// Bytes handed to a client's socket at a time (as for links).
  static let queued = 64 * 1024
  /// Frames waiting for a client that does not read: what its streams' windows allow as OUTPUT
  /// (64 × 16), and as much again of events and sizes.
  static let unsentFrames = 2_048
  /// Bytes of answers to the client's own frames that wait for it to read.
  static let unsentAnswers = 1024 * 1024
  /// Owners being looked up for one client; other streams that want to know theirs wait.
  static let lookUps = 16
  /// Bytes of a buffer that an idle connection keeps, one each way: some keystrokes, and their echoes.
  static let keptBuffer = 1024
  /// Sessions whose owner a router remembers, those asked for last; 200 bytes each.
  static let cachedRoutes = 50_000
  /// Times that one OPEN is sent to another node after NOT_OWNER, a dead link, or a node without room.
  static let attempts = 3
  /// Milliseconds after which a client may ask again for what is away.
  static let retryLater = 1_000
  /// Milliseconds after which a client may ask again for room, which comes more slowly.
  static let retryFull = 2_000
  /// Between the tries to reopen a broken stream.
  static let reopenFirst = Duration.milliseconds(50)
  static let reopenLast = Duration.seconds(3)
  /// How old the list of nodes may be.
  static let directoryInterval = Duration.seconds(2)
  /// How often the registry is asked for the owners of sessions whose node counts as dead or was replaced, while
  /// its link lives; and for how many at a time.
  static let ownersInterval = Duration.seconds(3)
  static let ownersAtOnce = 64
  /// A node that does not take a connection, or does not say WELCOME, in this time.
  static let connectDeadline = TimeAmount.seconds(3)
  /// An answer of a node to a question of the HTTP API.
  static let requestDeadline = TimeAmount.seconds(5)
  /// All sessions of a node's loop: a list that waits for one node is of no use to who looks for the others.
  static let listDeadline = TimeAmount.seconds(2)
  /// Between two looks at whether the clients of a router that stops have left.
  static let drainInterval = Duration.milliseconds(20)
  /// Whether a node has a session that the registry does not know: new sessions wait for that, and a link that is
  /// there answers in a millisecond.
  static let announceDeadline = TimeAmount.seconds(1)
  /// Parts of one answer, at most 64 MiB in all: a screen of 4 MiB comes in 2,100 of 2 KiB, and in 16 KiB are the
  /// summaries of some 20 sessions, so that these are 80,000 of one loop.
  static let answerParts = 4_096
  /// Nothing heard on a link for so long after an OPEN that creates: another node is asked.
  static let createSilence = TimeAmount.seconds(3)
  /// A link on which something was heard so lately answers: it is asked after 3 s (`LinkLimits`).
  static let lately = TimeAmount.seconds(5)
  /// Bytes of why a node is not used; a peer may have written them.
  static let reason = 200
  /// Nodes that are told of one by one where none can be used.
  static let toldNodes = 4
  /// The same trouble with a node is logged again after this time.
  static let repeated = TimeAmount.minutes(1)
  /// Before a token runs out, the client is asked for another one this long (or half of what is left
  /// of a shorter one).
  static let tokenNotice = 60.0
  /// Seconds after which a far end of a token is looked at again: no timer of years.
  static let tokenCheck = 86_400.0
  /// Sessions in one list that were lost with their nodes.
  static let lostSessions = 10_000
  /// Records that are compared with what the nodes say: more than a cluster is meant to have.
  static let diagnosed = 100_000
  /// Until what differs is looked at again: a session that was being created or ended has been by then.
  static let diagnosisPause = Duration.seconds(2)
  /// Milliseconds between this router's clock and Redis's that are worth a word.
  static let clockSkew = 5_000
  /// Milliseconds for which a refusal of new sessions is told once.
  static let refusalsTold: UInt64 = 60_000
  /// Milliseconds within which clients leave after GOAWAY, spread evenly.
  static let goAwaySpread = 1_000
}
