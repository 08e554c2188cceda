// Erasing, inserting, deleting and scrolling. Erased cells take the pen's background colour. Where an
// edit cuts a wide character in two, the remaining half becomes blank.

extension Core {
  // MARK: Scrolling.

  /// The region moves up by a line; from the top of the primary buffer the line goes to the scrollback.
  @inline(__always)
  mutating func scrollUp(wrapped: Bool) {
    if grid.top == 0 && hiddenPrimary == nil {
      let row = grid[0]
      // A blank row of some colour is written out as a whole.
      spent &+= 4 &+ (row.used == 0 && row.fill != Cell.blank ? columns : row.used) &>> 2
      let dropped = history.append(row, clusters: clusters, attributes: attributes, links: links)
      if !dropped && saved.row > 0 { saved.row &-= 1 }
    }
    spent &+= (grid.bottom &- grid.top) &>> 4
    grid.rotateUp(grid.top, grid.bottom, filling: eraseCell, wrapped: wrapped)
  }

  /// SU. Unlike a line feed it feeds no scrollback.
  mutating func scrollRegionUp(_ count: Int) {
    clampPendingWrap()
    spent &+= grid.bottom - grid.top
    grid.rotateUp(grid.top, grid.bottom, by: count, filling: eraseCell, wrapped: false)
  }

  /// SD. xterm.js fills with default colours here.
  mutating func scrollRegionDown(_ count: Int) {
    clampPendingWrap()
    spent &+= grid.bottom - grid.top
    grid.rotateDown(grid.top, grid.bottom, by: count, filling: Cell.blank)
  }

  /// IL and DL: the lines from the cursor to the region's end.
  mutating func insertLines(_ count: Int) {
    restrictCursor()
    guard y >= grid.top && y <= grid.bottom else { return }
    spent &+= grid.bottom - y
    grid.rotateDown(y, grid.bottom, by: count, filling: eraseCell)
    x = 0
  }

  mutating func deleteLines(_ count: Int) {
    restrictCursor()
    guard y >= grid.top && y <= grid.bottom else { return }
    spent &+= grid.bottom - y
    grid.rotateUp(y, grid.bottom, by: count, filling: eraseCell, wrapped: false)
    x = 0
  }

  /// SL, SR, DECIC, DECDC: columns of every line of the region, if the cursor is in it.
  mutating func shiftColumns(at column: Int?, by count: Int, insert: Bool) {
    // While a wrap is pending, xterm.js takes the cursor to be in the first column.
    let column = column ?? (x < columns ? x : 0)
    clampPendingWrap()
    guard y >= grid.top && y <= grid.bottom else { return }
    spent &+= (grid.bottom - grid.top) * Cost.erasedRow
    for index in grid.top...grid.bottom {
      let row = grid[index]
      if insert {
        insertBlanks(row, column, count, eraseCell)
      } else {
        deleteCells(row, column, count, eraseCell)
      }
      row.isWrapped = false
    }
  }

  // MARK: Erasing.

  /// Erases columns of a row; with `selective`, only cells that DECSCA does not protect.
  mutating func erase(_ index: Int, _ from: Int, _ to: Int, selective: Bool = false) {
    let row = grid[index]
    let end = min(to, columns)
    if end < columns { spent &+= (end - from) &>> 3 }
    if selective {
      eraseUnprotected(row, from, end)
      return
    }
    if from > 0 && row.width(from - 1) == 2 {
      row.set(from - 1, eraseCell)
    }
    if end < columns && row[end].isRightHalf { row.set(end, eraseCell) }
    row.fill(from, end, eraseCell)
  }

  private mutating func eraseUnprotected(_ row: Row, _ from: Int, _ to: Int) {
    clampPendingWrap()
    var from = from
    var to = to
    // Both halves of a wide character go or stay together.
    if from < columns && row[from].isRightHalf { from -= 1 }
    if to < columns && row[to].isRightHalf { to += 1 }
    guard from < to else { return }
    // What is not stored is alike: it is erased at one stroke.
    if to >= columns && !attributes[row.fill.attributes].isProtected {
      to = min(to, max(max(0, from), row.used))
      row.fill(to, columns, eraseCell)
    }
    spent &+= max(0, to - from)
    for column in max(0, from)..<max(0, from, to)
    where !attributes[row[column].attributes].isProtected {
      row.set(column, eraseCell)
    }
  }

  private mutating func clearRow(_ index: Int, selective: Bool) {
    if selective {
      eraseUnprotected(grid[index], 0, columns)
    } else {
      grid[index].fill(0, columns, eraseCell)
    }
    grid[index].isWrapped = false
  }

  /// ED and DECSED.
  mutating func eraseInDisplay(_ part: Int32, selective: Bool) {
    restrictCursor(columns)
    spent &+= rows * Cost.erasedRow
    switch part {
    case 0:
      erase(y, x, columns, selective: selective)
      if x == 0 { grid[y].isWrapped = false }
      for row in y + 1..<max(rows, y + 1) { clearRow(row, selective: selective) }
    case 1:
      erase(y, 0, x + 1, selective: selective)
      grid[y].isWrapped = false
      if x + 1 >= columns && y + 1 < rows { grid[y + 1].isWrapped = false }
      for row in 0..<y { clearRow(row, selective: selective) }
    case 2:
      for row in 0..<rows { clearRow(row, selective: selective) }
    case 3:
      guard !isAlternate else { return }
      // As in xterm.js, a saved cursor keeps its distance from the lines that are gone.
      if !saved.isFirstLine { saved.row = min(rows - 1, saved.row + history.lines) }
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
      if x == 0 { grid[y].isWrapped = false }
    case 1: erase(y, 0, x + 1, selective: selective)
    case 2:
      erase(y, 0, columns, selective: selective)
      grid[y].isWrapped = false
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
    insertBlanks(grid[y], x, count, eraseCell)
  }

  /// DCH.
  mutating func deleteCharacters(_ count: Int) {
    restrictCursor()
    deleteCells(grid[y], x, count, eraseCell)
  }

  mutating func insertBlanks(_ row: Row, _ column: Int, _ count: Int, _ cell: Cell) {
    guard column >= 0, column < columns else { return }
    // Among cells that are all alike one more changes nothing.
    if column >= row.used && row.fill == cell { return }
    row.extend(to: column)
    let count = min(count, columns - column)
    let used = row.used
    let end = min(columns, used + count)
    row.extend(to: end)
    spent &+= end - column
    let cells = row.cells
    if column > 0 && cells[column - 1].width == 2 {
      cells[column - 1] = cell
      cells[column] = cells[column] & Cell.attributesMask | Cell.narrow
    }
    cells.move(from: column, to: column + count, count: end - column - count)
    cells.fill(column, count, cell)
    if end == columns && cells[columns - 1].width == 2 { cells[columns - 1] = cell }
  }

  mutating func deleteCells(_ row: Row, _ column: Int, _ count: Int, _ cell: Cell) {
    guard column >= 0, column < columns else { return }
    if column >= row.used && row.fill == cell { return }
    // Cells like those that come in from the right need not be stored.
    let end = row.fill == cell ? row.used : columns
    row.extend(to: end)
    spent &+= end - column
    let count = min(count, end - column)
    row.cells.move(from: column + count, to: column, count: end - column - count)
    row.fill(end - count, columns, cell)
    if column > 0 && row[column - 1].width == 2 { row.set(column - 1, cell) }
    if row[column].isRightHalf { row.set(column, cell) }
  }

  /// DECALN: the screen full of E.
  mutating func alignmentPattern() {
    var look = pen
    look.underline = 0
    look.link = 0
    if look.foreground & Attributes.underlined != 0 { look.underlineStyle = 1 }
    let cell = Cell(attributes.intern(look.forCell)) << 32 | Cell.narrow | 0x45
    spent &+= rows * Cost.filledRow
    for row in 0..<rows { grid[row].clear(cell, wrapped: false) }
    setCursor(0, 0)
  }
}
