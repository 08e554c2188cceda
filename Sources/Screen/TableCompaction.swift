// Collection of what cells no longer point to: attributes, hyperlinks and clusters. Each is a walk
// over the cells of the grids, done only when a table has doubled since the last one, so its cost per byte of
// output stays small. (The scrollback holds its own.)

extension Core {
  /// Calls `body` with every row of both grids.
  private func forEachRow(_ body: (Row, Block<Cell>) -> Void) {
    for row in 0..<rows { body(grid[row], grid.hidden(row)) }
    if let hiddenPrimary {
      for row in 0..<rows { body(hiddenPrimary[row], hiddenPrimary.hidden(row)) }
    }
  }

  /// Keeps the attributes that a cell or the pen uses, and the links of those.
  mutating func collectAttributes() {
    let marks = Block<UInt8>(count: attributes.count)
    defer { marks.deallocate() }
    var cells = 0
    forEachRow { row, hidden in
      row.mark(marks)
      for column in 0..<hidden.count { marks[Int(hidden[column].attributes)] = 1 }
      cells += row.used + hidden.count
    }
    marks[Int(penBits.attributes)] = 1
    marks[Int(eraseCell.attributes)] = 1
    let renamed = attributes.compact(keeping: marks)
    defer { renamed.deallocate() }
    func rename(_ cell: Cell) -> Cell {
      Cell(renamed[Int(cell.attributes)]) << 32 | cell & ~Cell.attributesMask
    }
    forEachRow { row, hidden in
      row.replaceCells(rename)
      hidden.replaceCells(hidden.count, rename)
    }
    penBits = rename(penBits)
    eraseCell = rename(eraseCell)
    spent &+= cells * Cost.collectedCell + rows * Cost.collectedRow
    collectAttributesAt = max(
      max(Limit.attributes, columns * rows / Limit.cellsPerAttribute), attributes.count * 2)
    history.lookNumbersChanged()
    collectLinks()
  }

  /// Keeps the links of attributes in the table and of the pen.
  private mutating func collectLinks() {
    guard links.count > 0 else { return }
    let marks = Block<UInt8>(count: links.count + 1)
    defer { marks.deallocate() }
    for index in 0..<attributes.count { marks[Int(attributes[UInt32(index)].link)] = 1 }
    marks[Int(pen.link)] = 1
    let renamed = links.compact(keeping: marks)
    defer { renamed.deallocate() }
    attributes.renameLinks(renamed)
    pen.link = renamed[Int(pen.link)]
  }

  /// Keeps the clusters that a cell uses, each once. (Packed lines hold theirs by value.)
  mutating func collectClusters() {
    var collection = ClusterCompaction(of: self)
    _ = collection.go(on: &self, work: .max)
    collection.deallocate()
  }
}

extension Row {
  func mark(_ marks: Block<UInt8>) {
    marks[Int(fill.attributes)] = 1
    for column in 0..<used { marks[Int(cells[column].attributes)] = 1 }
  }

  /// Puts another cell in place of each, the fill included.
  func replaceCells(_ replace: (Cell) -> Cell) {
    cells.replaceCells(used, replace)
    replaceFill(replace(fill))
  }
}

extension Block where Element == Cell {
  func replaceCells(_ count: Int, _ replace: (Cell) -> Cell) {
    for column in 0..<count { self[column] = replace(self[column]) }
  }
}
