// Printing: characters into cells. Runs of ASCII are copied a row's part at a time; runs of other
// text go character by character, but without leaving this file. The rules are those of xterm.js:
// a full line is left only by the next character, a wide character never splits, a mark joins the
// character before it.

extension Core {
  /// Prints bytes 0x20 … 0x7E.
  @inline(__always)
  mutating func printASCII(_ bytes: Input, _ from: Int, _ count: Int) {
    if charsets.active != 0 {
      for index in from..<from &+ count { printCodePoint(UInt32(bytes[index])) }
      return
    }
    var index = from
    let last = from &+ count
    while index < last {
      if x >= columns {
        if modes.wraparound {
          wrapLine()
        } else {
          x = columns &- 1
        }
      }
      let length = min(last &- index, columns &- x)
      let row = grid[y]
      let end = x &+ length
      repairLeft(row, x)
      if modes.insert { insertBlanks(row, x, length, penBits | Cell.narrow) }
      row.extend(to: x)
      row.cells.put(bytes, index, length, x, penBits | Cell.narrow)
      let used = row.used
      if end > used {
        row.used = end
      } else if end < used && row.cells[end].isRightHalf {
        row.cells[end] = penBits | Cell.narrow
      }
      x = end
      index &+= length
    }
    preceding = 1
  }

  /// A wide character whose right half is about to go loses its left half.
  @inline(__always)
  private func repairLeft(_ row: Row, _ column: Int) {
    guard column > 0 else { return }
    if column &- 1 < row.used, row.cells[column &- 1].width == 2 {
      row.cells[column &- 1] = penBits | Cell.narrow
    }
  }

  /// A right half that lost its left half becomes blank.
  @inline(__always)
  private func repairRight(_ row: Row, _ column: Int) {
    if column < row.used, row.cells[column].isRightHalf {
      row.cells[column] = penBits | Cell.narrow
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
      grid[y].isWrapped = true
    }
  }

  /// Prints characters of two to four bytes as long as they are whole and valid; returns the bytes taken.
  mutating func printUnicode(_ bytes: Input, _ from: Int) -> Int {
    var index = from
    let last = min(bytes.count, from &+ Self.piece)
    while index < last {
      let lead = bytes[index]
      let code: UInt32
      if lead < 0xE0 {
        guard lead >= 0xC2, index &+ 2 <= last, bytes[index &+ 1] & 0xC0 == 0x80 else { break }
        code = UInt32(lead & 0x1F) << 6 | UInt32(bytes[index &+ 1] & 0x3F)
        guard code >= 0xA0 else { break }
        index &+= 2
      } else if lead < 0xF0 {
        guard index &+ 3 <= last, bytes[index &+ 1] & 0xC0 == 0x80,
          bytes[index &+ 2] & 0xC0 == 0x80
        else { break }
        code =
          UInt32(lead & 0x0F) << 12 | UInt32(bytes[index &+ 1] & 0x3F) << 6
          | UInt32(bytes[index &+ 2] & 0x3F)
        guard UTF8Decoder.isValid(code, length: 3) else { break }
        index &+= 3
      } else {
        guard lead < 0xF5, index &+ 4 <= last, bytes[index &+ 1] & 0xC0 == 0x80,
          bytes[index &+ 2] & 0xC0 == 0x80, bytes[index &+ 3] & 0xC0 == 0x80
        else { break }
        code =
          UInt32(lead & 0x07) << 18 | UInt32(bytes[index &+ 1] & 0x3F) << 12
          | UInt32(bytes[index &+ 2] & 0x3F) << 6 | UInt32(bytes[index &+ 3] & 0x3F)
        guard UTF8Decoder.isValid(code, length: 4) else { break }
        index &+= 4
      }
      printCodePoint(code)
    }
    return index &- from
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
          repairLeft(grid[y], x)
          grid[y].set(x, penBits | Cell.narrow)
        }
        wrapLine()
      } else {
        x = columns &- 1
        if width == 2 {
          preceding = 0
          return
        }
        repairLeft(grid[y], x)
      }
    }
    let row = grid[y]
    // What was printed just before ends here whole.
    if preceding == 0 { repairLeft(row, x) }
    if modes.insert { insertBlanks(row, x, width, penBits | Cell.narrow) }
    row.extend(to: x)
    let cells = row.cells
    if width == 2 {
      cells[x] = penBits | Cell.wide | Cell(code)
      cells[x &+ 1] = penBits
    } else {
      cells[x] = penBits | Cell.narrow | Cell(code)
    }
    x &+= width
    if x > row.used { row.used = x } else { repairRight(row, x) }
    preceding = width
  }

  /// A mark joins the character just printed. With none before it, it takes a cell of its own.
  private mutating func printZeroWidth(_ code: UInt32) {
    let row = grid[y]
    guard preceding > 0, x > 0 else {
      preceding = 0
      guard x < columns else { return }
      repairLeft(row, x)
      row.set(x, penBits | Cell(code))
      x += 1
      repairRight(row, x)
      return
    }
    var column = x - 1
    if row[column].isRightHalf && column > 0 { column -= 1 }
    let cell = row[column]
    guard cell.hasContent else { return }
    if clusters.count >= clusters.collectAt || clusters.dropped >= Limit.droppedMarks {
      collectClusters()
    }
    let current = row[column]
    let index =
      current.isCluster
      ? clusters.append(current.code, code) : clusters.make(current.code, code)
    if let index {
      row.set(column, current & ~Cell.contentMask | Cell.clusterBit | Cell(index))
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

  /// REP: the character just printed, again. It is not printed but filled in, row by row; and at most as many
  /// code points as fill the screen or `Limit.repetition`, since a few bytes ask for it. A cluster
  /// is shared by its cells: no mark can join any of them, for nothing is preceding after a sequence.
  mutating func repeatPreceding(_ count: Int) {
    guard preceding > 0, x >= preceding else { return }
    let cell = grid[y][x - preceding]
    guard cell.hasContent, cell.width > 0, cell.width <= columns else { return }
    var content = cell & Cell.contentMask
    if charsets.active != 0 {
      // It is printed once more, and so goes through the character set once more.
      if cell.isCluster {
        var codePoints = clusters.codePoints(cell.code)
        if let base = codePoints.first, base < 127 {
          codePoints[0] = Charsets.translate(base, set: charsets.active)
          guard let index = clusters.make(codePoints) else { return }
          content = Cell.clusterBit | Cell(index)
        }
      } else if cell.code < 127 {
        content = Cell(Charsets.translate(cell.code, set: charsets.active))
      }
    }
    let width = cell.width
    let filler = content | penBits | Cell(width) << Cell.widthShift
    let codePoints = content & Cell.clusterBit == 0 ? 1 : clusters.length(filler.code)
    // What is not narrow and single is stored, and packed cell by cell when it scrolls away.
    let cost = width == 1 && codePoints == 1 ? 1 : Cost.repeatedCodePoint * codePoints
    var left = min(count, max(256, min(columns * rows, Limit.repetition) / max(1, codePoints)))
    while left > 0 {
      if x &+ width > columns {
        guard modes.wraparound else {
          // Each one overwrites the one before.
          x = columns - width
          if width == 2 {
            x = columns - 1
            preceding = 0
            return
          }
          left = 1
          repeatInRow(filler, 1, width, cost)
          break
        }
        if x < columns {
          repairLeft(grid[y], x)
          grid[y].set(x, penBits | Cell.narrow)
        }
        wrapLine()
      }
      let here = min(left, (columns - x) / width)
      repeatInRow(filler, here, width, cost)
      left -= here
    }
  }

  private mutating func repeatInRow(_ filler: Cell, _ count: Int, _ width: Int, _ cost: Int) {
    let row = grid[y]
    repairLeft(row, x)
    if modes.insert { insertBlanks(row, x, count * width, penBits | Cell.narrow) }
    let end = x + count * width
    spent &+= count * cost
    if width == 1 {
      row.fill(x, end, filler)
    } else {
      row.extend(to: end)
      for column in stride(from: x, to: end, by: 2) {
        row.cells[column] = filler
        row.cells[column + 1] = penBits
      }
    }
    x = end
    repairRight(row, x)
  }
}
