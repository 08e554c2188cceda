// Resizing. The primary buffer's lines flow into the new width as in xterm.js; the alternate
// buffer's are cut or extended.

extension Core {
  mutating func resize(columns: Int, rows: Int) {
    guard columns != self.columns || rows != self.rows else { return }
    if let primary = hiddenPrimary {
      hiddenPrimary = fitted(primary, columns, rows)
      primary.deallocate()
    }
    let old = grid
    grid = fitted(old, columns, rows)
    old.deallocate()
    tabs.resize(columns: columns)
    otherTabs.resize(columns: columns)
    self.columns = columns
    self.rows = rows
    x = min(x, columns - 1)
    y = min(y, rows - 1)
    saved.column = min(saved.column, columns - 1)
    saved.row = min(saved.row, rows - 1)
    otherSaved.column = min(otherSaved.column, columns - 1)
    otherSaved.row = min(otherSaved.row, rows - 1)
    preceding = 0
  }

  /// The rows of a grid, cut or extended.
  private func fitted(_ old: Grid, _ columns: Int, _ rows: Int) -> Grid {
    let new = Grid(columns: columns, rows: rows)
    for index in 0..<min(rows, old.rows) {
      let from = old.table[index]
      var used = min(Int(from.used), columns)
      (new.table[index].cells).update(from: from.cells, count: used)
      if used > 0 && from.cells[used - 1].width == 2 { used -= 1 }
      new.table[index].used = Int32(used)
      new.table[index].isWrapped = from.isWrapped
    }
    return new
  }
}
