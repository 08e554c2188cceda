// Where the cursor is: motion, tabs, saving and restoring. Every motion ends inside the screen, or in
// the scroll region in origin mode. A count of 0 means 1.

extension Core {
  /// Column at most `last` (default: the last column), row inside the screen or the region.
  @inline(__always)
  mutating func restrictCursor(_ last: Int? = nil) {
    x = min(last ?? columns &- 1, max(0, x))
    if modes.origin {
      y = min(grid.bottom, max(grid.top, y))
    } else {
      y = min(rows &- 1, max(0, y))
    }
  }

  /// Ends a pending wrap where the line it belongs to may change under it. Only in the alternate buffer:
  /// in the primary one a snapshot can bring such a cursor back.
  @inline(__always)
  mutating func clampPendingWrap() {
    if x >= columns && isAlternate { x = columns - 1 }
  }

  /// Absolute motion, 0-based; rows count from the region's top in origin mode.
  @inline(__always)
  mutating func setCursor(_ column: Int, _ row: Int) {
    x = column
    y = modes.origin ? grid.top &+ row : row
    restrictCursor()
  }

  /// Relative motion. (xterm.js 6 adds the region's top once more in origin mode; that is a fault.)
  @inline(__always)
  mutating func moveCursor(_ columns: Int, _ rows: Int) {
    restrictCursor()
    x &+= columns
    y &+= rows
    restrictCursor()
  }

  mutating func cursorUp(_ count: Int) {
    let above = y - grid.top
    moveCursor(0, -(above >= 0 ? min(above, count) : count))
  }

  mutating func cursorDown(_ count: Int) {
    let below = grid.bottom - y
    moveCursor(0, below >= 0 ? min(below, count) : count)
  }

  /// LF, VT, FF.
  @inline(__always)
  mutating func lineFeed() {
    if modes.newline { x = 0 }
    y &+= 1
    if y == grid.bottom &+ 1 {
      y &-= 1
      scrollUp(wrapped: false)
    } else if y >= rows {
      y = rows &- 1
    } else {
      grid[y].isWrapped = false
    }
    if x >= columns { x &-= 1 }
  }

  /// IND.
  mutating func index() {
    restrictCursor()
    y += 1
    if y == grid.bottom + 1 {
      y -= 1
      scrollUp(wrapped: false)
    } else if y >= rows {
      y = rows - 1
    }
    restrictCursor()
  }

  /// RI.
  mutating func reverseIndex() {
    restrictCursor()
    if y == grid.top {
      spent &+= (grid.bottom &- grid.top) &>> 4
      grid.rotateDown(grid.top, grid.bottom, filling: eraseCell)
    } else {
      y -= 1
      restrictCursor()
    }
  }

  mutating func backspace() {
    guard modes.reverseWraparound else {
      restrictCursor()
      if x > 0 { x -= 1 }
      return
    }
    restrictCursor(columns)
    if x > 0 {
      x -= 1
    } else if y > grid.top && y <= grid.bottom && grid[y].isWrapped {
      grid[y].isWrapped = false
      y -= 1
      x = columns - 1
      // A wide character that did not fit left the last column blank.
      let cell = grid[y][x]
      if cell.width != 0 && !cell.hasContent { x -= 1 }
    }
    restrictCursor()
  }

  mutating func tab(_ count: Int) {
    guard x < columns else { return }
    for _ in 0..<min(count, columns) { x = tabs.next(after: x) }
  }

  mutating func backTab(_ count: Int) {
    guard x < columns else { return }
    for _ in 0..<min(count, columns) { x = tabs.previous(before: x) }
  }

  /// DECSTBM; the cursor goes home.
  mutating func setScrollRegion() {
    let first = max(1, Int(parameters[0]))
    var last = rows
    if parameters.count >= 2, parameters[1] != 0, parameters[1] <= Int32(rows) {
      last = Int(parameters[1])
    }
    guard last > first else { return }
    grid.top = first - 1
    grid.bottom = last - 1
    setCursor(0, 0)
  }

  /// DECSC.
  mutating func saveCursor() {
    saved = SavedCursor(
      column: min(x, columns - 1), row: y, isFirstLine: y + (isAlternate ? 0 : history.lines) == 0,
      foreground: pen.foreground, background: pen.background, charset: charsets.active)
  }

  /// DECRC. Brings back colours and flags, and the character set in use; not underline style and link.
  mutating func restoreCursor() {
    x = saved.column
    y = saved.row
    pen.foreground = saved.foreground
    pen.background = saved.background
    if pen.foreground & Attributes.underlined == 0 {
      pen.underlineStyle = 0
    } else if pen.underlineStyle == 0 {
      pen.underlineStyle = 1
    }
    penChanged()
    charsets[charsets.level] = saved.charset
    restrictCursor()
  }
}
