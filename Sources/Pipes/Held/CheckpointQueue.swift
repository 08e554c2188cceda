// Checkpoints on their way to the holder, a part at a time: a large screen's must not stand before a keystroke.

import DequeModule
import Holder
import NIOCore

/// The checkpoints of one connection; confined to its event loop.
struct CheckpointQueue {
  private struct Entry {
    var handle: UInt64
    var epoch: UInt64
    var offset: UInt64
    var bytes: ByteBuffer
    var isFirst = true
  }

  private var entries: Deque<Entry> = []
  /// The session of the part that is under way; nil: none is.
  private var underWay: UInt64?
  /// Who waits until nothing of a session's is left here.
  private var waiting: [(handle: UInt64, sent: EventLoopPromise<Void>)] = []

  /// Adds a checkpoint. The session's earlier one gives way to it unless some of it was sent.
  mutating func append(handle: UInt64, epoch: UInt64, offset: UInt64, _ bytes: ByteBuffer) {
    entries.removeAll { $0.handle == handle && $0.isFirst }
    entries.append(Entry(handle: handle, epoch: epoch, offset: offset, bytes: bytes))
  }

  mutating func removeAll() {
    (entries, underWay) = ([], nil)
    tellThoseWhoWait()
  }

  /// Succeeds the promise once the session's last checkpoint was written, or is not to be.
  mutating func tell(_ sent: EventLoopPromise<Void>, whenSent handle: UInt64) {
    waiting.append((handle, sent))
    tellThoseWhoWait()
  }

  private mutating func tellThoseWhoWait() {
    waiting.removeAll { handle, sent in
      if underWay == handle || entries.contains(where: { $0.handle == handle }) { return false }
      sent.succeed()
      return true
    }
  }

  /// The next part, once the last was written; nil: there is none, or it was not.
  mutating func next() -> NodeFrame? {
    guard underWay == nil, var entry = entries.popFirst() else { return nil }
    let count = min(entry.bytes.readableBytes, PipeLimits.checkpointPart)
    let bytes = entry.bytes.readBytes(length: count) ?? []
    let frame = NodeFrame.checkpoint(
      handle: entry.handle, epoch: entry.epoch, part: .screen, isFirst: entry.isFirst,
      isLast: entry.bytes.readableBytes == 0, offset: entry.offset, drop: 0, bytes: bytes)
    entry.isFirst = false
    if entry.bytes.readableBytes > 0 { entries.prepend(entry) }
    underWay = entry.handle
    return frame
  }

  mutating func didWrite() {
    underWay = nil
    tellThoseWhoWait()
  }
}
