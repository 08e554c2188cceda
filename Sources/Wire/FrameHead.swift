// What stands before the bytes of a frame: its numbers, put together here and written at once, since each write into a
// buffer takes longer than what it writes.

import NIOCore

struct FrameHead {
  /// The longest is SNAPSHOT's: two bytes and six numbers.
  private var bytes = InlineArray<56, UInt8>(repeating: 0)
  private var count = 0

  /// - Parameter body: how many bytes of it follow, numbers included.
  init(_ type: FrameType, stream: UInt64, body: Int) {
    append(varint: UInt64(1 + Varint.length(stream) + body))
    append(type.rawValue)
    append(varint: stream)
  }

  mutating func append(_ byte: UInt8) {
    bytes[count] = byte
    count += 1
  }

  /// In the shortest form. Numbers above 2^62 - 1 cannot occur (offsets count bytes).
  mutating func append(varint value: UInt64) {
    let length = Varint.length(value)
    let mark = UInt8(length.trailingZeroBitCount) << 6
    var shift = 8 * (length - 1)
    append(UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 0x3F | mark)
    while shift > 0 {
      shift -= 8
      append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
  }

  func write(to buffer: inout ByteBuffer) {
    buffer.writeBytes(bytes.span.extracting(0..<count).bytes)
  }
}
