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
    writeFrame(NodeFrame.inputType, handle: handle, epoch: epoch, bytes) {
      $0.writeInteger(client.high, endianness: .little)
      $0.writeInteger(client.low, endianness: .little)
      $0.writeInteger(offset, endianness: .little)
    }
  }

  mutating func writeAnswer(handle: UInt64, epoch: UInt64, query: UInt64, _ bytes: ByteBuffer) {
    writeFrame(NodeFrame.answerType, handle: handle, epoch: epoch, bytes) {
      $0.writeInteger(query, endianness: .little)
    }
  }

  private mutating func writeFrame(
    _ type: UInt8, handle: UInt64, epoch: UInt64, _ bytes: ByteBuffer,
    place: (inout ByteBuffer) -> Void
  ) {
    let length = writerIndex
    writeInteger(UInt32(0), endianness: .little)
    let start = writerIndex
    writeInteger(type)
    writeInteger(handle, endianness: .little)
    writeInteger(epoch, endianness: .little)
    place(&self)
    writeInteger(UInt32(truncatingIfNeeded: bytes.readableBytes), endianness: .little)
    writeImmutableBuffer(bytes)
    setInteger(UInt32(truncatingIfNeeded: writerIndex - start), at: length, endianness: .little)
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
    guard frame.readInteger(as: UInt8.self) == HolderFrame.outputType,
      let handle = frame.readInteger(endianness: .little, as: UInt64.self),
      let offset = frame.readInteger(endianness: .little, as: UInt64.self),
      let count = frame.readInteger(endianness: .little, as: UInt32.self),
      frame.readableBytes == Int(count)
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
    guard frame.readInteger(as: UInt8.self) == HolderFrame.writtenType,
      let handle = frame.readInteger(endianness: .little, as: UInt64.self),
      let high = frame.readInteger(endianness: .little, as: UInt64.self),
      let low = frame.readInteger(endianness: .little, as: UInt64.self),
      let offset = frame.readInteger(endianness: .little, as: UInt64.self),
      frame.readableBytes == 0
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
