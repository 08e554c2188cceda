// The frames between a node and its holder, as the bytes of its connection. Those of every keystroke and of all output
// are written and read here without a copy of their bytes; all others by the codec in Holder.

import Holder
import NIOCore
import Wire

// MARK: To the holder

extension ByteBuffer {
  init(_ frame: NodeFrame) {
    var writer = FrameWriter()
    frame.write(to: &writer)
    self.init(bytes: writer.bytes)
  }

  /// Appends INPUT of a client; of the node itself, what it tells the program unasked.
  mutating func writeInput(
    handle: UInt64, epoch: UInt64, client: ClientKey, offset: UInt64, _ bytes: ByteBuffer
  ) {
    let head = 1 + 5 * MemoryLayout<UInt64>.size + MemoryLayout<UInt32>.size
    writeMultipleIntegers(
      UInt32(truncatingIfNeeded: head + bytes.readableBytes), NodeFrame.inputType, handle, epoch,
      client.high, client.low, offset, UInt32(truncatingIfNeeded: bytes.readableBytes),
      endianness: .little)
    writeImmutableBuffer(bytes)
  }

  mutating func writeAnswer(handle: UInt64, epoch: UInt64, query: UInt64, _ bytes: ByteBuffer) {
    let head = 1 + 3 * MemoryLayout<UInt64>.size + MemoryLayout<UInt32>.size
    writeMultipleIntegers(
      UInt32(truncatingIfNeeded: head + bytes.readableBytes), NodeFrame.answerType, handle, epoch,
      query, UInt32(truncatingIfNeeded: bytes.readableBytes), endianness: .little)
    writeImmutableBuffer(bytes)
  }
}

// MARK: From the holder

extension HolderFrame {
  /// - Parameter bytes: without the length that stands before them.
  init?(_ bytes: ByteBuffer) {
    let bytes = Array(bytes.readableBytesView)
    guard let type = bytes.first else { return nil }
    self.init(type: type, body: bytes[1...])
  }
}

/// OUTPUT, whose bytes stay where they were read.
struct HeldOutput {
  var handle: UInt64
  var offset: UInt64
  var bytes: ByteBuffer

  /// Nil: another frame.
  init?(_ frame: ByteBuffer) {
    var frame = frame
    guard
      let (type, handle, offset, count) = frame.readMultipleIntegers(
        endianness: .little, as: (UInt8, UInt64, UInt64, UInt32).self),
      type == HolderFrame.outputType, frame.readableBytes == Int(count)
    else { return nil }
    self.handle = handle
    self.offset = offset
    bytes = frame
  }
}

/// WRITTEN, which comes for every keystroke.
struct HeldWritten {
  var handle: UInt64
  var client: ClientKey
  var offset: UInt64

  /// Nil: another frame.
  init?(_ frame: ByteBuffer) {
    var frame = frame
    guard
      let (type, handle, high, low, offset) = frame.readMultipleIntegers(
        endianness: .little, as: (UInt8, UInt64, UInt64, UInt64, UInt64).self),
      type == HolderFrame.writtenType, frame.readableBytes == 0
    else { return nil }
    self.handle = handle
    client = ClientKey(high: high, low: low)
    self.offset = offset
  }
}

extension HeldExit {
  var status: ExitStatus? {
    switch self {
    case .exited(let code): .exited(code: Int(code))
    case .signalled(let number): .signalled(number: Int(number))
    case .unknown: nil
    }
  }
}
