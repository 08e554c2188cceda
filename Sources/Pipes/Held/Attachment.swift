// A session that is being attached: what its holder tells of it, piece by piece, until it can be made again.

import Holder
public import NIOCore
public import Wire

/// What a holder tells of a session.
public struct KeptTerminal: Sendable {
  /// What a node left beside the checkpoint.
  public var state: [UInt8]
  /// The screen at `offset`, and its size; nil: nothing was left, and `offset` is 0.
  public var checkpoint: (bytes: ByteBuffer, size: TerminalSize)?
  /// Where the output goes on, and the terminal's size there.
  public var offset: UInt64
  public var size: TerminalSize
  /// The output right before that, as far back as there is some, and the changes of size among it.
  public var older: ByteBuffer
  public var olderSizes: [(offset: UInt64, size: TerminalSize)]
  /// The output's end.
  public var end: UInt64
  public var answered: UInt64
  public var hasForgotten: Bool
  /// Whether its process has ended.
  public var hasEnded: Bool
}

/// A session of a holder as it was found there, and its pipe, which is not reading yet.
public struct AttachedPipe {
  public let pipe: any Pipe
  public let terminal: KeptTerminal
}

/// Confined to its connection's event loop.
struct Attachment {
  let promise: EventLoopPromise<NIOLoopBound<AttachedPipe>>
  let epoch: UInt64
  private(set) var found: HeldState?
  private var checkpoint = ByteBuffer()
  private var isCheckpointDone = false
  private var older = ByteBuffer()
  private var isOlderDone = false

  /// So much of the latest output is of use.
  private let latest: UInt64
  /// Where what is older than the checkpoint begins, as far as it is asked for.
  private var olderStart: UInt64 = 0

  init(_ promise: EventLoopPromise<NIOLoopBound<AttachedPipe>>, epoch: UInt64, latest: Int) {
    self.promise = promise
    self.epoch = epoch
    self.latest = UInt64(max(0, latest))
  }

  /// The output to ask for next: what is older than the checkpoint, for clients that come back.
  private(set) var wanted: Range<UInt64>?

  /// False: no holder has such a session.
  mutating func didFind(_ state: HeldState) -> Bool {
    guard found == nil, state.isPossible, state.next == state.checkpoint else { return false }
    found = state
    olderStart = max(state.logStart, state.logEnd - min(state.logEnd, latest))
    askForOlder()
    return true
  }

  private mutating func askForOlder() {
    wanted = nil
    guard let found else { return }
    let from = olderStart + UInt64(older.readableBytes)
    if from < found.checkpoint { wanted = from..<found.checkpoint } else { isOlderDone = true }
  }

  /// False: that is more than a holder has.
  mutating func didReceiveCheckpoint(_ bytes: [UInt8], isLast: Bool) -> Bool {
    guard !isCheckpointDone, checkpoint.readableBytes + bytes.count <= HolderLimits.checkpoint
    else { return false }
    checkpoint.writeBytes(bytes)
    isCheckpointDone = isLast
    return true
  }

  /// False: that is not what was asked for.
  mutating func didReceiveOlder(_ bytes: [UInt8], at offset: UInt64) -> Bool {
    guard let found, let asked = wanted else { return false }
    let expected = olderStart + UInt64(older.readableBytes)
    guard offset == expected, UInt64(bytes.count) <= found.checkpoint - expected else {
      return false
    }
    guard bytes.isEmpty else {
      older.writeBytes(bytes)
      return true
    }
    // An answer that brought nothing: the log has lost it meanwhile.
    guard expected > asked.lowerBound else {
      older.clear()
      wanted = nil
      isOlderDone = true
      return true
    }
    askForOlder()
    return true
  }

  var isDone: Bool { found != nil && isCheckpointDone && isOlderDone }

  /// Nil: what the holder has cannot be a session of ours.
  var terminal: KeptTerminal? {
    guard let found else { return nil }
    var bytes = checkpoint
    let shown = bytes.readableBytes > 0 ? CheckpointHead(&bytes) : nil
    guard let size = TerminalSize(found.columns, found.rows), found.next == found.checkpoint,
      shown != nil || found.checkpoint == 0
    else { return nil }
    return KeptTerminal(
      state: found.state, checkpoint: shown.map { (bytes, $0.size) }, offset: found.checkpoint,
      size: size, older: older,
      olderSizes: found.sizes.compactMap { change in
        guard change.offset >= found.checkpoint - UInt64(older.readableBytes) else { return nil }
        return TerminalSize(change.columns, change.rows).map { (change.offset, $0) }
      },
      end: found.logEnd, answered: found.answered, hasForgotten: found.hasForgotten,
      hasEnded: found.exit != nil)
  }
}

extension HeldState {
  /// Whether it can be a session's: its offsets in their order, and not so far that a sum of them is no number, and
  /// no more of anything than a holder keeps.
  var isPossible: Bool {
    logStart <= checkpoint && checkpoint <= next && next <= logEnd && logEnd <= Varint.maximum
      && checkpoint - logStart <= UInt64(HolderLimits.logMost)
      && logEnd - checkpoint <= UInt64(HolderLimits.logMost)
      && ledgers.count <= HolderLimits.ledgers && sizes.count <= HolderLimits.sizes
      && sizes.allSatisfy { $0.offset <= next }
  }
}

/// What stands before a snapshot in a checkpoint.
struct CheckpointHead {
  var size: TerminalSize
  static let length = 4

  init(_ size: TerminalSize) { self.size = size }

  /// Nil: none stands there.
  init?(_ bytes: inout ByteBuffer) {
    guard let columns: UInt16 = bytes.readInteger(endianness: .little),
      let rows: UInt16 = bytes.readInteger(endianness: .little),
      let size = TerminalSize(columns, rows)
    else { return nil }
    self.size = size
  }

  func write(to bytes: inout ByteBuffer) {
    bytes.writeInteger(UInt16(clamping: size.columns), endianness: .little)
    bytes.writeInteger(UInt16(clamping: size.rows), endianness: .little)
  }
}

extension TerminalSize {
  /// Nil: no terminal of ours has this size.
  init?(_ columns: UInt16, _ rows: UInt16) {
    let size = TerminalSize(columns: Int(columns), rows: Int(rows))
    guard size.isValid else { return nil }
    self = size
  }
}
