// What was typed and is not yet known to be in the pipe: acknowledged | sent | waiting, as offsets.
// Pure. At most 64 KiB are under way; the rest of a long paste waits here (promise P2), up to a bound
// (promise P6). An acknowledgement costs the same however much waits.

import DequeModule
import NIOCore
import Wire

struct InputBuffer: Sendable {
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
  /// Everything before this offset may be sent although it takes of the reserve, and is not joined with what
  /// follows: a node takes a key for an interrupt at the end of a short INPUT.
  private var urgent: UInt64 = 0

  var unacknowledged: Int { Int(sent - acknowledged) + waiting }
  /// The offset for `resume`: nil as long as there was no OPENED.
  var resumeOffset: UInt64? { hasBase ? acknowledged : nil }

  /// False: it was not taken.
  mutating func append(_ more: ByteBuffer) -> Bool {
    let count = more.readableBytes
    if waiting == 0 { isFull = false }
    guard !isFull, count <= ClientLimits.input - unacknowledged else {
      isFull = true
      return false
    }
    guard count > 0 else { return true }
    if let last = pieces.last, last.readableBytes + count <= ClientLimits.joinedKeys,
      sent + UInt64(waiting) != urgent
    {
      pieces[pieces.count - 1].writeImmutableBuffer(more)
    } else {
      pieces.append(more)
    }
    waiting += count
    return true
  }

  /// Types an interrupt in the place of what was not sent yet; what was sent may have arrived, and stays. No key
  /// is cut in half, and a paste's frame is closed, so that what follows is not read as a part of it.
  /// - Returns: how many bytes were dropped.
  mutating func interrupt(_ key: ByteBuffer) -> Int {
    let before = waiting
    var last = ByteBuffer()
    // One interrupt does not take another's place.
    if before > 0, sent + UInt64(before) != urgent {
      var rest: [UInt8] = []
      rest.reserveCapacity(before)
      for piece in pieces { rest += piece.readableBytesView }
      let cut = InputCut.endOfKey(before: lastSent, rest: rest[...])
      dropWaiting()
      last.writeBytes(rest[..<cut])
      if InputCut.endsFrame(rest[cut...]) { last.writeBytes(InputCut.frameEnd) }
    }
    let dropped = before - waiting - last.readableBytes
    // As one, or the node would discard with the rest what comes before the key.
    last.writeImmutableBuffer(key)
    pieces.append(last)
    waiting += last.readableBytes
    isFull = false
    urgent = sent + UInt64(waiting)
    return max(0, dropped)
  }

  private mutating func dropWaiting() {
    pieces = []
    waiting = 0
  }

  /// The last bytes that were sent and are not acknowledged, as many as a key may have.
  private var lastSent: [UInt8] {
    var bytes: [UInt8] = []
    for piece in underWay.reversed() where bytes.count < ClientLimits.key {
      bytes = piece.readableBytesView.suffix(ClientLimits.key - bytes.count) + bytes
    }
    return bytes
  }

  /// The next INPUT frame that may be sent.
  mutating func next() -> Frame? {
    let isUrgent = sent < urgent
    let most = WireLimits.inputInFlight - (isUrgent ? 0 : ClientLimits.reserve)
    let room = min(most - Int(sent - acknowledged), WireLimits.dataPayload)
    let offset = sent
    return takeWaiting(isUrgent ? min(room, Int(urgent - sent)) : room, joining: !isUrgent)
      .map { .input(offset: offset, $0) }
  }

  /// Moves at most `limit` bytes over to those under way, as one piece.
  private mutating func takeWaiting(_ limit: Int, joining: Bool = true) -> ByteBuffer? {
    guard limit > 0, var piece = takePiece(limit) else { return nil }
    while joining, piece.readableBytes < limit, let more = takePiece(limit - piece.readableBytes) {
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
      if urgent > 0 { urgent += offset }
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
    let lost = drop()
    (acknowledged, sent, reached) = (offset, offset, offset)
    return lost
  }

  /// - Returns: what is not acknowledged, which is not kept any more; nil: nothing.
  mutating func drop() -> ByteBuffer? {
    var lost = ByteBuffer()
    for piece in underWay { lost.writeImmutableBuffer(piece) }
    for piece in pieces { lost.writeImmutableBuffer(piece) }
    underWay = []
    dropWaiting()
    urgent = 0
    sent = acknowledged
    return lost.readableBytes > 0 ? lost : nil
  }
}
