// A change of the screen's size under way, in slices of counted work: a screen of a million cells takes longer than
// others on the loop should wait. Until it is done the screen takes nothing in, so that whoever goes on with it, and
// in however many slices, gets what xterm.js has.

final class Resizing: CoreResizing {
  private enum Step { case active, hidden, clusters, release }

  private let columns: Int
  private let rows: Int
  private var step = Step.active
  private var buffer: BufferResize
  /// The first buffer, when there are two.
  private var doneBuffer: BufferResize?
  /// Grids of the old size.
  private var oldGrids: [Grid] = []
  private var active: (grid: Grid, saved: SavedCursor, y: Int)?
  private var collection: ClusterCompaction?

  init(_ core: inout Core, columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
    buffer = BufferResize(
      core.grid, saved: core.saved, y: core.y, hasScrollback: !core.isAlternate,
      columns: columns, rows: rows, core: &core)
  }

  deinit {
    buffer.deallocate()
    doneBuffer?.deallocate()
    for grid in oldGrids { grid.deallocate() }
    active?.grid.deallocate()
    collection?.deallocate()
  }

  var byteCount: Int {
    oldGrids.reduce(buffer.byteCount + (doneBuffer?.byteCount ?? 0) + (active?.grid.byteCount ?? 0))
    {
      $0 + $1.byteCount
    }
  }

  /// Goes on until it has cost so much. True once it is done.
  func go(on core: inout Core, work: Int) -> Bool {
    while core.spent < work {
      switch step {
      case .active:
        guard buffer.go(on: &core, work: work) else { return false }
        active = buffer.takeResult()
        guard let primary = core.hiddenPrimary else {
          finish(&core, hidden: nil)
          continue
        }
        step = .hidden
        doneBuffer = buffer
        buffer = BufferResize(
          primary, saved: core.otherSaved, y: core.hiddenRow, hasScrollback: true,
          columns: columns, rows: rows, core: &core)
      case .hidden:
        guard buffer.go(on: &core, work: work) else { return false }
        finish(&core, hidden: buffer.takeResult())
      case .clusters:
        guard collection?.go(on: &core, work: work) != false else { return false }
        core.forgetMovedCharacter()
        step = .release
      case .release: return release(&core, work: work)
      }
    }
    return false
  }

  private func release(_ core: inout Core, work: Int) -> Bool {
    while core.spent < work {
      if let grid = oldGrids.popLast() {
        core.spent &+= grid.costOfFreeing
        grid.deallocate()
      } else if !buffer.release(&core.spent, work: work) {
        return false
      } else {
        return doneBuffer?.release(&core.spent, work: work) != false
      }
    }
    return false
  }

  /// The grids of the new size take the place of the old ones.
  private func finish(_ core: inout Core, hidden: (grid: Grid, saved: SavedCursor, y: Int)?) {
    guard let active = active.take() else { return }
    oldGrids = [core.grid] + (core.hiddenPrimary.map { [$0] } ?? [])
    if let hidden {
      core.hiddenRow = hidden.y
      core.hiddenPrimary = hidden.grid
      core.otherSaved = hidden.saved
    } else {
      core.otherSaved.column = min(core.otherSaved.column, columns - 1)
      core.otherSaved.row = min(core.otherSaved.row, rows - 1)
      core.otherSaved.isFirstLine = core.otherSaved.row == 0
    }
    core.grid = active.grid
    core.saved = active.saved
    core.x = min(core.x, columns - 1)
    core.y = active.y
    core.tabs.resize(columns: columns)
    core.otherTabs.resize(columns: columns)
    core.columns = columns
    core.rows = rows
    // Also what was taken out of the scrollback and put back.
    if core.clusters.count > 0 { collection = ClusterCompaction(of: core) }
    core.clusters.collectLater(columns: columns, rows: rows)
    step = .clusters
  }
}

extension Core {
  mutating func beginResize(columns: Int, rows: Int) {
    guard columns != self.columns || rows != self.rows else { return }
    resizing = Resizing(&self, columns: columns, rows: rows)
  }

  /// Goes on with the change of size, if there is one, until it has cost so much. True once there is none.
  mutating func goOnResizing(work: Int) -> Bool {
    guard let resizing else { return true }
    guard resizing.go(on: &self, work: work) else { return false }
    self.resizing = nil
    return true
  }

  /// What was printed last may have moved away.
  fileprivate mutating func forgetMovedCharacter() {
    if x < preceding || !isPrintedByPen(grid[y][x - preceding], width: preceding) {
      preceding = 0
    }
  }
}
