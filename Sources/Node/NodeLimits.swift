// Every number that bounds what a session may hold or wait for, and why (promise P6).

public import NIOCore
import Wire

public enum NodeLimits {
  /// Bytes of output that a session keeps. At a shell's pace this is hours; a client that comes
  /// back later gets a snapshot instead.
  public static let log = 1024 * 1024
  /// The log grows by pages of this size, so that a session that has printed a prompt holds one.
  public static let logPage = 4 * 1024
  /// Free pages that a node keeps for the next sessions: a log's worth. The rest goes back to the system.
  public static let warmPages = 256
  /// … after so long, since sessions often end in numbers and others begin.
  public static let tidying = Duration.seconds(1)
  /// Size changes kept with the log. More than these within one log means a window being dragged
  /// while nothing is printed.
  public static let sizeMarks = 256
  /// Clients whose input offset is remembered after they left. A forgotten one is told.
  public static let detachedLedgers = 64
  /// Streams on one session: a lecture, not an attack.
  public static let streamsPerSession = 256
  /// Viewers named in an event; all of them in `streamsPerSession` would not fit in one frame.
  public static let viewersNamed = 64
  /// Bytes of their names in it, as JSON; the rest of it takes less than 8 KiB.
  public static let viewersNames = 8 * 1024
  /// A refused link is logged again after this time.
  static let repeatedRefusal = TimeAmount.minutes(1)
  /// OPENs that may wait for one session's start.
  public static let waitingOpens = 64

  /// Acknowledgements that take longer halve the window; quicker ones may double it.
  public static let fastAcknowledgement = TimeAmount.milliseconds(100)
  /// In a flood, what is less than a frame waits for one to two of these to become one: a terminal hands out
  /// 4 KiB at a time, and each frame costs the router and the client as much as a keystroke does.
  public static let gathering = TimeAmount.milliseconds(2)
  /// A driver that acknowledges nothing for so long stops holding the process back. A hidden tab's
  /// timers fire once a second.
  public static let stall = TimeAmount.seconds(2)
  /// A driver that typed within this time and is more than a window behind gets a snapshot instead of
  /// what is unsent: as long as a person waits for an answer before wondering.
  public static let hurry = TimeAmount.seconds(1)
  /// Bytes of input of all clients that wait for the process to read it: 64 windows. A process that never
  /// reads, and clients that come and go under ever new names, could fill more.
  public static let unwrittenInput = 64 * WireLimits.inputInFlight
  /// Answers to queries that wait for the program to read them: hundreds. One that asks on and on and never
  /// reads is told no more, and keeps nobody from typing Ctrl-C.
  public static let unwrittenAnswers = 8 * 1024
  /// Bytes of an INPUT that an interrupt comes in, at most: a key, and before it the end of the paste's frame that
  /// it cuts off. In the middle of more it is part of something.
  public static let interruptBytes = 16
  /// Room is made for an interrupt so many times, so often: each time the terminal takes some 12 KiB of the at
  /// most 16 that were under way.
  public static let interruptTries = 10
  public static let interruptRetry = TimeAmount.milliseconds(20)
  /// Unwritten input of one client, by input windows: a page that is reloaded while a paste is stuck
  /// starts counting anew, a few times.
  public static let reloads = 4
  /// From SIGHUP to SIGKILL when a session is ended: time for an editor to save its swap file.
  public static let grace = TimeAmount.seconds(2)
  /// The last output of a process that was ended is read for so long: plain text of 300 KiB, what pipe and terminal
  /// hold at most, takes a tenth of it, and output that costs more is of less use.
  public static let lastOutput = TimeAmount.milliseconds(500)
  /// A node that starts waits so long for its registry: a Redis that starts with it gets its time, and
  /// an operator who mistyped an address soon knows.
  public static let registrationPatience = Duration.seconds(10)
  /// Between two tries to register.
  public static let registrationInterval = Duration.milliseconds(500)
  /// Between two tries to release an ended session's record, at most.
  public static let releaseInterval = Duration.seconds(30)
  /// A node that stops gives its clients so long to read the end of what their sessions printed.
  public static let farewell = Duration.seconds(2)
  /// A node that stops waits so long for what it is starting, so that no process of an engine is left: as long as
  /// one of its own processes has to end.
  static let lastStarts = grace
  /// Lines of scrollback in one answer of the API.
  public static let shownScrollback = 10_000
  /// Such answers that a loop makes at a time: each holds a copy of a screen, and of its text up to `answer`.
  public static let shownAtOnce = 8
  /// Bytes of a screen as text in one answer: a screen of 200 × 50 with 1,000 lines of scrollback, every
  /// cell in another one of 256 colours, is under two thirds of it.
  public static let answer = 4 * 1024 * 1024
  /// Answers to the API under way on one link, made as they are sent.
  public static let waitingAnswers = 256
  /// Between two changes of a session's size: each is work for the screen and a signal to the process, which
  /// draws anew; a person who drags a window sees 30 a second as smooth.
  public static let resizeInterval = TimeAmount.milliseconds(33)
  /// What the screens of a loop may take of a tick: with one slice more (``Screen/workPerCall``) under 5 ms.
  public static let screenTime = TimeAmount.milliseconds(3)
  /// Between two rounds of turns at the screens: the loop looks at its sockets and pipes.
  public static let screenPause = TimeAmount.microseconds(100)
  /// Work of one session after the screens have had their time in a tick: some thousands of characters.
  public static let screenEcho = 20_000
  /// Sessions that have ended and are kept to be read, of one loop, and the memory that they hold: what users
  /// leave behind must not fill a node. The oldest go first.
  public static let endedSessions = 1_000
  public static let endedBytes = 64 * 1024 * 1024
  /// A session that is to be forgotten waits for a client that reads its end, as long as that moves at least so
  /// often, and never longer than this: the log over a line of 2 KiB a second.
  public static let lastReading = TimeAmount.seconds(10)
  public static let longestReading = TimeAmount.minutes(10)
  /// How often sessions are looked at by the reaper.
  public static let reaperInterval = TimeAmount.seconds(2)
}

/// What an operator may set.
public struct NodeSettings: Sendable {
  /// A session that nobody used for so long is ended, unless its `create` says otherwise.
  public var idleTimeout: TimeAmount
  /// A session whose process ended stays readable for so long, unless its `create` says otherwise.
  public var keepEnded: TimeAmount
  /// Bytes of output kept per session.
  public var logLimit: Int
  /// Lines of scrollback in a session's screen.
  public var scrollback: Int
  /// Whether a driver that types takes the terminal's size over. If not, only TAKE does.
  public var typingTakesSize = true

  public init(
    idleTimeout: TimeAmount = .minutes(30), keepEnded: TimeAmount = .minutes(30),
    logLimit: Int = NodeLimits.log, scrollback: Int = 1_000
  ) {
    self.idleTimeout = idleTimeout
    self.keepEnded = keepEnded
    self.logLimit = logLimit
    self.scrollback = scrollback
  }
}
