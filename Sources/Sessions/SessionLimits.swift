// Every number that bounds what a session may hold or wait for, and why (promise P6).

public import NIOCore
import Wire

public enum SessionLimits {
  // MARK: Output

  /// Bytes of output that a session keeps. At a shell's pace this is hours; a client that comes
  /// back later gets a snapshot instead.
  public static let log = 1024 * 1024
  /// The log grows by pages of this size, so that a session that has printed a prompt holds one.
  public static let logPage = 4 * 1024
  /// Size changes kept with the log. More than these within one log means a window being dragged
  /// while nothing is printed.
  public static let sizeMarks = 256
  /// What a pipe still hands on at most, in bytes, once it is to be held back. Whoever is further behind than
  /// that is overrun by others.
  public static let readAhead = 64 * 1024
  /// Acknowledgements that take longer halve the window; quicker ones may double it.
  public static let fastAcknowledgement = TimeAmount.milliseconds(100)
  /// One that takes at most so many times the shortest time that was measured doubles the window: little waits.
  static let doubling = 2
  /// One that takes more than so many times that halves it: what was sent waits somewhere, and would wait longer.
  static let halving = 4
  /// A driver that acknowledges nothing for so long stops holding the process back. A hidden tab's
  /// timers fire once a second.
  public static let stall = TimeAmount.seconds(2)
  /// While the pipe is held back, it is looked so often whether those who do so have stalled.
  public static let readingCheck = TimeAmount.milliseconds(500)
  /// A driver that typed within this time and is more than a window behind gets a snapshot instead of
  /// what is unsent: as long as a person waits for an answer before wondering.
  public static let hurry = TimeAmount.seconds(1)

  // MARK: Streams

  /// Streams on one session: a lecture, not an attack.
  public static let streams = 256
  /// Viewers named in an event; all of them in `streams` would not fit in one frame.
  public static let viewersNamed = 64
  /// Bytes of their names in it, as JSON; the rest of it takes less than 8 KiB.
  public static let viewersNames = 8 * 1024

  // MARK: Input

  /// Bytes of input whose acknowledgement does not wait for an echo to go with: whoever pastes waits for room for more.
  static let acknowledgedAtOnce = 1024
  /// Bytes of memory for keys on their way that a session keeps when there are none.
  static let keptInput = 256
  /// Clients whose input offset is remembered after they left. A forgotten one is told.
  public static let detachedLedgers = 64
  /// Bytes of input of all clients that wait for the process to read it: 64 windows. A process that never
  /// reads, and clients that come and go under ever new names, could fill more.
  public static let unwrittenInput = 64 * WireLimits.inputInFlight
  /// Answers to queries that wait for the program to read them: hundreds. One that asks on and on and never
  /// reads is told no more, and keeps nobody from typing Ctrl-C.
  public static let unwrittenAnswers = 8 * 1024
  /// Unwritten input of one client, by input windows: a page that is reloaded while a paste is stuck
  /// starts counting anew, a few times.
  public static let reloads = 4
  /// Bytes of an INPUT that an interrupt comes in, at most: a key, and before it the end of the paste's frame that
  /// it cuts off. In the middle of more it is part of something.
  public static let interruptBytes = 16
  /// Room is made for an interrupt so many times, so often: each time the terminal takes some 12 KiB of the at
  /// most 16 that were under way.
  public static let interruptTries = 10
  public static let interruptRetry = TimeAmount.milliseconds(20)

  // MARK: Size

  /// Between two changes of a session's size: each is work for the screen and a signal to the process, which
  /// draws anew; a person who drags a window sees 30 a second as smooth.
  public static let resizeInterval = TimeAmount.milliseconds(33)

  // MARK: The screen

  /// Lines of scrollback that a session may be told to keep: as many as a screen keeps at most.
  public static let scrollback = 100_000
  /// Bytes of a window title that a list of sessions shows: a column of a table, and not the whole of it.
  static let titleShown = 256

  // MARK: The end

  /// The last output of a process that was ended is read for so long: plain text of 300 KiB, what pipe and terminal
  /// hold at most, takes a tenth of it, and output that costs more is of less use.
  public static let finalOutput = TimeAmount.milliseconds(500)
  /// Sessions that have ended and can still be read, of one loop, and the memory that they hold: what users
  /// leave behind must not fill a node. The oldest go first.
  public static let endedSessions = 1_000
  public static let endedBytes = 64 * 1024 * 1024
  /// A session that is to be forgotten waits for a client that reads its end, as long as that moves at least so
  /// often, and never longer than this: the log over a line of 2 KiB a second.
  public static let lastReading = TimeAmount.seconds(10)
  public static let longestReading = TimeAmount.minutes(10)
  /// A snapshot that nobody has asked for again in this time is given up: a screen that stands still may do so
  /// for days.
  public static let snapshotKept = TimeAmount.seconds(2)

  // MARK: Keeping

  /// What the holder's log has room for is counted in so many parts: a checkpoint is left before the last one is full.
  static let roomParts: UInt64 = 4
  /// So many parts after a checkpoint one without the scrollback is made: it has the time of two to become younger than
  /// all lines.
  static let youngParts: UInt64 = 1
  /// So many parts after a checkpoint that one is left, if it is younger: not before, so that checkpoints are few.
  static let leftParts: UInt64 = 2
  /// So many parts after a checkpoint one with the scrollback is made: the last part is for what is printed meanwhile.
  static let fullParts: UInt64 = 3
  /// Output since the last checkpoint for which another is left once the session is quiet, in bytes: less is read
  /// again in a fraction of a millisecond.
  static let quietCheckpoint: UInt64 = 16 * 1024
  /// The part of a checkpoint's length after which the next one is left once the session is quiet: so much output is read
  /// as fast as that checkpoint.
  static let quietPart = 8
  /// Bytes of a checkpoint: a holder takes 64 MiB. Lines of the scrollback are left out of a larger one, the oldest
  /// first. A screen that alone is larger is left blank.
  static let checkpoint = 60 * 1024 * 1024
  /// The part of the lines that is tried next where all of them are too long: each try costs what a checkpoint costs.
  static let linesPart = 8
  /// Bytes of a session's output that a holder keeps for each line of scrollback: three times what a line takes, so that
  /// a flood has filled the scrollback anew before a checkpoint would have to tell it.
  static let heldLine = 256
  /// A query that is not answered for so long is not answered any more: a holder does the same.
  static let answerable = TimeAmount.seconds(2)
  /// A session is quiet that has printed nothing for so long.
  static let quiet = TimeAmount.seconds(2)
}

/// What an operator may set.
public struct SessionSettings: Sendable {
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
  /// Bytes of output that a holder keeps of a session.
  public var heldLog: Int {
    max(logLimit, min(scrollback, SessionLimits.scrollback) * SessionLimits.heldLine)
  }

  public init(
    idleTimeout: TimeAmount = .minutes(30), keepEnded: TimeAmount = .minutes(30),
    logLimit: Int = SessionLimits.log, scrollback: Int = 1_000
  ) {
    self.idleTimeout = idleTimeout
    self.keepEnded = keepEnded
    self.logLimit = logLimit
    self.scrollback = scrollback
  }
}
