// The lines of a snapshot: printed from the top of an empty screen, so that scrollback, wraps and every
// cell arise as they did in the session. Blank cells are stepped over or erased into being; the odd ones,
// which are left when a wide character is cut, are made by cutting one.

extension SnapshotWriter {
  /// Prints the next of a buffer's lines, from the top left corner of an empty screen. Returns what it cost, nil
  /// if there is none.
  mutating func writeNextLine(_ walk: LineWalk) -> Int? {
    guard let line = walk.source.next() else { return nil }
    lineLooks = walk.source.looks
    var isDirty = false
    if walk.isFirst {
      if line.isWrapped {
        startWithWrappedLine()
        isDirty = true
      }
      walk.isFirst = false
    } else if line.isWrapped {
      let first = line.used > 0 ? line.cells[0] : Cell.blank
      isDirty = wrap(from: walk.isFull ? nil : walk.lastCell, in: walk.lastLooks, to: first)
    } else {
      if hasBackground { pen.append(Attributes(), lineLooks, to: &bytes) }
      bytes.append("\r\n")
    }
    walk.lastCell = line.used == columns ? line.cells[columns - 1] : Cell.blank
    walk.isFull = line.used == columns && (walk.lastCell.hasContent || walk.lastCell.isRightHalf)
    walk.lastLooks = lineLooks
    writeCells(line, walk.source.clusters, isDirty: isDirty)
    return Cost.shownLine(line.used)
  }

  private var hasBackground: Bool { pen.current.background & Attributes.colorMask != 0 }

  /// The first line continues one that is gone: makes one above it, and removes that.
  private mutating func startWithWrappedLine() {
    control(columns, "G")
    bytes.append("xx")
    bytes.append(core.rows > 1 ? "\u{1B}[S\u{1B}[H" : "\u{1B}[3J\u{1B}[H")
  }

  /// Goes to the next line as a wrap. `lastCell` is the blank at the end of the line before, nil if that
  /// ended in a character. True if something was printed in the new line's first column.
  private mutating func wrap(from lastCell: Cell?, in looks: Looks, to first: Cell) -> Bool {
    if let lastCell {
      // A wide character that does not fit leaves the last column blank, in the look of the pen.
      pen.append(looks[lastCell.attributes], looks, to: &bytes)
      control(columns, "G")
      bytes.appendUTF8(0x3000)
      pen.append(Attributes(), lineLooks, to: &bytes)
      bytes.append("\r")
      control(columns, "X")
      return false
    }
    let look = lineLooks[first.attributes]
    if first.hasContent && first.width > 0 && look.background & Attributes.colorMask == 0 {
      // The character itself wraps; the new line is filled with the pen's background, so not in colour.
      if hasBackground { pen.append(look, lineLooks, to: &bytes) }
      return false
    }
    if hasBackground { pen.append(Attributes(), lineLooks, to: &bytes) }
    bytes.append("x\r")
    return true
  }

  /// Prints cells from column 0. Blank ones are stepped over; `isDirty`: there is something to erase in
  /// the first column.
  private mutating func writeCells(
    _ line: Line, _ clusters: borrowing ClusterStore, isDirty: Bool
  ) {
    let cells = line.cells
    let used = line.used
    var skip = 0
    var dirty = isDirty ? 0 : -1
    var column = 0
    while column < used {
      let cell = cells[column]
      if cell.hasContent {
        forward(&skip)
        column = writeText(line, clusters, from: column)
        continue
      }
      if cell.isRightHalf {
        column += 1
        continue
      }
      var end = column + 1
      while end < used && cells[end] == cell { end += 1 }
      let look = lineLooks[cell.attributes]
      if cell == Cell.blank {
        if dirty == column { eraseCell(&skip) }
        skip += end - column
      } else if look == Attributes(background: look.background & Attributes.colorMask) {
        forward(&skip)
        pen.append(look, lineLooks, to: &bytes)
        control(end - column, "X")
        skip += end - column
      } else {
        forward(&skip)
        end = column + 1
        let isTail = used == columns && !(column..<used).contains { !isStyledBlank(cells[$0]) }
        if end == columns && line.isContinued {
          // The wrap to the next line will leave it.
        } else if isTail && !line.isContinued {
          writeLastStyledBlanks(from: column, cells, clusters)
          end = columns
          dirty = -1
        } else {
          writeStyledBlank(look, column)
          dirty = end
        }
      }
      column = end
    }
    if dirty >= used && dirty < columns { eraseCell(&skip) }
  }

  /// Characters of one look, or one that is no ASCII. Returns the column behind them.
  private mutating func writeText(
    _ line: Line, _ clusters: borrowing ClusterStore, from column: Int
  ) -> Int {
    let cell = line.cells[column]
    pen.append(lineLooks[cell.attributes], lineLooks, to: &bytes)
    let end = line.cells.appendASCII(column, line.used, to: &bytes)
    if end > column { return end }
    if cell.width == 0 { bytes.append(0) }
    appendText(cell, clusters, charset: 0)
    return column + (cell.width == 2 ? 2 : 1)
  }

  private mutating func eraseCell(_ skip: inout Int) {
    forward(&skip)
    if hasBackground { pen.append(Attributes(), lineLooks, to: &bytes) }
    bytes.append("\u{1B}[X")
  }

  /// Blank, with more than a background.
  func isStyledBlank(_ cell: Cell) -> Bool {
    guard !cell.hasContent && !cell.isRightHalf else { return false }
    let look = lineLooks[cell.attributes]
    return look != Attributes(background: look.background & Attributes.colorMask)
  }

  /// A blank with more than a background: what remains of a wide character when its right half is
  /// overwritten. Leaves the cursor, and something to overwrite, in the next column.
  private mutating func writeStyledBlank(_ look: Attributes, _ column: Int) {
    pen.append(look, lineLooks, to: &bytes)
    bytes.appendUTF8(0x3000)
    control(column + 2, "G")
    bytes.append("x")
    control(column + 2, "G")
  }

  /// The same up to the last column, from `first`, where it is the right half that remains: from right to
  /// left, each time spoiling the column before; then the cell before them all again. With none before
  /// them, column 0 keeps its background alone: no output makes a whole line of such blanks in its place.
  private mutating func writeLastStyledBlanks(
    from first: Int, _ cells: Block<Cell>, _ clusters: borrowing ClusterStore
  ) {
    for column in stride(from: columns - 1, through: max(1, first), by: -1) {
      pen.append(lineLooks[cells[column].attributes], lineLooks, to: &bytes)
      control(column, "G")
      bytes.appendUTF8(0x3000)
      control(column, "G")
      bytes.append("x")
    }
    var before = max(0, first - 1)
    if cells[before].isRightHalf && before > 0 { before -= 1 }
    control(before + 1, "G")
    let cell = cells[before]
    pen.append(lineLooks[cell.attributes], lineLooks, to: &bytes)
    if cell.hasContent {
      if cell.width == 0 { bytes.append(0) }
      appendText(cell, clusters, charset: 0)
    } else {
      bytes.append("\u{1B}[X")
    }
  }

  mutating func appendText(
    _ cell: Cell, _ clusters: borrowing ClusterStore, charset: UInt8
  ) {
    if cell.isCluster {
      let base = clusters.codePoint(cell.code, 0)
      bytes.appendUTF8(Charsets.untranslate(base, set: charset))
      for position in 1..<clusters.length(cell.code) {
        bytes.appendUTF8(clusters.codePoint(cell.code, position))
      }
    } else if cell.code < 0x80 {
      let code = charset == 0 ? cell.code : Charsets.untranslate(cell.code, set: charset)
      bytes.append(UInt8(truncatingIfNeeded: code))
    } else {
      bytes.appendUTF8(cell.code)
    }
  }
}
