// Variable-length integers as in QUIC (RFC 9000 §16): the two highest bits of the first byte give
// the length 1, 2, 4 or 8; the rest is the number, big endian. Range 0 to 2^62 - 1.

public import NIOCore

public enum Varint {
  public static let maximum: UInt64 = (1 << 62) - 1

  /// Bytes that `value` takes: 1, 2, 4 or 8.
  @inlinable
  public static func length(_ value: UInt64) -> Int {
    if value < 1 << 6 { return 1 }
    if value < 1 << 14 { return 2 }
    if value < 1 << 30 { return 4 }
    return 8
  }

  /// The number that begins at `index`, which moves behind it. Nil: it is not there whole.
  @inlinable
  static func read(_ bytes: borrowing Span<UInt8>, at index: inout Int) -> UInt64? {
    guard index < bytes.count else { return nil }
    let first = bytes[index]
    let length = 1 << Int(first >> 6)
    guard length <= bytes.count - index else { return nil }
    var value = UInt64(first & 0x3F)
    for next in index + 1..<index + length { value = value << 8 | UInt64(bytes[next]) }
    index += length
    return value
  }
}

extension ByteBuffer {
  /// Writes `value` in the shortest form. Numbers above 2^62 - 1 cannot occur (offsets count bytes).
  @inlinable
  public mutating func writeVarint(_ value: UInt64) {
    switch Varint.length(value) {
    case 1: writeInteger(UInt8(truncatingIfNeeded: value))
    case 2: writeInteger(UInt16(truncatingIfNeeded: value) | 0x4000)
    case 4: writeInteger(UInt32(truncatingIfNeeded: value) | 0x8000_0000)
    default: writeInteger((value & Varint.maximum) | 0xC000_0000_0000_0000)
    }
  }

  /// Nil, and nothing read, when the number is not there whole.
  @inlinable
  public mutating func readVarint() -> UInt64? {
    var length = 0
    guard let value = Varint.read(readableBytesUInt8Span, at: &length) else { return nil }
    moveReaderIndex(forwardBy: length)
    return value
  }
}
