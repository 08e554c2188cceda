// From where a session can be made again: a screen, the lines above it in pieces, and the offset at which the output
// goes on. The holder knows nothing of what is in it. It changes only when the next one is whole.

struct Checkpoint {
  /// What a node has sent of the next one.
  private struct Next {
    var offset: UInt64
    var drop: Int
    /// Bytes of the pieces that it goes on with.
    var kept: Int
    var scrollback: [UInt8] = []
    var screen: [UInt8] = []
  }

  private(set) var offset: UInt64 = 0
  private(set) var scrollback: [[UInt8]] = []
  private(set) var screen: [UInt8] = []
  private var next: Next?

  enum Verdict: Equatable { case part, whole, wrong }

  /// - Parameter end: of the log: no checkpoint shows more.
  mutating func receive(
    _ part: CheckpointPart, isFirst: Bool, isLast: Bool, offset: UInt64, drop: UInt32,
    _ piece: [UInt8], end: UInt64
  ) -> Verdict {
    if isFirst {
      next = nil
      guard offset >= self.offset, offset <= end, Int(drop) <= scrollback.count else {
        return .wrong
      }
      let kept = scrollback.dropFirst(Int(drop)).reduce(0) { $0 + $1.count }
      next = Next(offset: offset, drop: Int(drop), kept: kept)
    }
    guard var next, next.offset == offset else { return .wrong }
    self.next = nil  // so that it is not copied
    // What it replaces does not count: it would keep a large one from ever being followed.
    guard
      next.kept + next.scrollback.count + next.screen.count + piece.count
        <= HolderLimits.checkpoint
    else { return .wrong }
    switch part {
    case .scrollback: next.scrollback.append(contentsOf: piece)
    case .screen: next.screen.append(contentsOf: piece)
    }
    guard isLast else {
      self.next = next
      return .part
    }
    if !next.scrollback.isEmpty, scrollback.count - next.drop >= HolderLimits.checkpointPieces {
      return .wrong
    }
    scrollback.removeFirst(next.drop)
    if !next.scrollback.isEmpty { scrollback.append(next.scrollback) }
    screen = next.screen
    self.offset = next.offset
    return .whole
  }

  /// The node that was sending one is gone.
  mutating func abandon() { next = nil }
}
