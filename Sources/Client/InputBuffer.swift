// What was typed and is not yet known to be in the pipe: acknowledged | sent | waiting, as offsets.
// Pure. At most 64 KiB are under way; the rest of a long paste waits here (promise P2), up to a bound
// (promise P6). An acknowledgement costs the same however much waits.

import DequeModule
import NIOCore
import Wire

struct InputBuffer: Sendable {
  /// Bytes kept in all, as in the browser's library: more than anybody pastes.
  static let largest = 16 * 1024 * 1024
  /// Keys typed one by one are kept together up to this many bytes, so that each does not cost a buffer.
  private static let joined = 4 * 1024

  /// Every byte before this offset was written to the pipe.
  private(set) var acknowledged: UInt64 = 0
  /// Every byte before this offset was sent on the present connection, or had arrived before.
  private(set) var sent: UInt64 = 0
  /// Every byte before this offset was sent on some connection: more the node cannot have.
  private var reached: UInt64 = 0
  /// The bytes from `acknowledged` to `sent`, and those from `sent` on.
  private var underWay: Deque<ByteBuffer> = []
  private var pieces: Deque<ByteBuffer> = []
  /// Bytes in `pieces`.
  private(set) var waiting = 0
  /// False until the first OPENED has said where this client's input begins.
  private var hasBase = false
  /// Something found no room: what follows it is not taken either, until all before has left, so that what
  /// arrives has no gap in it.
  private var isFull = false

  var unacknowledged: Int { Int(sent - acknowledged) + waiting }
  /// The offset for `resume`: nil as long as there was no OPENED.
  var resumeOffset: UInt64? { hasBase ? acknowledged : nil }

  /// False: it was not taken.
  mutating func append(_ more: ByteBuffer) -> Bool {
    let count = more.readableBytes
    if waiting == 0 { isFull = false }
    guard !isFull, count <= Self.largest - unacknowledged else {
      isFull = true
      return false
    }
    guard count > 0 else { return true }
    if let last = pieces.last, last.readableBytes + count <= Self.joined {
      pieces[pieces.count - 1].writeImmutableBuffer(more)
    } else {
      pieces.append(more)
    }
    waiting += count
    return true
  }

  /// Drops what was not sent yet; what was sent may have arrived, and stays.
  /// - Returns: how many bytes it was.
  mutating func discardWaiting() -> Int {
    defer {
      pieces = []
      waiting = 0
    }
    return waiting
  }

  /// The next INPUT frame that may be sent.
  mutating func next() -> Frame? {
    let room = WireLimits.inputInFlight - Int(sent - acknowledged)
    let offset = sent
    return takeWaiting(min(room, WireLimits.dataPayload)).map { .input(offset: offset, $0) }
  }

  /// Moves at most `limit` bytes over to those under way, as one piece.
  private mutating func takeWaiting(_ limit: Int) -> ByteBuffer? {
    guard limit > 0, var piece = takePiece(limit) else { return nil }
    while piece.readableBytes < limit, let more = takePiece(limit - piece.readableBytes) {
      piece.writeImmutableBuffer(more)
    }
    waiting -= piece.readableBytes
    sent += UInt64(piece.readableBytes)
    reached = max(reached, sent)
    underWay.append(piece)
    return piece
  }

  private mutating func takePiece(_ limit: Int) -> ByteBuffer? {
    guard let count = pieces.first?.readableBytes else { return nil }
    let piece = pieces[0].readSlice(length: min(count, limit))
    if count <= limit { pieces.removeFirst() }
    return piece
  }

  mutating func acknowledge(_ offset: UInt64) throws(WireError) {
    guard offset <= sent else {
      throw WireError(.unexpected, "input acknowledged up to \(offset); sent were \(sent)")
    }
    while offset > acknowledged, let first = underWay.first {
      let count = min(first.readableBytes, Int(offset - acknowledged))
      if count == first.readableBytes {
        underWay.removeFirst()
      } else {
        underWay[0].moveReaderIndex(forwardBy: count)
      }
      acknowledged += UInt64(count)
    }
  }

  /// The session was opened (again): its node accepted this client's input up to `offset`, and what
  /// is beyond is sent again.
  /// - Returns: bytes of which it is unknown whether they arrived; they are dropped, with what had
  ///   yet to be sent after them, since the rest of a line must not be typed without its beginning.
  mutating func opened(at offset: UInt64, isInDoubt: Bool) throws(WireError) -> ByteBuffer? {
    if !hasBase {
      hasBase = true
      (acknowledged, sent, reached) = (offset, offset, offset)
      return nil
    }
    if !isInDoubt, offset >= acknowledged {
      guard offset <= reached else {
        throw WireError(.unexpected, "input accepted up to \(offset); sent were \(reached)")
      }
      // Back to where nothing was sent, and from there to where it arrived.
      while let last = underWay.popLast() { pieces.prepend(last) }
      waiting += Int(sent - acknowledged)
      sent = acknowledged
      while sent < offset { _ = takeWaiting(Int(offset - sent)) }
      return nil
    }
    var lost = ByteBuffer()
    for piece in underWay { lost.writeImmutableBuffer(piece) }
    for piece in pieces { lost.writeImmutableBuffer(piece) }
    underWay = []
    _ = discardWaiting()
    (acknowledged, sent, reached) = (offset, offset, offset)
    return lost.readableBytes > 0 ? lost : nil
  }
}
