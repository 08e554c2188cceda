// UTF-8 for text that this module wrote itself, so that it is known to be well formed. (What comes
// from a program is decoded by the parser, byte by byte.)

/// Gives a code point's bytes (up to U+10FFFF) with their positions; returns their number, 1 to 4.
@inline(__always)
func encodeUTF8(_ code: UInt32, _ put: (Int, UInt8) -> Void) -> Int {
  if code < 0x80 {
    put(0, UInt8(truncatingIfNeeded: code))
    return 1
  }
  if code < 0x800 {
    put(0, UInt8(truncatingIfNeeded: 0xC0 | code >> 6))
    put(1, UInt8(truncatingIfNeeded: 0x80 | code & 0x3F))
    return 2
  }
  if code < 0x1_0000 {
    put(0, UInt8(truncatingIfNeeded: 0xE0 | code >> 12))
    put(1, UInt8(truncatingIfNeeded: 0x80 | code >> 6 & 0x3F))
    put(2, UInt8(truncatingIfNeeded: 0x80 | code & 0x3F))
    return 3
  }
  put(0, UInt8(truncatingIfNeeded: 0xF0 | code >> 18))
  put(1, UInt8(truncatingIfNeeded: 0x80 | code >> 12 & 0x3F))
  put(2, UInt8(truncatingIfNeeded: 0x80 | code >> 6 & 0x3F))
  put(3, UInt8(truncatingIfNeeded: 0x80 | code & 0x3F))
  return 4
}

/// Reads the code point at `position` and moves past it. Stops at the end of the text.
func decodeUTF8(_ text: Block<UInt8>, _ position: inout Int) -> UInt32 {
  let lead = UInt32(text[position])
  position += 1
  let more: Int
  var code: UInt32
  switch lead {
  case 0..<0x80: return lead
  case 0..<0xE0: (more, code) = (1, lead & 0x1F)
  case 0..<0xF0: (more, code) = (2, lead & 0x0F)
  default: (more, code) = (3, lead & 0x07)
  }
  for _ in 0..<more where position < text.count {
    code = code << 6 | UInt32(text[position] & 0x3F)
    position += 1
  }
  return code
}

extension [UInt8] {
  mutating func appendUTF8(_ code: UInt32) {
    _ = encodeUTF8(code) { append($1) }
  }

  /// Appends a number in decimal.
  mutating func append(decimal number: Int) {
    if number < 0 {
      append(UInt8(ascii: "-"))
      append(decimal: number == .min ? .max : -number)
      return
    }
    if number >= 10 { append(decimal: number / 10) }
    append(UInt8(ascii: "0") + UInt8(number % 10))
  }
}
