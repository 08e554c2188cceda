// One buffer on its way to another size: the newest lines come out of the scrollback, the rows of the screen behind
// them, they flow (Reflow.swift), and what comes of it is written, the first lines into the scrollback and the last
// into a new grid. The old grid stays as it shows until its owner takes the new one.

struct BufferResize {
  private enum Step { case take, store, flow, begin, write, done }

  private let old: Grid
  private let saved: SavedCursor
  private let columns: Int
  private let rows: Int
  /// It is the primary buffer. The alternate one's lines do not flow.
  private let hasScrollback: Bool
  private var step = Step.take
  private var taken: TakenLines?
  private var reflow: Reflow
  /// All of the scrollback takes part.
  private var isWhole = true
  /// Rows that are stored, lines that are written.
  private var row = 0
  private var line = 0
  private var base = 0
  private var excess = 0
  private(set) var grid: Grid?
  /// The scrollback's lines were counted before, and it has all of them back.
  private var isCounted = true
  private var hasEnded = false

  init(
    _ old: Grid, saved: SavedCursor, y: Int, hasScrollback: Bool, columns: Int, rows: Int,
    core: inout Core
  ) {
    self.old = old
    self.saved = saved
    self.columns = columns
    self.rows = rows
    self.hasScrollback = hasScrollback
    reflow = Reflow(
      from: old, y: y, toColumns: columns, rows: rows,
      limit: hasScrollback ? core.history.limit : 0)
    guard hasScrollback else { return }
    let wanted = rows + max(0, rows - old.rows) + 1
    let isWider = columns > old.columns
    // Each of the screen's lines may come to hold many of the old ones: what is taken has the new width.
    if isWider { core.history.setColumns(columns) }
    taken = TakenLines(
      wanted, of: core.history, goingOnIn: isWider && old[0].isWrapped ? old.columns : nil)
  }

  /// Frees what nobody needs any more, block by block, until it has cost so much. True once all is free.
  mutating func release(_ spent: inout Int, work: Int) -> Bool {
    taken?.release(&spent, work: work) != false
  }

  /// What was made and not taken.
  func deallocate() {
    taken?.deallocate()
    grid?.deallocate()
  }

  var byteCount: Int { (taken?.byteCount ?? 0) + (grid?.byteCount ?? 0) }

  /// Goes on until it has cost so much. True once it is done.
  mutating func go(on core: inout Core, work: Int) -> Bool {
    while step != .done {
      guard core.spent < work else { return false }
      switch step {
      case .take: if take(&core, work) { step = .store }
      case .store: if store(&core, work) { step = .flow }
      case .flow:
        if !hasScrollback || columns == old.columns
          || reflow.flow(work: work, &core.spent, empty: empty)
        {
          step = .begin
        }
      case .begin:
        begin(&core)
        step = .write
      case .write: if write(&core, work) { step = .done }
      case .done: break
      }
    }
    return true
  }

  /// The grid, which is the caller's then, the saved cursor, and the cursor's row.
  mutating func takeResult() -> (grid: Grid, saved: SavedCursor, y: Int) {
    var moved = saved
    moved.column = min(saved.column, columns - 1)
    moved.row = max(0, min(rows - 1, reflow.savedY - base))
    moved.isFirstLine =
      isWhole
      ? reflow.savedY == 0 || moved.row + base == 0 : saved.isFirstLine && reflow.savedY == 0
    let made = grid.take() ?? Grid(columns: columns, rows: rows)
    return (made, moved, max(0, min(reflow.y, rows - 1)))
  }

  private var empty: Block<Cell> { old[0].cells.slice(0, 0) }

  private mutating func take(_ core: inout Core, _ work: Int) -> Bool {
    guard taken?.take(from: &core, work: work) != false else { return false }
    if let result = taken?.result() {
      isWhole = core.history.isEmpty
      reflow.begin(with: result.lines, flowed: result.flowed, isWhole: isWhole)
    }
    return true
  }

  private mutating func store(_ core: inout Core, _ work: Int) -> Bool {
    while row < old.rows {
      guard core.spent < work else { return false }
      let line = SourceLine(old.stored(row), isWrapped: old[row].isWrapped)
      reflow.append(line)
      core.spent &+= line.cells.count + Cost.storedLine
      row += 1
    }
    reflow.changeRows(saved: saved.isFirstLine ? nil : saved.row, empty: empty)
    return true
  }

  private mutating func begin(_ core: inout Core) {
    excess = reflow.excess
    base = max(0, min(reflow.base, reflow.count - excess))
    line = -excess
    // What the alternate buffer had beyond its last column is there again when it grows. (A snapshot cannot bring it.)
    let longest = hidesCells ? reflow.lines.reduce(columns) { max($0, $1.cells.count) } : columns
    grid = Grid(
      columns: columns, rows: rows, hiding: min(longest, Limit.columns.upperBound) - columns)
    guard hasScrollback else { return }
    isCounted = !core.history.isUncounted
    if columns < old.columns { core.history.setColumns(columns) }
  }

  private var hidesCells: Bool { !hasScrollback && columns < old.columns }

  private mutating func write(_ core: inout Core, _ work: Int) -> Bool {
    guard let grid else { return true }
    while line < base + rows {
      guard core.spent < work else { return false }
      if line == base { endHistory(&core) }
      guard let flowed = reflow.next() else { break }
      if line < 0 {
        core.spent &+= Cost.droppedLine
      } else if line < base {
        reflow.copy(flowed, to: grid[0])
        core.history.append(
          grid[0], clusters: core.clusters, attributes: core.attributes, links: core.links)
        core.spent &+= Cost.packedLine(flowed.count)
      } else {
        core.spent &+= write(flowed, to: line - base, of: grid)
      }
      line += 1
    }
    endHistory(&core)
    return true
  }

  /// Returns what it cost; memory that is touched for the first time is most of it.
  private func write(_ flowed: FlowedLine, to row: Int, of grid: Grid) -> Int {
    let source = reflow.lines[flowed.source]
    if hidesCells { source.split(at: columns) }
    reflow.copy(flowed, to: grid[row])
    guard hidesCells else {
      return Cost.writtenRow(flowed.count) + columns / Cost.columnsPerUnit
    }
    let shown = min(source.cells.count, columns)
    grid.hide(source.cells.slice(shown, source.cells.count - shown), row)
    return Cost.writtenRow(source.cells.count)
  }

  /// All lines of the scrollback are there.
  private mutating func endHistory(_ core: inout Core) {
    guard hasScrollback, !hasEnded else { return }
    hasEnded = true
    grid?[0].clear(Cell.blank, wrapped: false)
    if columns != old.columns || !isCounted { core.history.startCounting() }
  }
}

extension SourceLine {
  /// A wide character that stands on both sides becomes blank.
  fileprivate func split(at columns: Int) {
    guard cells.count > columns, cells[columns - 1].width == 2 else { return }
    cells[columns - 1] = cells[columns - 1].attributeBits | Cell.narrow
    cells[columns] = cells[columns].attributeBits | Cell.narrow
  }
}
