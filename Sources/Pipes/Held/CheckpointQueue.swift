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
  private var isPartUnderWay = false

  /// Adds a checkpoint. The session's earlier one gives way to it unless some of it was sent.
  mutating func append(handle: UInt64, epoch: UInt64, offset: UInt64, _ bytes: ByteBuffer) {
    entries.removeAll { $0.handle == handle && $0.isFirst }
    entries.append(Entry(handle: handle, epoch: epoch, offset: offset, bytes: bytes))
  }

  mutating func removeAll() {
    entries = []
    isPartUnderWay = false
  }

  /// The next part, once the last was written; nil: there is none, or it was not.
  mutating func next() -> NodeFrame? {
    guard !isPartUnderWay, var entry = entries.popFirst() else { return nil }
    let count = min(entry.bytes.readableBytes, PipeLimits.checkpointPart)
    let bytes = entry.bytes.readBytes(length: count) ?? []
    let frame = NodeFrame.checkpoint(
      handle: entry.handle, epoch: entry.epoch, part: .screen, isFirst: entry.isFirst,
      isLast: entry.bytes.readableBytes == 0, offset: entry.offset, drop: 0, bytes: bytes)
    entry.isFirst = false
    if entry.bytes.readableBytes > 0 { entries.prepend(entry) }
    isPartUnderWay = true
    return frame
  }

  mutating func didWrite() { isPartUnderWay = false }
}
