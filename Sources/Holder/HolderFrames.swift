// What a node and a holder say to each other. docs/holder.md gives every byte. Both directions are read and written
// here, so that the two sides cannot differ.

/// Tells a session's clients apart: a keyed hash of client and subject, that the holder cannot turn back.
public struct ClientKey: Sendable, Hashable {
  public var high: UInt64
  public var low: UInt64
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}

/// Which step of a start failed: a letter of NOT_STARTED, and of the C that starts terminals without a holder. One that
/// is none of these comes from a newer holder.
public struct StartStep: RawRepresentable, Equatable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let terminal = StartStep(rawValue: UInt8(ascii: "p"))
  /// Only without a holder: there is no process to be had.
  public static let process = StartStep(rawValue: UInt8(ascii: "f"))
  public static let user = StartStep(rawValue: UInt8(ascii: "u"))
  public static let directory = StartStep(rawValue: UInt8(ascii: "d"))
  /// There is no such program.
  public static let search = StartStep(rawValue: UInt8(ascii: "n"))
  /// The program cannot be executed.
  public static let program = StartStep(rawValue: UInt8(ascii: "x"))
  /// It took too long.
  public static let time = StartStep(rawValue: UInt8(ascii: "t"))
  /// Only with a holder: it takes no more.
  public static let limit = StartStep(rawValue: UInt8(ascii: "l"))
}

/// What is to be started.
public struct StartRequest: Sendable, Equatable {
  /// Comes back in the answer.
  public var tag: UInt32
  public var epoch: UInt64
  public var columns: UInt16
  public var rows: UInt16
  /// Bytes of output that are kept at least, once so many were produced.
  public var logLimit: UInt32
  /// Without a node for so long it is ended, in seconds.
  public var orphanAfter: UInt32
  /// What a node must know of the session for good, sealed by it.
  public var descriptor: [UInt8]
  /// A line of the process's environment by which what it started is found again.
  public var mark: [UInt8]
  /// Where the program may be: the first one that can be executed is.
  public var paths: [[UInt8]]
  /// Argument 0 for each of these; empty: that of `arguments`.
  public var names: [[UInt8]]
  public var arguments: [[UInt8]]
  public var environment: [[UInt8]]
  /// The holder's own environment comes with it, but for variables of these names: in a container it is the one that
  /// the engine gives to what it executes there.
  public var addsHoldersEnvironment: Bool
  public var directory: [UInt8]
  /// A directory that is not there is no fault: `/` then.
  public var isDirectoryPreferred: Bool
  /// Nil: the holder's own.
  public var user: HeldUser?
  /// RLIMIT_NOFILE; a hard limit of 0: as the holder has it.
  public var filesSoft: UInt64
  public var filesHard: UInt64

  public init(
    tag: UInt32, epoch: UInt64, columns: UInt16, rows: UInt16, logLimit: UInt32,
    orphanAfter: UInt32,
    descriptor: [UInt8], mark: [UInt8], paths: [[UInt8]], names: [[UInt8]], arguments: [[UInt8]],
    environment: [[UInt8]], addsHoldersEnvironment: Bool = false,
    directory: [UInt8], isDirectoryPreferred: Bool, user: HeldUser?, filesSoft: UInt64,
    filesHard: UInt64
  ) {
    self.tag = tag
    self.epoch = epoch
    self.columns = columns
    self.rows = rows
    self.logLimit = logLimit
    self.orphanAfter = orphanAfter
    self.descriptor = descriptor
    self.mark = mark
    self.paths = paths
    self.names = names
    self.arguments = arguments
    self.environment = environment
    self.addsHoldersEnvironment = addsHoldersEnvironment
    self.directory = directory
    self.isDirectoryPreferred = isDirectoryPreferred
    self.user = user
    self.filesSoft = filesSoft
    self.filesHard = filesHard
  }
}

public struct HeldUser: Sendable, Equatable {
  public var uid: UInt32
  public var gid: UInt32
  public var groups: [UInt32]
  public init(uid: UInt32, gid: UInt32, groups: [UInt32]) {
    self.uid = uid
    self.gid = gid
    self.groups = groups
  }
}

/// How a process ended.
public enum HeldExit: Sendable, Equatable {
  case exited(Int32)
  case signalled(Int32)
  /// Nobody knows: somebody else reaped it.
  case unknown
}

/// How far a client's input came.
public struct HeldLedger: Sendable, Equatable {
  public var client: ClientKey
  public var written: UInt64
  public init(client: ClientKey, written: UInt64) {
    self.client = client
    self.written = written
  }
}

/// From an offset of the output on the terminal has this size.
public struct HeldSize: Sendable, Equatable {
  public var offset: UInt64
  public var columns: UInt16
  public var rows: UInt16
  public init(offset: UInt64, columns: UInt16, rows: UInt16) {
    self.offset = offset
    self.columns = columns
    self.rows = rows
  }
}

/// A session, as a node that attaches finds it.
public struct HeldState: Sendable, Equatable {
  public var handle: UInt64
  public var epoch: UInt64
  public var process: UInt32
  public var columns: UInt16
  public var rows: UInt16
  public var logStart: UInt64
  public var logEnd: UInt64
  /// Where the output goes on that the checkpoint's parts, which follow, do not show.
  public var checkpoint: UInt64
  /// Queries of the program before this offset are answered.
  public var answered: UInt64
  /// The output that follows begins here.
  public var next: UInt64
  /// The changes of size from the log's start up to there, the oldest first.
  public var sizes: [HeldSize]
  /// The ledgers of clients, the longest unused first.
  public var ledgers: [HeldLedger]
  /// A ledger was given up: a client that is not among them may have typed before.
  public var hasForgotten: Bool
  public var exit: HeldExit?
  public var state: [UInt8]

  public init(
    handle: UInt64, epoch: UInt64, process: UInt32, columns: UInt16, rows: UInt16, logStart: UInt64,
    logEnd: UInt64, checkpoint: UInt64, answered: UInt64, next: UInt64, sizes: [HeldSize],
    ledgers: [HeldLedger],
    hasForgotten: Bool, exit: HeldExit?, state: [UInt8]
  ) {
    self.handle = handle
    self.epoch = epoch
    self.process = process
    self.columns = columns
    self.rows = rows
    self.logStart = logStart
    self.logEnd = logEnd
    self.checkpoint = checkpoint
    self.answered = answered
    self.next = next
    self.sizes = sizes
    self.ledgers = ledgers
    self.hasForgotten = hasForgotten
    self.exit = exit
    self.state = state
  }
}

/// A session in a listing.
public struct HeldEntry: Sendable, Equatable {
  public var handle: UInt64
  public var epoch: UInt64
  public var isAttached: Bool
  /// Milliseconds since its node was last heard of; 0 if there is none.
  public var unheard: UInt64
  public var hasEnded: Bool
  public var descriptor: [UInt8]
  public init(
    handle: UInt64, epoch: UInt64, isAttached: Bool, unheard: UInt64, hasEnded: Bool,
    descriptor: [UInt8]
  ) {
    self.handle = handle
    self.epoch = epoch
    self.isAttached = isAttached
    self.unheard = unheard
    self.hasEnded = hasEnded
    self.descriptor = descriptor
  }
}

/// What kind of piece of a checkpoint a part is of.
public enum CheckpointPart: UInt8, Sendable {
  /// Lines that have scrolled out since the last checkpoint: one piece, added to those that are kept.
  case scrollback = 1
  /// The screen, which replaces the last one's.
  case screen = 2
}

/// From a node. All that changes a session carries the epoch of the attachment, and counts only if that is the
/// present one, and the peer's.
public enum NodeFrame: Sendable, Equatable {
  case proof(version: UInt8, nonce: [UInt8], mac: [UInt8])
  case ping(UInt64)
  case list
  case start(StartRequest)
  /// - Parameter next: where its output is to go on, for a node that still has what comes before; nil: at the
  ///   checkpoint, whose parts come first.
  case attach(handle: UInt64, epoch: UInt64, next: UInt64?)
  case detach(handle: UInt64, epoch: UInt64)
  /// Output may be read and sent up to this offset.
  case credit(handle: UInt64, epoch: UInt64, upTo: UInt64)
  case input(handle: UInt64, epoch: UInt64, client: ClientKey, offset: UInt64, bytes: [UInt8])
  case answer(handle: UInt64, epoch: UInt64, query: UInt64, bytes: [UInt8])
  /// If the terminal makes a signal of the key, what it holds and what waits for it is discarded, and these clients'
  /// input up to these offsets, written or not, is done with.
  case discard(handle: UInt64, epoch: UInt64, key: UInt8, upTo: [HeldLedger])
  case resize(handle: UInt64, epoch: UInt64, columns: UInt16, rows: UInt16)
  /// To the terminal's foreground group, and the leader's.
  case signal(handle: UInt64, epoch: UInt64, number: UInt8)
  /// SIGHUP, and after the grace (milliseconds) SIGKILL for all that is left of it.
  case end(handle: UInt64, epoch: UInt64, grace: UInt32)
  case state(handle: UInt64, epoch: UInt64, bytes: [UInt8])
  /// - Parameter drop: so many of the oldest pieces of scrollback go, when the checkpoint is whole.
  case checkpoint(
    handle: UInt64, epoch: UInt64, part: CheckpointPart, isFirst: Bool, isLast: Bool,
    offset: UInt64, drop: UInt32,
    bytes: [UInt8])
  /// Older output is to be sent again.
  case read(handle: UInt64, from: UInt64, upTo: UInt64)
  /// What runs at its terminal, and where?
  case look(handle: UInt64)
  /// It has ended, and its end was told.
  case forget(handle: UInt64, epoch: UInt64)
}

/// From the holder.
public enum HolderFrame: Sendable, Equatable {
  case hello(version: UInt8, holder: [UInt8], nonce: [UInt8])
  case welcome(mac: [UInt8])
  case ping(UInt64)
  case entry(HeldEntry)
  case listed(count: UInt32)
  case started(tag: UInt32, handle: UInt64, process: UInt32)
  /// - Parameter step: p terminal, n not found, u user, d directory, x program, t time, l a limit of the holder.
  case notStarted(tag: UInt32, step: UInt8, error: UInt32)
  case attached(HeldState)
  /// - Parameter epoch: the highest that this session has seen; 0: there is no such session.
  case refused(handle: UInt64, epoch: UInt64)
  /// Another one attached it under this epoch.
  case superseded(handle: UInt64, epoch: UInt64)
  case checkpoint(handle: UInt64, part: CheckpointPart, isLast: Bool, bytes: [UInt8])
  case output(handle: UInt64, offset: UInt64, bytes: [UInt8])
  /// From this offset on the terminal has this size.
  case resized(handle: UInt64, offset: UInt64, columns: UInt16, rows: UInt16)
  case written(handle: UInt64, client: ClientKey, offset: UInt64)
  case answered(handle: UInt64, query: UInt64)
  /// The answer to `discard`: whether the terminal does that for this key.
  case discarded(handle: UInt64, key: UInt8, did: Bool)
  case older(handle: UInt64, offset: UInt64, bytes: [UInt8])
  case looked(handle: UInt64, isForeground: Bool, words: [UInt8], directory: [UInt8])
  /// All its output, up to `end`, was sent or is there to be read.
  case exited(handle: UInt64, exit: HeldExit, end: UInt64)
  /// Processes that carry its mark live on though they were killed.
  case survivors(handle: UInt64)
}
