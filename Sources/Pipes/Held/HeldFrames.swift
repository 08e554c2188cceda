// The frames of every keystroke, as the codec in Holder writes them, but without a copy of their bytes.

import Holder
import NIOCore

extension ByteBuffer {
  private mutating func writeHead(_ type: UInt8, count: Int, handle: UInt64, epoch: UInt64) {
    writeInteger(UInt32(truncatingIfNeeded: 1 + count), endianness: .little)
    writeInteger(type)
    writeInteger(handle, endianness: .little)
    writeInteger(epoch, endianness: .little)
  }

  private mutating func writeCounted(_ bytes: ByteBuffer) {
    writeInteger(UInt32(truncatingIfNeeded: bytes.readableBytes), endianness: .little)
    writeImmutableBuffer(bytes)
  }

  mutating func writeInput(
    handle: UInt64, epoch: UInt64, client: ClientKey, offset: UInt64, _ bytes: ByteBuffer
  ) {
    writeHead(
      NodeFrame.inputType, count: 44 + bytes.readableBytes, handle: handle, epoch: epoch)
    writeInteger(client.high, endianness: .little)
    writeInteger(client.low, endianness: .little)
    writeInteger(offset, endianness: .little)
    writeCounted(bytes)
  }

  mutating func writeAnswer(
    handle: UInt64, epoch: UInt64, query: UInt64, _ bytes: ByteBuffer
  ) {
    writeHead(
      NodeFrame.answerType, count: 28 + bytes.readableBytes, handle: handle, epoch: epoch)
    writeInteger(query, endianness: .little)
    writeCounted(bytes)
  }
}
