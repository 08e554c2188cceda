// What bounds a holder: what it is told comes over a socket, from whoever can reach it.

/// Each with the reason for its number.
public enum HolderLimits {
  /// A frame, in bytes: a start with a descriptor of the largest size, and its arguments and environment.
  public static let frame = 1024 * 1024
  /// A frame of a peer that has proven nothing, in bytes: its proof has 69.
  public static let stranger = 256
  /// What one frame of output or of a checkpoint carries at most, in bytes: an echo waits behind one of each session.
  public static let payload = 16 * 1024
  /// What waits for a peer, in bytes, before its sessions' output stays in their logs.
  public static let outbox = 256 * 1024
  /// What answers and reports may add to that, in bytes, before a peer that does not read is let go.
  public static let outboxMost = 8 * 1024 * 1024
  /// Peers at once: each loop of a node, a node that takes over, a command, and some that prove nothing.
  public static let peers = 64
  /// How long a peer may take to prove that it knows the key, in milliseconds.
  public static let proof: UInt64 = 5_000
  /// How often the holder asks a peer whether it is alive, in milliseconds; one that has not said anything for twice
  /// as long is told to others as not heard of, and stays.
  public static let ping: UInt64 = 5_000
  /// Sessions at once. A machine's pseudo-terminals end before.
  public static let sessions = 10_000
  /// A session's log, in bytes.
  public static let logMost = 64 * 1024 * 1024
  /// A page of it, in bytes: an idle session has written little, and is to cost little.
  public static let logPage = 2 * 1024
  /// What is read from a terminal at once, in bytes: it gives no more than 4,095.
  public static let terminalRead = 4 * 1024
  /// Changes of size that a log keeps.
  public static let sizes = 1_024
  /// A descriptor, in bytes: it has what the session was created with, whose 64 KiB may take six times that as JSON.
  /// And what else a node must know.
  public static let descriptor = 512 * 1024
  public static let state = 16 * 1024
  /// A session's checkpoint, in bytes: a screen of 1,000 × 1,000 with attributes, and 100,000 lines.
  public static let checkpoint = 64 * 1024 * 1024
  /// Pieces of scrollback that a checkpoint is made of.
  public static let checkpointPieces = 4_096
  /// Input that waits for a terminal, in bytes: a node gives the next piece once this one was written.
  public static let input = 256 * 1024
  /// Clients whose input a session remembers.
  public static let ledgers = 64
  /// After so long a query is not answered any more, in milliseconds: a shell would read the answer as typed.
  public static let query: UInt64 = 2_000
  /// Without a session and a peer for so long it ends, in milliseconds: the next node starts another.
  public static let idle: UInt64 = 60_000
  /// How long a child may take to come to its exec, in milliseconds: its directory may be on a mount that hangs.
  public static let start: UInt64 = 5_000
  /// How long output is read after the leader's exit, in milliseconds, and how much, in bytes: a background job may
  /// hold the terminal open for good.
  public static let drain: UInt64 = 200
  public static let drained = 256 * 1024
  /// How often what a session left is signalled before it is told that it survives, and the time between.
  public static let ends = 5
  public static let endAgain: UInt64 = 1_000
  /// Of the time without a node, what one look may count, in milliseconds: a machine that slept has not waited.
  public static let tick: UInt64 = 60_000
}
