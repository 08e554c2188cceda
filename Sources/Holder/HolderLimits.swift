// What bounds a holder: what it is told comes over a socket, from whoever can reach it.

/// Each with the reason for its number.
public enum HolderLimits {
  /// Bytes of a frame: a start with a descriptor of the largest size, and its arguments and environment.
  public static let frame = 1024 * 1024
  /// Bytes of a frame of a peer that has proven nothing: its proof has 69.
  public static let stranger = 256
  /// Bytes that one frame of output or of a checkpoint carries at most: an echo waits behind one of each session.
  public static let payload = 16 * 1024
  /// Bytes that wait for a peer before its sessions' output stays in their logs.
  public static let outbox = 256 * 1024
  /// Bytes that wait for a peer, with answers and reports, before one that does not read is let go.
  public static let outboxMost = 8 * 1024 * 1024
  /// Peers at once: each loop of a node, a node that takes over, a command, and some that prove nothing.
  public static let peers = 64
  /// Milliseconds that a peer may take to prove that it knows the key. It is looked at with the pings, so that one that
  /// says nothing is let go after this time and up to `ping` more.
  public static let proof: UInt64 = 5_000
  /// Milliseconds after which the holder asks a peer again whether it is alive; one that has not said anything for twice
  /// as long is told to others as not heard of, and stays.
  public static let ping: UInt64 = 5_000
  /// Sessions at once. A machine's pseudo-terminals end before.
  public static let sessions = 10_000
  /// Bytes of a session's log.
  public static let logMost = 64 * 1024 * 1024
  /// Bytes of a page of it: an idle session has written little, and is to cost little.
  public static let logPage = 2 * 1024
  /// Bytes that are read from a terminal at once: it gives no more than 4,095.
  public static let terminalRead = 4 * 1024
  /// Reads of a terminal in a turn of the loop: others' echoes wait no longer than for these.
  static let terminalReads = 4
  /// Changes of size that a log keeps.
  public static let sizes = 1_024
  /// Bytes of a descriptor: it has what the session was created with, whose 64 KiB may take six times that as JSON;
  /// and of what else a node must know.
  public static let descriptor = 512 * 1024
  /// Bytes of a session's state, which its node leaves beside the checkpoint: some names, colours and words.
  public static let state = 16 * 1024
  /// Bytes of a session's checkpoint: a screen of 1,000 × 1,000 in 60 colours a line, or 100,000 lines of 600 columns. A
  /// node leaves out lines, the oldest first, that do not go into it. While the next one comes, there are two.
  public static let checkpoint = 64 * 1024 * 1024
  /// Pieces of scrollback that a checkpoint is made of.
  public static let checkpointPieces = 4_096
  /// Bytes of input that waits for a terminal: a node gives the next piece once this one was written.
  public static let input = 256 * 1024
  /// Pieces of input that wait for a terminal: a node has one under way, and answers.
  static let inputPieces = 1_024
  /// Pieces that are written before their places in the list are given up: so the rest is moved once for so many.
  static let inputPiecesDone = 64
  /// Milliseconds that WRITTEN of a key waits for the program's echo, to go with it: its node gives the next piece of this
  /// session's input only after it.
  static let withEcho: UInt64 = 2
  /// Bytes of a write to a terminal up to which it is of a key, or of some: what is longer is pasted, and its node waits for
  /// room for more.
  public static let key = 64
  /// Clients whose input a session remembers.
  public static let ledgers = 64
  /// Milliseconds after which a query is not answered any more: a shell would read the answer as typed.
  public static let query: UInt64 = 2_000
  /// Milliseconds between two marks of how far a terminal was read, by which the age of a query is known.
  static let readMark: UInt64 = 1_000
  /// Marks that are kept: those of a query's time, a second apart, are three, and one is before it.
  static let readMarks = 4
  /// Milliseconds without a session and a peer after which it ends: the next node starts another.
  public static let idle: UInt64 = 60_000
  /// Milliseconds that a child may take to come to its exec: its directory may be on a mount that hangs.
  public static let start: UInt64 = 5_000
  /// Milliseconds for which output is read after the leader's exit: a background job may hold the terminal open for
  /// good.
  public static let drain: UInt64 = 200
  /// Milliseconds from SIGHUP to SIGKILL, at most: whoever asks for the end waits for it.
  static let grace: UInt64 = 60_000
  /// Milliseconds from SIGHUP to SIGKILL of a session that no node has come back for: time to save a file.
  static let orphanGrace: UInt64 = 5_000
  /// Signals that Linux has: a node names one by its number.
  static let signals: Int32 = 64
  /// Bytes of a look's answer after which no more is read: the leader's command line. A shell's is short, and nobody looks at another's.
  static let lookAnswer = 16 * 1024
  /// Bytes of it that are read at once.
  static let lookRead = 8 * 1024
  /// Bytes of output that are read after the leader's exit.
  public static let drained = 256 * 1024
  /// How often what a session left is signalled before it is told that it survives: each time by a child that looks at
  /// all processes until it finds none.
  public static let ends = 5
  /// Seconds after which such a child is ended: a /proc that hangs holds nobody else up.
  static let killing: UInt32 = 10
  /// Looks that it takes at all processes, at most; and the first of them, which follow one another without a pause: one
  /// that is forked meanwhile has a number behind the others, mostly, and is found in the same look.
  static let killingLooks: Int32 = 200
  static let killingLooksAtOnce: Int32 = 20
  /// Milliseconds of pause before each of the others: for those that are dying or may not be killed.
  static let killingPause: UInt32 = 20
  /// Seconds after which a child is ended that looks at a leader: /proc may hang.
  static let look: UInt32 = 2
  /// Milliseconds between two of these signals.
  public static let endAgain: UInt64 = 1_000
  /// Milliseconds until it is tried again where no process was to be had for that: those of a session that forks
  /// without end are gone for a moment whenever some end.
  public static let endSoon: UInt64 = 50
  /// How often that is tried again.
  public static let endsWithoutProcess = 200
  /// How often a control group that is not empty is tried to be removed again, after 50 ms and then twice as long each
  /// time, up to a tick: for some 20 minutes.
  public static let groupRemovals = 30
  /// Events that are taken from the system in a turn of the loop; more wait for the next.
  static let events = 64
  /// Children that are reaped in a turn of the loop: orphans of a session that forks come as fast.
  static let reaps = 256
  /// Connections that are accepted in a turn of the loop: those of a stranger that makes many are one turn's work.
  static let accepts = 16
  /// Writes to a peer in a turn of the loop: one that reads as fast as the holder writes would keep it for itself.
  static let writes = 4
  /// Milliseconds that one look may count of the time without a node: a machine that slept has not waited.
  public static let tick: UInt64 = 60_000
}
