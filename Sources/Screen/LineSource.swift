// The walk over a buffer's lines, which snapshots and text share. It can be long, so it goes in slices.

/// A line of grid or scrollback, until the next one is asked for.
struct Line {
  let cells: Block<Cell>
  /// Cells up to the last that is not blank.
  let used: Int
  /// It continues the line before it, and the line after it continues this one.
  let isWrapped: Bool
  let isContinued: Bool
}

/// The lines of one buffer of a frozen screen, oldest first: of the scrollback, which belongs to the primary
/// buffer, and then of the grid.
struct LineSource {
  private let grid: Grid
  private let gridLooks: Looks
  private let gridClusters: ClusterStore
  private var reader: HistoryReader?
  /// What is looked for where, until it is found.
  private var history: History?
  private var search: History.Search?
  private var row = 0
  /// What the looks and clusters of the line's cells are.
  private(set) var looks: Looks
  private(set) var clusters: ClusterStore
  /// There is more scrollback than was asked for.
  let isCut: Bool

  /// The scrollback must have been counted. Where it is cut, its beginning is to be found first.
  init(_ core: Core, _ looks: Looks, grid: Grid, scrollback: Int) {
    self.grid = grid
    gridLooks = looks
    gridClusters = core.clusters
    self.looks = looks
    clusters = gridClusters
    isCut = scrollback < core.history.lines
    guard scrollback > 0, !core.history.isEmpty else { return }
    if isCut {
      history = core.history
      search = core.history.search(forLast: scrollback)
    } else {
      reader = HistoryReader(core.history)
    }
  }

  /// Looks for the first line, until it has cost so much. True once it is found.
  mutating func findStart(work: Int, _ spent: inout Int) -> Bool {
    guard let history, var search else { return true }
    let isFound = history.go(on: &search, work: work, &spent)
    self.search = isFound ? nil : search
    guard isFound, let start = search.start else { return isFound }
    var reader = HistoryReader(history, from: start)
    for _ in 0..<max(0, search.found - search.wanted) {
      spent &+= Cost.passedLine + (reader.next()?.cells.count ?? 0)
    }
    self.reader = reader
    return true
  }

  mutating func deallocate() {
    reader?.deallocate()
    reader = nil
  }

  mutating func next() -> Line? {
    if let entry = reader?.next(), let cells = reader?.cells, let clusters = reader?.clusters {
      // A reader is large: it is not copied to be asked.
      if reader?.looks.table != looks.table || reader?.looks.entries.count != looks.entries.count,
        let current = reader?.looks
      {
        looks = current
      }
      self.clusters = clusters
      return Line(
        cells: cells.slice(entry.cells.lowerBound, entry.cells.count), used: entry.cells.count,
        isWrapped: entry.isWrapped, isContinued: entry.isContinued ?? grid[0].isWrapped)
    }
    if reader != nil || row == 0 {
      deallocate()
      looks = gridLooks
      clusters = gridClusters
    }
    guard row < grid.rows else { return nil }
    let line = grid[row]
    row += 1
    return Line(
      cells: line.cells, used: line.store(), isWrapped: line.isWrapped,
      isContinued: row < grid.rows && grid[row].isWrapped)
  }
}

/// Where a walk over a buffer's lines stands. (A class, since it is large and taken out for each line.)
final class LineWalk {
  var source: LineSource
  var isFirst = true
  var isFull = false
  var lastCell = Cell.blank
  /// What the last cell's look is a number of.
  var lastLooks: Looks

  init(_ source: LineSource) {
    self.source = source
    lastLooks = source.looks
  }
}
