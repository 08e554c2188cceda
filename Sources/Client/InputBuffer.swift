// What was typed and is not yet known to be in the pipe: acknowledged | sent | waiting, as offsets.
// Pure. At most 64 KiB are under way; the rest of a long paste waits here (promise P2).

import NIOCore
import Wire

struct InputBuffer: Sendable {
  /// Every byte before this offset was written to the pipe.
  private(set) var acknowledged: UInt64 = 0
  /// Every byte before this offset was sent on the present connection, or had arrived before.
  private(set) var sent: UInt64 = 0
  /// The bytes from `acknowledged` on.
  private var bytes = ByteBuffer()
  /// False until the first OPENED has said where this client's input begins.
  private var hasBase = false

  var end: UInt64 { acknowledged + UInt64(bytes.readableBytes) }
  var unacknowledged: Int { bytes.readableBytes }
  var waiting: Int { Int(end - sent) }
  /// The offset for `resume`: nil as long as there was no OPENED.
  var resumeOffset: UInt64? { hasBase ? acknowledged : nil }

  mutating func append(_ more: ByteBuffer) { bytes.writeImmutableBuffer(more) }

  /// The next INPUT frame that may be sent.
  mutating func next() -> Frame? {
    let room = WireLimits.inputInFlight - Int(sent - acknowledged)
    let count = min(waiting, room, WireLimits.dataPayload)
    guard count > 0,
      let piece = bytes.getSlice(
        at: bytes.readerIndex + Int(sent - acknowledged), length: count)
    else { return nil }
    defer { sent += UInt64(count) }
    return .input(offset: sent, piece)
  }

  mutating func acknowledge(_ offset: UInt64) throws(WireError) {
    guard offset <= sent else {
      throw WireError(.unexpected, "input acknowledged up to \(offset); sent were \(sent)")
    }
    guard offset > acknowledged else { return }
    bytes.moveReaderIndex(forwardBy: Int(offset - acknowledged))
    acknowledged = offset
    if bytes.readableBytes == 0 { bytes.clear() } else { bytes.discardReadBytes() }
  }

  /// The session was opened (again): its node accepted this client's input up to `offset`, and what
  /// is beyond is sent again.
  /// - Returns: bytes of which it is unknown whether they arrived; they are dropped, with what had
  ///   yet to be sent after them, since the rest of a line must not be typed without its beginning.
  mutating func opened(at offset: UInt64, isInDoubt: Bool) throws(WireError) -> ByteBuffer? {
    if !hasBase {
      hasBase = true
      (acknowledged, sent) = (offset, offset)
      return nil
    }
    if !isInDoubt, offset >= acknowledged {
      guard offset <= end else {
        throw WireError(.unexpected, "input accepted up to \(offset); there was none after \(end)")
      }
      sent = offset
      return nil
    }
    let lost = bytes
    bytes = ByteBuffer()
    (acknowledged, sent) = (offset, offset)
    return lost.readableBytes > 0 ? lost : nil
  }
}
