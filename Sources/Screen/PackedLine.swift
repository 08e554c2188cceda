// One line of the scrollback as it lies in a page:
//
//     length: u24 · flags: u8 · used cells: 10 bits · cells with content: 10 bits · columns: 10 bits · payload
//
// and the payload is either text alone (every cell has default attributes) or runs of
// `look: u16 · bytes: u16 · text`, where a look is a number of the page's own table. Text is UTF-8 with 0x00
// for a blank cell, and 0x01 … 0x02 around a cluster's code points. The right half of a wide character is
// implied by its left half.

struct PackedLine {
  static let headSize = 8
  /// Bytes of text in a run; a longer one is two.
  static let longestRun = 60_000

  struct Flags: OptionSet {
    let rawValue: UInt8
    /// It continues the line before it.
    static let wrapped = Flags(rawValue: 1)
    /// Text alone.
    static let plain = Flags(rawValue: 2)
    /// Text flows from here on: it is the first of its logical line, or the line got too long, or the screen's
    /// width changed. (So is the oldest line kept, without this flag.)
    static let start = Flags(rawValue: 4)
    /// Some cell is not one column wide.
    static let uneven = Flags(rawValue: 8)
  }

  static let clusterStart: UInt8 = 1
  static let clusterEnd: UInt8 = 2

  let bytes: Block<UInt8>
  let at: Int

  private var head: UInt32 { bytes.load32(at) }
  private var sizes: UInt32 { bytes.load32(at + 4) }

  /// At least that of the head, so that a walk always gets on.
  var length: Int { max(Self.headSize, Int(head & 0xFF_FFFF)) }
  var flags: Flags { Flags(rawValue: UInt8(head >> 24)) }
  var isWrapped: Bool { flags.contains(.wrapped) }
  /// Cells up to the last that is not blank.
  var used: Int { Int(sizes & 0x3FF) }
  /// Cells up to the last with content.
  var trimmed: Int { Int(sizes >> 10 & 0x3FF) }
  /// The screen's width when it was packed.
  var columns: Int { Int(sizes >> 20 & 0x3FF) }

  static func writeHead(
    _ bytes: Block<UInt8>, _ at: Int, length: Int, used: Int, trimmed: Int, columns: Int,
    flags: Flags
  ) {
    bytes.store32(
      at, UInt32(truncatingIfNeeded: length) & 0xFF_FFFF | UInt32(flags.rawValue) << 24)
    bytes.store32(
      at + 4, UInt32(truncatingIfNeeded: used | trimmed << 10 | columns << 20) & 0x3FFF_FFFF)
  }

  /// Unpacks into cells from a column on; their looks are the page's numbers and `lookBase`. Returns the column
  /// after the last. Clusters get an index in `clusters`.
  func unpack(
    into cells: Block<Cell>, at start: Int, lookBase: Int, clusters: inout ClusterStore,
    widths: WidthTable
  ) -> Int {
    let capacity = min(cells.count, start + used)
    let end = min(at + length, bytes.count)
    var column = start
    var position = at + Self.headSize
    if flags.contains(.plain) {
      unpackText(position, end, 0, cells, capacity, &column, &clusters, widths)
      return column
    }
    while position + 4 <= end {
      let head = bytes.load32(position)
      let look = Int(head & 0xFFFF)
      position += 4
      let stop = min(end, position + Int(head >> 16))
      // The default look is the default everywhere.
      let bits = look == 0 ? 0 : Cell(look + lookBase) << 32
      unpackText(position, stop, bits, cells, capacity, &column, &clusters, widths)
      position = stop
    }
    return column
  }

  private func unpackText(
    _ from: Int, _ end: Int, _ bits: Cell, _ cells: Block<Cell>, _ capacity: Int,
    _ column: inout Int, _ clusters: inout ClusterStore, _ widths: WidthTable
  ) {
    let text = bytes.slice(0, end)
    var position = from
    while position < end && column < capacity {
      let byte = text[position]
      if byte == 0 || (byte >= 0x20 && byte < 0x80) {
        cells[column] = bits | Cell.narrow | Cell(byte)
        column &+= 1
        position &+= 1
        continue
      }
      var content: Cell
      let width: Int
      if byte == Self.clusterStart {
        position += 1
        let base =
          position < end && text[position] != Self.clusterEnd
          ? decodeUTF8(text, &position) & 0x1F_FFFF : 0
        let index = clusters.begin()
        if let index { clusters.add(base, to: index) }
        while position < end && text[position] != Self.clusterEnd {
          let code = decodeUTF8(text, &position)
          if let index { clusters.add(code, to: index) }
        }
        position += 1
        width = widths[base]
        content = index.map { Cell.clusterBit | Cell($0) } ?? Cell(base)
      } else {
        let code = decodeUTF8(text, &position) & 0x1F_FFFF
        width = widths[code]
        content = Cell(code)
      }
      content |= Cell(width) << Cell.widthShift
      cells[column] = bits | content
      column += 1
      if width == 2 && column < capacity {
        cells[column] = bits
        column += 1
      }
    }
  }
}
