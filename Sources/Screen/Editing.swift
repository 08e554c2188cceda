// Erasing, inserting, deleting and scrolling. Erased cells take the pen's background colour. Where an
// edit cuts a wide character in two, the remaining half becomes blank.

extension Core {
  // MARK: Scrolling.

  /// The region moves up by a line; from the top of the primary buffer the line goes to the scrollback.
  @inline(__always)
  mutating func scrollUp(wrapped: Bool) {
    if grid.top == 0 && hiddenPrimary == nil {
      let row = grid.table[0]
      let dropped = history.append(
        row.cells, used: Int(row.used), isWrapped: row.isWrapped, clusters: clusters, widths: widths
      )
      if !dropped && saved.row > 0 { saved.row &-= 1 }
    }
    grid.rotateUp(grid.top, grid.bottom, filling: eraseCell, wrapped: wrapped)
  }

  /// SU. Unlike a line feed it feeds no scrollback.
  mutating func scrollRegionUp(_ count: Int) {
    clampPendingWrap()
    for _ in 0..<min(count, rows) {
      grid.rotateUp(grid.top, grid.bottom, filling: eraseCell, wrapped: false)
    }
  }

  /// SD. xterm.js fills with default colours here.
  mutating func scrollRegionDown(_ count: Int) {
    clampPendingWrap()
    for _ in 0..<min(count, rows) {
      grid.rotateDown(grid.top, grid.bottom, filling: Cell.blank)
    }
  }

  /// IL and DL: the lines from the cursor to the region's end.
  mutating func insertLines(_ count: Int) {
    restrictCursor()
    guard y >= grid.top && y <= grid.bottom else { return }
    for _ in 0..<min(count, rows) { grid.rotateDown(y, grid.bottom, filling: eraseCell) }
    x = 0
  }

  mutating func deleteLines(_ count: Int) {
    restrictCursor()
    guard y >= grid.top && y <= grid.bottom else { return }
    for _ in 0..<min(count, rows) {
      grid.rotateUp(y, grid.bottom, filling: eraseCell, wrapped: false)
    }
    x = 0
  }

  /// SL, SR, DECIC, DECDC: columns of every line of the region, if the cursor is in it.
  mutating func shiftColumns(at column: Int?, by count: Int, insert: Bool) {
    // While a wrap is pending, xterm.js takes the cursor to be in the first column.
    let column = column ?? (x < columns ? x : 0)
    clampPendingWrap()
    guard y >= grid.top && y <= grid.bottom else { return }
    for index in grid.top...grid.bottom {
      let row = grid.table + index
      if insert {
        insertBlanks(row, column, count, eraseCell)
      } else {
        deleteCells(row, column, count, eraseCell)
      }
      row.pointee.isWrapped = false
    }
  }

  // MARK: Erasing.

  /// Erases columns of a row; with `selective`, only cells that DECSCA does not protect.
  mutating func erase(_ index: Int, _ from: Int, _ to: Int, selective: Bool = false) {
    let row = grid.table + index
    let end = min(to, columns)
    if selective {
      eraseUnprotected(row, from, end)
      return
    }
    if from > 0 && from <= Int(row.pointee.used) && row.pointee.width(from - 1) == 2 {
      row.pointee.set(from - 1, eraseCell)
    }
    if end < columns && row.pointee[end].isRightHalf { row.pointee.set(end, eraseCell) }
    row.pointee.fill(from, end, eraseCell)
  }

  private mutating func eraseUnprotected(_ row: UnsafeMutablePointer<Row>, _ from: Int, _ to: Int) {
    clampPendingWrap()
    var from = from
    var to = to
    // Both halves of a wide character go or stay together.
    if from < columns && row.pointee[from].isRightHalf { from -= 1 }
    if to < columns && row.pointee[to].isRightHalf { to += 1 }
    guard from < to else { return }
    for column in max(0, from)..<to where !attributes[row.pointee[column].attributes].isProtected {
      row.pointee.set(column, eraseCell)
    }
  }

  private mutating func clearRow(_ index: Int, selective: Bool) {
    if selective {
      eraseUnprotected(grid.table + index, 0, columns)
    } else {
      grid.table[index].fill(0, columns, eraseCell)
    }
    grid.table[index].isWrapped = false
  }

  /// ED and DECSED.
  mutating func eraseInDisplay(_ part: Int32, selective: Bool) {
    restrictCursor(columns)
    switch part {
    case 0:
      erase(y, x, columns, selective: selective)
      if x == 0 { grid.table[y].isWrapped = false }
      for row in y + 1..<max(rows, y + 1) { clearRow(row, selective: selective) }
    case 1:
      erase(y, 0, x + 1, selective: selective)
      grid.table[y].isWrapped = false
      if x + 1 >= columns && y + 1 < rows { grid.table[y + 1].isWrapped = false }
      for row in 0..<y { clearRow(row, selective: selective) }
    case 2:
      for row in 0..<rows { clearRow(row, selective: selective) }
    case 3:
      guard !isAlternate else { return }
      // As in xterm.js, a saved cursor keeps its distance from the lines that are gone.
      if !saved.isFirstLine { saved.row = min(rows - 1, saved.row + history.count) }
      saved.isFirstLine = saved.row == 0
      history.removeAll()
    default: break
    }
  }

  /// EL and DECSEL.
  mutating func eraseInLine(_ part: Int32, selective: Bool) {
    restrictCursor(columns)
    switch part {
    case 0:
      erase(y, x, columns, selective: selective)
      if x == 0 { grid.table[y].isWrapped = false }
    case 1: erase(y, 0, x + 1, selective: selective)
    case 2:
      erase(y, 0, columns, selective: selective)
      grid.table[y].isWrapped = false
    default: break
    }
  }

  /// ECH.
  mutating func eraseCharacters(_ count: Int) {
    restrictCursor()
    erase(y, x, min(columns, x + min(count, columns)))
  }

  // MARK: Inserting and deleting in a line.

  /// ICH.
  mutating func insertCharacters(_ count: Int) {
    restrictCursor()
    insertBlanks(grid.table + y, x, count, eraseCell)
  }

  /// DCH.
  mutating func deleteCharacters(_ count: Int) {
    restrictCursor()
    deleteCells(grid.table + y, x, count, eraseCell)
  }

  mutating func insertBlanks(
    _ row: UnsafeMutablePointer<Row>, _ column: Int, _ count: Int, _ cell: Cell
  ) {
    row.pointee.extend(to: columns)
    let cells = row.pointee.cells
    let count = min(count, columns - column)
    if column > 0 && cells[column - 1].width == 2 {
      cells[column - 1] = cell
      cells[column] = cells[column] & Cell.attributesMask | Cell.narrow
    }
    let moved = columns - column - count
    if moved > 0 { (cells + column + count).update(from: cells + column, count: moved) }
    for index in column..<column + count { cells[index] = cell }
    if cells[columns - 1].width == 2 { cells[columns - 1] = cell }
  }

  mutating func deleteCells(
    _ row: UnsafeMutablePointer<Row>, _ column: Int, _ count: Int, _ cell: Cell
  ) {
    row.pointee.extend(to: columns)
    let cells = row.pointee.cells
    let count = min(count, columns - column)
    let moved = columns - column - count
    if moved > 0 { (cells + column).update(from: cells + column + count, count: moved) }
    for index in columns - count..<columns { cells[index] = cell }
    if column > 0 && cells[column - 1].width == 2 { cells[column - 1] = cell }
    if cells[column].isRightHalf { cells[column] = cell }
  }

  /// DECALN: the screen full of E.
  mutating func alignmentPattern() {
    var look = pen
    look.underline = 0
    look.link = 0
    if look.foreground & Attributes.underlined != 0 { look.underlineStyle = 1 }
    let cell = Cell(attributes.intern(look.forCell)) << 32 | Cell.narrow | 0x45
    for row in 0..<rows {
      grid.table[row].fill(0, columns, cell)
      grid.table[row].isWrapped = false
    }
    setCursor(0, 0)
  }
}
