// How many columns a code point takes: 0, 1 or 2, by Unicode 16, as the browser's library makes xterm.js count. A
// two-stage table, built once per process from ranges: a block number per 256 code points, then a
// byte per code point; equal blocks are shared, so the whole takes about 30 KB.

struct WidthTable: @unchecked Sendable {
  // Sendable: the memory is written by `init` alone and never freed.
  private let blocks: Block<UInt8>
  private let widths: Block<UInt8>

  static let shared = WidthTable()

  private init() {
    let blockCount = 0x11_0000 >> 8
    var distinct: [[UInt8]] = []
    var numbers: [[UInt8]: UInt8] = [:]
    let blocks = Block<UInt8>(count: blockCount)
    var zero = RangeCursor(WidthRanges.zero)
    var wide = RangeCursor(WidthRanges.wide)
    for block in 0..<blockCount {
      var widths = [UInt8](repeating: 1, count: 256)
      for offset in 0..<256 {
        let code = UInt32(block << 8 | offset)
        if code < 0x20 || (code >= 0x7F && code < 0xA0) {
          widths[offset] = 0
        } else if zero.contains(code) {
          widths[offset] = 0
        } else if wide.contains(code) {
          widths[offset] = 2
        }
      }
      if let number = numbers[widths] {
        blocks[block] = number
      } else {
        let number = UInt8(distinct.count)
        numbers[widths] = number
        distinct.append(widths)
        blocks[block] = number
      }
    }
    let all = Block<UInt8>(count: distinct.count * 256)
    for (number, widths) in distinct.enumerated() {
      for offset in 0..<256 { all[number << 8 | offset] = widths[offset] }
    }
    self.blocks = blocks
    self.widths = all
  }

  /// Columns of a code point up to U+10FFFF.
  @inline(__always) subscript(code: UInt32) -> Int {
    Int(widths[Int(blocks[Int(code >> 8)]) << 8 | Int(code & 0xFF)])
  }

  /// Membership of ascending code points in sorted ranges.
  private struct RangeCursor {
    private let bounds: [UInt32]
    private var position = 0

    init(_ bounds: [UInt32]) { self.bounds = bounds }

    mutating func contains(_ code: UInt32) -> Bool {
      while position < bounds.count && bounds[position + 1] < code { position += 2 }
      return position < bounds.count && bounds[position] <= code
    }
  }
}
