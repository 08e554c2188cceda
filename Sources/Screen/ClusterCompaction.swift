// The collection of clusters that no cell points to any more, in slices.

/// A collection of clusters under way, row by row. Until it is done the cells must not be looked at.
struct ClusterCompaction {
  private var kept = ClusterStore()
  /// Each one's new index and 1.
  private let renamed: Block<UInt32>
  private var row = 0
  private var isDone = false

  init(of core: Core) { renamed = Block(count: core.clusters.count) }

  func deallocate() {
    renamed.deallocate()
    if !isDone { kept.deallocate() }
  }

  /// Goes on until it has cost so much. True once it is done.
  mutating func go(on core: inout Core, work: Int) -> Bool {
    while row < core.rows {
      guard core.spent < work else { return false }
      core.spent &+= collect(core.grid, core.clusters)
      if let hidden = core.hiddenPrimary { core.spent &+= collect(hidden, core.clusters) }
      row += 1
    }
    kept.collectLater(columns: core.columns, rows: core.rows)
    core.clusters.deallocate()
    core.clusters = kept
    isDone = true
    return true
  }

  /// Of a row, with those that it hides. Returns what it cost.
  private mutating func collect(_ grid: Grid, _ old: ClusterStore) -> Int {
    func rename(_ cell: Cell) -> Cell {
      guard cell.isCluster else { return cell }
      if renamed[Int(cell.code)] == 0 {
        renamed[Int(cell.code)] = kept.copy(cell.code, from: old) + 1
      }
      return cell & ~Cell.codeMask | Cell(renamed[Int(cell.code)] &- 1) & Cell.codeMask
    }
    let before = kept.count
    let hidden = grid.hidden(row)
    grid[row].replaceCells(rename)
    hidden.replaceCells(hidden.count, rename)
    return grid[row].used + hidden.count + (kept.count - before) * 2 + 2
  }
}
