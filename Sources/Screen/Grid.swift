// One buffer's visible rows. Cells live in one block; a table of row references gives their order,
// so that scrolling moves references and never cells. A row knows how many of its cells were ever
// used: those beyond are blank without being stored, which makes clearing a row free.

/// Where a row's cells are, and what is known of them.
struct Row {
  let cells: UnsafeMutablePointer<Cell>
  /// Cells from here on are `Cell.blank`, whatever the memory holds.
  var used: Int32
  /// This row continues the one above (the text wrapped).
  var isWrapped: Bool

  @inline(__always) subscript(column: Int) -> Cell {
    column < Int(used) ? cells[column] : Cell.blank
  }

  @inline(__always) func width(_ column: Int) -> Int { self[column].width }

  /// Makes the cells before `end` real.
  @inline(__always) mutating func extend(to end: Int) {
    var column = Int(used)
    guard column < end else { return }
    while column < end {
      cells[column] = Cell.blank
      column &+= 1
    }
    used = Int32(truncatingIfNeeded: end)
  }

  @inline(__always) mutating func set(_ column: Int, _ cell: Cell) {
    extend(to: column &+ 1)
    cells[column] = cell
  }

  /// Sets the cells of a range, without a look at what stood there.
  @inline(__always) mutating func fill(_ from: Int, _ to: Int, _ cell: Cell) {
    if cell == Cell.blank && to >= Int(used) {
      if from < Int(used) { used = Int32(truncatingIfNeeded: from) }
      return
    }
    guard from < to else { return }
    extend(to: from)
    var column = from
    while column < to {
      cells[column] = cell
      column &+= 1
    }
    if to > Int(used) { used = Int32(truncatingIfNeeded: to) }
  }
}

/// The cursor as DECSC keeps it, one per buffer.
struct SavedCursor: Equatable {
  var column = 0
  /// Follows its line while the scrollback grows, as in xterm.js, which counts from the first line.
  var row = 0
  /// It was saved on the very first line, or never: then it stays on the first row whatever happens.
  var isFirstLine = true
  var foreground: UInt32 = 0
  var background: UInt32 = 0
  var charset: UInt8 = 0
}

struct Grid {
  let columns: Int
  let rows: Int
  /// The rows from top to bottom.
  let table: UnsafeMutablePointer<Row>
  private let block: UnsafeMutablePointer<Cell>
  /// Scroll region, first and last row.
  var top = 0
  var bottom: Int

  init(columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
    bottom = rows - 1
    block = .allocate(capacity: columns * rows)
    table = .allocate(capacity: rows)
    for row in 0..<rows {
      (table + row).initialize(to: Row(cells: block + row * columns, used: 0, isWrapped: false))
    }
  }

  func deallocate() {
    block.deallocate()
    table.deallocate()
  }

  var byteCount: Int {
    columns * rows * MemoryLayout<Cell>.stride + rows * MemoryLayout<Row>.stride
  }

  /// Moves the rows of a region up by one; the first comes out at the bottom, cleared to `cell`.
  @inline(__always)
  func rotateUp(_ first: Int, _ last: Int, filling cell: Cell, wrapped: Bool) {
    var recycled = table[first]
    if last > first {
      (table + first).update(from: table + first + 1, count: last &- first)
    }
    recycled.used = 0
    recycled.isWrapped = wrapped
    if cell != Cell.blank { recycled.fill(0, columns, cell) }
    table[last] = recycled
  }

  /// Moves the rows of a region down by one; the last comes out at the top, cleared to `cell`.
  @inline(__always)
  func rotateDown(_ first: Int, _ last: Int, filling cell: Cell) {
    var recycled = table[last]
    if last > first {
      (table + first + 1).update(from: table + first, count: last &- first)
    }
    recycled.used = 0
    recycled.isWrapped = false
    if cell != Cell.blank { recycled.fill(0, columns, cell) }
    table[first] = recycled
  }

  func clear() {
    for row in 0..<rows {
      table[row].used = 0
      table[row].isWrapped = false
    }
  }
}

/// Tab stops of one buffer, a bit per column.
struct TabStops: Equatable {
  private var words: [UInt64]
  private(set) var columns: Int

  /// A stop every eight columns.
  init(columns: Int) {
    self.columns = columns
    words = [UInt64](repeating: 0x0101_0101_0101_0101, count: (columns + 63) / 64)
    trim()
  }

  private mutating func trim() {
    let extra = columns & 63
    if extra != 0 { words[words.count - 1] &= (1 << UInt64(extra)) - 1 }
  }

  subscript(column: Int) -> Bool {
    get {
      column >= 0 && column < columns && words[column >> 6] >> UInt64(column & 63) & 1 != 0
    }
    set {
      guard column >= 0 && column < columns else { return }
      let bit: UInt64 = 1 << UInt64(column & 63)
      if newValue { words[column >> 6] |= bit } else { words[column >> 6] &= ~bit }
    }
  }

  mutating func removeAll() { for index in words.indices { words[index] = 0 } }

  func next(after column: Int) -> Int {
    var candidate = column + 1
    while candidate < columns && !self[candidate] { candidate += 1 }
    return min(candidate, columns - 1)
  }

  func previous(before column: Int) -> Int {
    var candidate = column - 1
    while candidate > 0 && !self[candidate] { candidate -= 1 }
    return max(0, min(candidate, columns - 1))
  }

  /// New columns get stops every eight columns from the last one that was set.
  mutating func resize(columns: Int) {
    self.columns = columns
    let needed = (columns + 63) / 64
    if words.count > needed { words.removeLast(words.count - needed) }
    while words.count < needed { words.append(0) }
    trim()
    var column = previous(before: columns)
    while column < columns {
      self[column] = true
      column += 8
    }
  }
}
