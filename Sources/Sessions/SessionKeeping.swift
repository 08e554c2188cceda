// A session that a holder keeps while nodes come and go: what the node leaves with the holder, and how the session is
// made again from that by another node, or by this one's next start. A node that has read the checkpoint and the output
// after it has the session as it was, byte for byte.
//
// The holder is the truth about the terminal: it says where among the output a size changed, which queries are
// answered, and how far each client's input was written.

import DequeModule
public import NIOCore
import Screen
public import Wire

/// What of a session changes, is not in its output, and must outlast its node.
public struct KeptState: Codable, Equatable, Sendable {
  /// Whose size the terminal has.
  public var sizeHolder: ClientIdentity?
  /// That client's theme.
  public var colors: ThemeColors?
  /// Why the node ends it.
  public var endCause: EndCause?
  /// Who had it; nil: only the node that started it.
  public var history: [Tenure]?

  public init(
    sizeHolder: ClientIdentity? = nil, colors: ThemeColors? = nil, endCause: EndCause? = nil,
    history: [Tenure]? = nil
  ) {
    self.sizeHolder = sizeHolder
    self.colors = colors
    self.endCause = endCause
    self.history = history
  }
}

/// A session as its holder has it.
public struct KeptSession: Sendable {
  public var state: KeptState
  /// The screen as it was at an offset of the output; nil: at offset 0, and empty.
  public var checkpoint: (bytes: ByteBuffer, size: TerminalSize)?
  /// The terminal's size at the checkpoint's offset.
  public var size: TerminalSize
  /// The output before the checkpoint's offset that can still be sent, and the changes of size among it and right
  /// behind it.
  public var older: ByteBuffer
  public var olderSizes: [(offset: UInt64, size: TerminalSize)]
  /// The checkpoint's offset.
  public var offset: UInt64
  /// The output's end when this was told: until all of that is read, the session is not what its clients know.
  public var end: UInt64
  /// What the program asked before this offset is answered.
  public var answered: UInt64
  /// The holder has dropped some client's ledger.
  public var hasForgotten: Bool
  /// Bytes of output that the holder keeps; nil: as many as this node has in its own log.
  public var logLimit: Int?

  public init(
    state: KeptState = KeptState(),
    checkpoint: (bytes: ByteBuffer, size: TerminalSize)? = nil,
    size: TerminalSize, older: ByteBuffer = ByteBuffer(),
    olderSizes: [(offset: UInt64, size: TerminalSize)] = [], offset: UInt64 = 0, end: UInt64 = 0,
    answered: UInt64 = 0, hasForgotten: Bool = false, logLimit: Int? = nil
  ) {
    self.state = state
    self.checkpoint = checkpoint
    self.size = size
    self.older = older
    self.olderSizes = olderSizes
    self.offset = offset
    self.end = end
    self.answered = answered
    self.hasForgotten = hasForgotten
    self.logLimit = logLimit
  }
}

/// What a session has to remember since it is kept.
struct SessionKeeping {
  /// Queries before this offset are answered, also where the output is read again.
  let answered: UInt64
  /// The output's end when the session was made again.
  let end: UInt64
  /// Changes of size that the pipe has told, and how much of the unread output comes before each.
  var sizes: Deque<(after: Int, size: TerminalSize)> = []
  /// The pipe was asked for a change of size, and has not told of it.
  var isSizeUnderWay = false
  /// The offset of the checkpoint that was left last.
  var checkpoint: UInt64
  /// How long that was, if it told the whole scrollback.
  var checkpointBytes = 0
  /// A checkpoint without the scrollback, which may be left once that has come anew since.
  var young: YoungCheckpoint?
  /// A checkpoint that is being made. The session reads nothing meanwhile.
  var making: CheckpointMaker?
  /// Lines of the scrollback that go into one, and its bytes at most.
  var scrollback = Int.max
  var most = SessionLimits.checkpoint
  var isQuietCheckSet = false
  /// When the oldest answer that is not written yet was given.
  var unansweredSince: NIODeadline?
  /// The theme that the state tells.
  var colors: ThemeColors?
  /// What the holder's log has room for.
  let room: UInt64

  init(_ kept: KeptSession, _ settings: SessionSettings) {
    answered = kept.answered
    end = kept.end
    checkpoint = kept.offset
    colors = kept.state.colors
    room = UInt64(max(kept.logLimit ?? settings.logLimit, SessionLimits.logPage))
  }
}

extension SessionCore {
  /// What is to be kept beside the checkpoint.
  public var state: KeptState {
    KeptState(
      sizeHolder: sizeRule.holder, colors: kept?.colors, endCause: endCause,
      history: history.count > 1 ? history : nil)
  }

  /// Notes that a node has the session from now on.
  public mutating func begin(_ tenure: Tenure) {
    history = history.followed(by: tenure)
    noteState()
  }

  /// Whether all output is read that there was when the session was made again. Only then may its clients come back:
  /// they may have seen all of it.
  public var isUpToDate: Bool { log.end >= kept?.end ?? 0 }

  // MARK: The size

  /// From here on among the output the terminal has this size.
  public mutating func pipeDidResize(_ size: TerminalSize, now: NIODeadline) {
    guard let kept, size.isValid else { return }
    if kept.isSizeUnderWay { self.kept?.isSizeUnderWay = false } else { sizeRule.follow(size) }
    self.kept?.sizes.append((unread.readableBytes, size))
    actions.append(.work)
  }

  /// Whether the size has to change, and may: one change is under way at a time.
  var isSizeDue: Bool { isRunning && sizeRule.isDue && kept?.isSizeUnderWay != true }

  /// How much of the unread output comes before the next change of size; nil: there is none.
  var unreadBeforeSize: Int? { kept?.sizes.first?.after }

  /// Notes that so much of the unread output was read.
  mutating func advanceSizes(by count: Int) {
    guard kept?.sizes.isEmpty == false else { return }
    for index in kept?.sizes.indices ?? 0..<0 { kept?.sizes[index].after -= count }
  }

  /// Takes in the next change of size: all output before it is read.
  mutating func takeInNextSize(work: Int) {
    if let next = kept?.sizes.popFirst() { takeInSize(next.size, work: work) }
  }

  mutating func noteState() { if kept != nil { actions.append(.keepState) } }
}

extension OutputLog {
  /// The log of a session as its holder has it: so much of the output, and the changes of size among it.
  convenience init(_ kept: KeptSession, limit: Int, source: any PageSource) {
    let start = kept.offset - min(kept.offset, UInt64(kept.older.readableBytes))
    self.init(limit: limit, source: source, startingAt: start)
    var older = kept.older
    for (offset, size) in kept.olderSizes {
      guard offset >= end,
        let bytes = older.readSlice(length: min(Int(offset - end), older.readableBytes))
      else { continue }
      bytes.withUnsafeReadableBytes { append($0) }
      _ = markSize(size)
    }
    older.withUnsafeReadableBytes { append($0) }
  }
}

extension Screen {
  /// The screen that a checkpoint shows.
  convenience init(_ kept: KeptSession, scrollback: Int) {
    let size = kept.checkpoint?.size ?? kept.size
    self.init(columns: size.columns, rows: size.rows, scrollback: scrollback)
    guard let checkpoint = kept.checkpoint else { return }
    checkpoint.bytes.withUnsafeReadableBytes { write($0) }
    // What the checkpoint's bytes ask and say was answered and told before.
    _ = takeAnswers()
    _ = takeEvents()
    for size in kept.sizes(since: size) { resize(columns: size.columns, rows: size.rows) }
  }
}

extension KeptSession {
  /// The sizes that the terminal has had since its checkpoint was made, at the checkpoint's offset. Each of them moved
  /// the cursor and the lines, so that the last one alone would not lead to the same screen.
  fileprivate func sizes(since shown: TerminalSize) -> [TerminalSize] {
    var sizes = olderSizes.filter { $0.offset == offset }.map(\.size)
    if let index = sizes.lastIndex(of: shown) { sizes.removeFirst(index + 1) }
    if (sizes.last ?? shown) != size { sizes.append(size) }
    return sizes
  }
}
