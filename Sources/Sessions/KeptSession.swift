// A session that a holder keeps while nodes come and go: what the node leaves with the holder, and what the holder has.
// A node that has read the checkpoint and the output after it has the session as it was, byte for byte.
//
// The holder is the truth about the terminal: it says where among the output a size changed, which queries are
// answered, and how far each client's input was written.

public import NIOCore
import Screen
public import Wire

/// What a session's output does not tell, and its next node must know.
public struct KeptState: Codable, Equatable, Sendable {
  /// Whose size the terminal has.
  public var sizeOwner: ClientIdentity?
  /// That client's theme.
  public var colors: ThemeColors?
  /// Why the node ends it.
  public var endCause: EndCause?
  /// Who had it; nil: only the node that started it.
  public var history: [Tenure]?

  /// `sizeHolder` is the key that earlier versions have written.
  private enum CodingKeys: String, CodingKey {
    case colors, endCause, history
    case sizeOwner = "sizeHolder"
  }

  public init(
    sizeOwner: ClientIdentity? = nil, colors: ThemeColors? = nil, endCause: EndCause? = nil,
    history: [Tenure]? = nil
  ) {
    self.sizeOwner = sizeOwner
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
  /// The output's end when the holder told this. Until the session has read up to there, its clients know more than it.
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
