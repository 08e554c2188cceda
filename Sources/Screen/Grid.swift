// One buffer's visible rows. Cells live in one block; a table of rows gives their order, so that scrolling moves
// rows' descriptions and never cells. A row knows how many of its cells are stored: those beyond are all alike,
// its `fill`, which makes clearing a row cost nothing whatever it is cleared to.

/// Where a row's cells are, and what is known of them.
struct RowState: Blank {
  /// What cells from `used` on are.
  var fill: Cell = Cell.blank
  /// Where the cells begin in the grid's block.
  var start: Int32 = 0
  var used: Int32 = 0
  /// Cells behind the last column, of when the alternate buffer was wider.
  var hidden: Int32 = 0
  /// This row continues the one above (the text wrapped).
  var isWrapped = false
}

/// A row of a grid, for as long as the grid's table stays as it is.
struct Row {
  private let state: Place<RowState>
  /// As many as the grid has columns. Those from `used` on hold nothing of use.
  let cells: Block<Cell>

  @inline(__always) init(_ state: Place<RowState>, _ cells: Block<Cell>) {
    self.state = state
    self.cells = cells
  }

  @inline(__always) var columns: Int { cells.count }

  @inline(__always) var used: Int {
    get { Int(state.value.used) }
    nonmutating set {
      let isInside = UInt(bitPattern: newValue) <= UInt(bitPattern: columns)
      state.value.used = Int32(truncatingIfNeeded: isInside ? newValue : columns)
    }
  }

  @inline(__always) var fill: Cell { state.value.fill }

  /// Of another number, not of another look.
  func replaceFill(_ cell: Cell) { state.value.fill = cell }

  @inline(__always) var isWrapped: Bool {
    get { state.value.isWrapped }
    nonmutating set { state.value.isWrapped = newValue }
  }

  @inline(__always) subscript(column: Int) -> Cell { column < used ? cells[column] : fill }

  @inline(__always) func width(_ column: Int) -> Int { self[column].width }

  /// Stores the cells before `end`.
  @inline(__always) func extend(to end: Int) {
    let used = used
    guard used < end else { return }
    let end = min(end, columns)
    cells.fill(used, end &- used, fill)
    self.used = end
  }

  @inline(__always) func set(_ column: Int, _ cell: Cell) {
    extend(to: column &+ 1)
    cells[column] = cell
  }

  /// Sets the cells of a range, without a look at what stood there.
  @inline(__always) func fill(_ from: Int, _ to: Int, _ cell: Cell) {
    let from = max(0, from)
    let to = min(to, columns)
    guard from < to else { return }
    if cell == fill && to >= used {
      if from < used { used = from }
      return
    }
    extend(to: from)
    if to == columns {
      used = from
      state.value.fill = cell
      return
    }
    extend(to: to)
    cells.fill(from, to &- from, cell)
  }

  /// All cells alike.
  @inline(__always) func clear(_ cell: Cell, wrapped: Bool) {
    state.value.used = 0
    state.value.hidden = 0
    state.value.fill = cell
    state.value.isWrapped = wrapped
  }

  /// Cells up to the last that is not blank, all of them stored.
  @inline(__always) func store() -> Int {
    if fill != Cell.blank { extend(to: columns) }
    var used = used
    while used > 0 && cells[used &- 1] == Cell.blank { used &-= 1 }
    return used
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
  /// Cells of a row, with the hidden ones.
  private let stride: Int
  private let table: Block<RowState>
  private let block: Block<Cell>
  /// Scroll region, first and last row.
  var top = 0
  var bottom: Int

  init(columns: Int, rows: Int, hiding hidden: Int = 0) {
    self.columns = columns
    self.rows = rows
    stride = columns + hidden
    bottom = rows - 1
    block = Block(count: stride * rows)
    table = Block(count: rows)
    for row in 0..<rows { table[row] = RowState(start: Int32(row * stride)) }
  }

  func deallocate() {
    block.deallocate()
    table.deallocate()
  }

  var costOfFreeing: Int { block.costOfFreeing }

  var byteCount: Int {
    stride * rows * MemoryLayout<Cell>.stride + rows * MemoryLayout<RowState>.stride
  }

  @inline(__always) subscript(row: Int) -> Row {
    let state = table.place(row)
    return Row(state, block.slice(Int(state.value.start), columns))
  }

  /// What a row keeps behind its last column.
  func hidden(_ row: Int) -> Block<Cell> {
    let state = table[row]
    return block.slice(Int(state.start) + columns, min(Int(state.hidden), stride - columns))
  }

  func hide(_ cells: Block<Cell>, _ row: Int) {
    let count = min(cells.count, stride - columns)
    table.place(row).value.hidden = Int32(count)
    hidden(row).copy(cells, from: 0, to: 0, count: count)
  }

  /// A row's cells up to the last that is not blank, those behind the last column included.
  func stored(_ row: Int) -> Block<Cell> {
    let used = self[row].store()
    let start = Int(table[row].start)
    let hidden = hidden(row).count
    guard hidden > 0 else { return block.slice(start, used) }
    self[row].cells.fill(used, columns - used, Cell.blank)
    return block.slice(start, columns + hidden)
  }

  /// A grid of its own that shows the same.
  func copy() -> Grid {
    var copy = Grid(columns: columns, rows: rows)
    copy.top = top
    copy.bottom = bottom
    for index in 0..<rows {
      let from = self[index]
      let to = copy[index]
      to.clear(from.fill, wrapped: from.isWrapped)
      to.cells.copy(from.cells, from: 0, to: 0, count: from.used)
      to.used = from.used
    }
    return copy
  }

  /// Moves the rows of a region up; those at the top come out at the bottom, cleared to `cell`.
  @inline(__always)
  func rotateUp(_ first: Int, _ last: Int, by count: Int = 1, filling cell: Cell, wrapped: Bool) {
    let count = min(count, last &- first &+ 1)
    guard count > 0 else { return }
    if count == 1 {
      let recycled = table[first]
      table.move(from: first &+ 1, to: first, count: last &- first)
      table[last] = recycled
    } else if count <= last &- first {
      rotate(first, last, by: count)
    }
    for row in (last &- count &+ 1)...last { self[row].clear(cell, wrapped: wrapped) }
  }

  /// Moves the rows of a region down; those at the bottom come out at the top, cleared to `cell`.
  @inline(__always)
  func rotateDown(_ first: Int, _ last: Int, by count: Int = 1, filling cell: Cell) {
    let size = last &- first &+ 1
    let count = min(count, size)
    guard count > 0 else { return }
    if count == 1 {
      let recycled = table[last]
      table.move(from: first, to: first &+ 1, count: last &- first)
      table[first] = recycled
    } else if count < size {
      rotate(first, last, by: size &- count)
    }
    for row in first..<first &+ count { self[row].clear(cell, wrapped: false) }
  }

  /// The first rows of a region behind the others, by three reversals.
  private func rotate(_ first: Int, _ last: Int, by count: Int) {
    func reverse(_ from: Int, _ to: Int) {
      var (from, to) = (from, to)
      while from < to {
        let row = table[from]
        table[from] = table[to]
        table[to] = row
        from += 1
        to -= 1
      }
    }
    reverse(first, first + count - 1)
    reverse(first + count, last)
    reverse(first, last)
  }

  func clear() {
    for row in 0..<rows { self[row].clear(Cell.blank, wrapped: false) }
  }

  /// What is wrong with the table; nil: nothing.
  func fault() -> String? {
    guard top >= 0, bottom < rows, top <= bottom else { return "the region is \(top) to \(bottom)" }
    var isTaken = [Bool](repeating: false, count: rows)
    for index in 0..<rows {
      let state = table[index]
      let place = Int(state.start) / stride
      guard state.start >= 0, Int(state.start) % stride == 0, state.hidden >= 0,
        Int(state.hidden) <= stride - columns, place < rows, !isTaken[place]
      else {
        return "row \(index) has its cells at \(state.start)"
      }
      isTaken[place] = true
      guard state.used >= 0, Int(state.used) <= columns else { return "row \(index) is too long" }
      guard state.fill.hasContent || state.fill.width == 1 else {
        return "row \(index) is filled with halves"
      }
    }
    return nil
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

  /// A word of 64 columns at a time: a tab is one byte, a line may have a thousand columns.
  func next(after column: Int) -> Int {
    var candidate = max(0, column + 1)
    while candidate < columns {
      let rest = words[candidate >> 6] >> UInt64(candidate & 63)
      if rest != 0 { return min(candidate + rest.trailingZeroBitCount, columns - 1) }
      candidate = (candidate >> 6 + 1) << 6
    }
    return columns - 1
  }

  func previous(before column: Int) -> Int {
    var candidate = min(column, columns) - 1
    while candidate > 0 {
      let rest = words[candidate >> 6] << UInt64(63 - candidate & 63)
      if rest != 0 { return candidate - rest.leadingZeroBitCount }
      candidate = (candidate & ~63) - 1
    }
    return 0
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
