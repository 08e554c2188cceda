// Numbers as in RFC 9000 §16: its own vectors, every length's borders, and forms that are longer than
// they need to be (promise P9).

import NIOCore
import Testing
import Wire

@Suite struct VarintTests {
  /// RFC 9000, appendix A.1; the last one is its example of a longer form.
  static let vectors: [([UInt8], UInt64)] = [
    ([0xC2, 0x19, 0x7C, 0x5E, 0xFF, 0x14, 0xE8, 0x8C], 151_288_809_941_952_652),
    ([0x9D, 0x7F, 0x3E, 0x7D], 494_878_333), ([0x7B, 0xBD], 15_293), ([0x25], 37),
    ([0x40, 0x25], 37),
  ]

  @Test(arguments: vectors) func theVectorsOfTheRFCAreRead(bytes: [UInt8], value: UInt64) {
    var buffer = ByteBuffer(bytes: bytes)
    #expect(buffer.readVarint() == value)
    #expect(buffer.readableBytes == 0)
  }

  @Test(arguments: vectors.dropLast()) func aNumberIsWrittenInItsShortestForm(
    bytes: [UInt8], value: UInt64
  ) {
    var buffer = ByteBuffer()
    buffer.writeVarint(value)
    #expect(Array(buffer.readableBytesView) == bytes)
  }

  @Test(
    "the shortest form is written",
    arguments: [
      (0, 1), (63, 1), (64, 2), (16_383, 2), (16_384, 4), ((1 << 30) - 1, 4), (1 << 30, 8),
      (Varint.maximum, 8),
    ] as [(UInt64, Int)])
  func borders(value: UInt64, length: Int) {
    var buffer = ByteBuffer()
    buffer.writeVarint(value)
    #expect(buffer.readableBytes == length)
    #expect(Varint.length(value) == length)
    #expect(buffer.readVarint() == value)
  }

  @Test("any form is read", arguments: [0, 1, 37, 63] as [UInt8])
  func longForms(value: UInt8) {
    for length in [1, 2, 4, 8] {
      var bytes = [UInt8](repeating: 0, count: length)
      bytes[length - 1] = value
      bytes[0] |= UInt8([1: 0, 2: 1, 4: 2, 8: 3][length, default: 0]) << 6
      var buffer = ByteBuffer(bytes: bytes)
      #expect(buffer.readVarint() == UInt64(value))
    }
  }

  @Test(arguments: vectors) func aNumberThatIsNotWholeIsLeftUnread(bytes: [UInt8], _: UInt64) {
    for count in 0..<bytes.count {
      var buffer = ByteBuffer(bytes: bytes.prefix(count))
      #expect(buffer.readVarint() == nil)
      #expect(buffer.readableBytes == count)
    }
  }
}
