// The frames of one stream that wait for their client. Pure.

import DequeModule
import NIOCore
import Wire

struct OutgoingFrames {
  private var frames: Deque<Frame> = []
  /// How many of the last ones may hold on to a larger buffer.
  private var unsettled = 0

  var isEmpty: Bool { frames.isEmpty }
  var count: Int { frames.count }
  /// Bytes of terminals in them.
  var bytes: Int { frames.reduce(0) { $0 + $1.creditedBytes } }

  /// OUTPUT is joined with its predecessor, so that a trickle does not become a thousand frames.
  /// - Returns: whether there is one frame more.
  @discardableResult
  mutating func append(_ frame: Frame) -> Bool {
    if case .output(let offset, let bytes) = frame, isJoinable(bytes.readableBytes, at: offset) {
      extendLast(by: bytes)
      return false
    }
    frames.append(frame)
    unsettled += 1
    return true
  }

  private func isJoinable(_ count: Int, at offset: UInt64) -> Bool {
    guard case .output(let start, let before)? = frames.last else { return false }
    return start + UInt64(before.readableBytes) == offset
      && before.readableBytes + count <= WireLimits.dataPayload
  }

  /// Appends to the last frame. It is taken out meanwhile, so that nobody else holds its buffer, which grows where it
  /// lies.
  private mutating func extendLast(by bytes: ByteBuffer) {
    guard case .output(let start, var joined)? = frames.popLast() else { return }
    joined.writeImmutableBuffer(bytes)
    frames.append(.output(offset: start, joined))
  }

  mutating func popFirst() -> Frame? {
    let frame = frames.popFirst()
    unsettled = min(unsettled, frames.count)
    return frame
  }

  /// Copies what has to wait, so that a small slice does not pin the link's read buffer.
  mutating func settle() {
    guard unsettled > 0 else { return }
    for index in (frames.count - unsettled)..<frames.count {
      guard case .output(let offset, let bytes) = frames[index] else { continue }
      var copy = ByteBuffer()
      copy.writeImmutableBuffer(bytes)
      frames[index] = .output(offset: offset, copy)
    }
    unsettled = 0
  }

  mutating func removeAll() { self = OutgoingFrames() }
}
