// Printing: characters into cells. Runs of ASCII are copied a row's part at a time; runs of other
// text go character by character, but without leaving this file. The rules are those of xterm.js:
// a full line is left only by the next character, a wide character never splits, a mark joins the
// character before it.

extension Core {
  /// Prints bytes 0x20 … 0x7E.
  @inline(__always)
  mutating func printASCII(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    if charsets.active != 0 || modes.insert {
      for index in 0..<count { printCodePoint(UInt32(bytes[index])) }
      return
    }
    var index = 0
    while index < count {
      if x >= columns {
        if modes.wraparound {
          wrapLine()
        } else {
          x = columns &- 1
        }
      }
      let length = min(count &- index, columns &- x)
      let row = grid.table + y
      let cells = row.pointee.cells
      let end = x &+ length
      repairLeft(row, x)
      row.pointee.extend(to: x)
      Core.widen(bytes + index, cells + x, length, penBits | Cell.narrow)
      let used = Int(row.pointee.used)
      if end > used {
        row.pointee.used = Int32(truncatingIfNeeded: end)
      } else if end < used && cells[end].isRightHalf {
        cells[end] = penBits | Cell.narrow
      }
      x = end
      index &+= length
    }
    preceding = 1
  }

  /// Bytes to cells, eight at a time.
  @inline(__always)
  private static func widen(
    _ bytes: UnsafePointer<UInt8>, _ cells: UnsafeMutablePointer<Cell>, _ count: Int, _ bits: Cell
  ) {
    var index = 0
    let pattern = SIMD8<UInt64>(repeating: bits)
    while index &+ 8 <= count {
      let eight = UnsafeRawPointer(bytes + index).loadUnaligned(as: SIMD8<UInt8>.self)
      let wide = SIMD8<UInt64>(truncatingIfNeeded: eight) | pattern
      UnsafeMutableRawPointer(cells + index).storeBytes(of: wide, as: SIMD8<UInt64>.self)
      index &+= 8
    }
    while index < count {
      cells[index] = bits | Cell(bytes[index])
      index &+= 1
    }
  }

  /// A wide character whose right half is about to go loses its left half.
  @inline(__always)
  private func repairLeft(_ row: UnsafeMutablePointer<Row>, _ column: Int) {
    guard column > 0 else { return }
    if column &- 1 < Int(row.pointee.used), row.pointee.cells[column &- 1].width == 2 {
      row.pointee.cells[column &- 1] = penBits | Cell.narrow
    }
  }

  /// A right half that lost its left half becomes blank.
  @inline(__always)
  private func repairRight(_ row: UnsafeMutablePointer<Row>, _ column: Int) {
    if column < Int(row.pointee.used), row.pointee.cells[column].isRightHalf {
      row.pointee.cells[column] = penBits | Cell.narrow
    }
  }

  /// Moves to the start of the next line, which from now on continues this one.
  @inline(__always)
  private mutating func wrapLine() {
    x = 0
    y &+= 1
    if y == grid.bottom &+ 1 {
      y &-= 1
      scrollUp(wrapped: true)
    } else {
      if y >= rows { y = rows &- 1 }
      grid.table[y].isWrapped = true
    }
  }

  /// Prints characters of two to four bytes as long as they are whole and valid; returns the bytes taken.
  mutating func printUnicode(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var index = 0
    while index < count {
      let lead = bytes[index]
      let code: UInt32
      if lead < 0xE0 {
        guard lead >= 0xC2, index &+ 2 <= count, bytes[index &+ 1] & 0xC0 == 0x80 else { break }
        code = UInt32(lead & 0x1F) << 6 | UInt32(bytes[index &+ 1] & 0x3F)
        guard code >= 0xA0 else { break }
        printCodePoint(code)
        index &+= 2
      } else if lead < 0xF0 {
        guard index &+ 3 <= count, bytes[index &+ 1] & 0xC0 == 0x80,
          bytes[index &+ 2] & 0xC0 == 0x80
        else { break }
        code =
          UInt32(lead & 0x0F) << 12 | UInt32(bytes[index &+ 1] & 0x3F) << 6
          | UInt32(bytes[index &+ 2] & 0x3F)
        guard UTF8Decoder.isValid(code, length: 3) else { break }
        printCodePoint(code)
        index &+= 3
      } else {
        guard lead < 0xF5, index &+ 4 <= count, bytes[index &+ 1] & 0xC0 == 0x80,
          bytes[index &+ 2] & 0xC0 == 0x80, bytes[index &+ 3] & 0xC0 == 0x80
        else { break }
        code =
          UInt32(lead & 0x07) << 18 | UInt32(bytes[index &+ 1] & 0x3F) << 12
          | UInt32(bytes[index &+ 2] & 0x3F) << 6 | UInt32(bytes[index &+ 3] & 0x3F)
        guard UTF8Decoder.isValid(code, length: 4) else { break }
        printCodePoint(code)
        index &+= 4
      }
    }
    return index
  }

  /// Prints one character: ASCII through the character set, anything else as it is.
  @inline(__always)
  mutating func printCodePoint(_ code: UInt32) {
    var code = code
    if code < 127 && charsets.active != 0 {
      code = Charsets.translate(code, set: charsets.active)
    }
    put(code, widths[code])
  }

  @inline(__always)
  private mutating func put(_ code: UInt32, _ width: Int) {
    if width == 0 {
      printZeroWidth(code)
      return
    }
    if x &+ width > columns {
      if modes.wraparound {
        // A wide character that does not fit leaves the last column blank.
        if x < columns {
          repairLeft(grid.table + y, x)
          grid.table[y].set(x, penBits | Cell.narrow)
        }
        wrapLine()
      } else {
        x = columns &- 1
        if width == 2 {
          preceding = 0
          return
        }
      }
    }
    let row = grid.table + y
    repairLeft(row, x)
    if modes.insert { insertBlanks(row, x, width, penBits | Cell.narrow) }
    row.pointee.extend(to: x &+ width)
    let cells = row.pointee.cells
    if width == 2 {
      cells[x] = penBits | Cell.wide | Cell(code)
      cells[x &+ 1] = penBits
    } else {
      cells[x] = penBits | Cell.narrow | Cell(code)
    }
    x &+= width
    repairRight(row, x)
    preceding = width
  }

  /// A mark joins the character just printed. With none before it, it takes a cell of its own.
  private mutating func printZeroWidth(_ code: UInt32) {
    let row = grid.table + y
    guard preceding > 0, x > 0 else {
      preceding = 0
      guard x < columns else { return }
      repairLeft(row, x)
      row.pointee.set(x, penBits | Cell(code))
      x += 1
      repairRight(row, x)
      return
    }
    var column = x - 1
    if row.pointee[column].isRightHalf && column > 0 { column -= 1 }
    let cell = row.pointee[column]
    guard cell.hasContent else { return }
    if clusters.count >= clusters.collectAt || clusters.dropped >= ClusterStore.collectAfterDrops {
      collectClusters()
    }
    let current = row.pointee.cells[column]
    let index =
      current.isCluster
      ? clusters.append(current.code, code) : clusters.make(current.code, code)
    if let index {
      row.pointee.cells[column] =
        current & ~Cell.contentMask | Cell.clusterBit | Cell(index)
    } else {
      clusters.dropped += 1
    }
  }

  /// Whether the pen, with its attributes and its character set, leaves such a cell.
  func isPrintedByPen(_ cell: Cell, width: Int) -> Bool {
    guard cell.hasContent, cell.width == width, cell.attributeBits == penBits else { return false }
    let code = cell.isCluster ? clusters.codePoint(cell.code, 0) : cell.code
    let key = Charsets.untranslate(code, set: charsets.active)
    return key >= 127 || Charsets.translate(key, set: charsets.active) == code
  }

  /// REP: the character just printed, again.
  mutating func repeatPreceding(_ count: Int) {
    guard preceding > 0 else { return }
    let column = x - preceding
    guard column >= 0 else { return }
    let cell = grid.table[y][column]
    guard cell.hasContent else { return }
    var codePoints: [UInt32] = []
    if cell.isCluster {
      for position in 0..<clusters.length(cell.code) {
        codePoints.append(clusters.codePoint(cell.code, position))
      }
    } else {
      codePoints = [cell.code]
    }
    // More than fills the screen is not worth the time of those who share the event loop.
    for _ in 0..<min(count, max(256, columns * rows)) {
      for code in codePoints { printCodePoint(code) }
    }
  }
}
