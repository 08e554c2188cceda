// Collection of what cells no longer point to: attributes, hyperlinks and clusters. Each is a walk
// over the cells, done only when a table has doubled since the last one, so its cost per byte of
// output stays small.

extension Core {
  /// Calls `body` with every row of both grids.
  private func forEachRow(_ body: (UnsafeMutablePointer<Row>) -> Void) {
    for row in 0..<rows { body(grid.table + row) }
    if let hiddenPrimary {
      for row in 0..<rows { body(hiddenPrimary.table + row) }
    }
  }

  /// Keeps the attributes that a cell, a packed line or the pen uses, and the links of those.
  mutating func collectAttributes() {
    var marks = [Bool](repeating: false, count: attributes.count)
    marks.withUnsafeMutableBufferPointer { marks in
      forEachRow { row in
        for column in 0..<Int(row.pointee.used) {
          marks[Int(row.pointee.cells[column].attributes)] = true
        }
      }
      history.visitLines { line, _ in
        line.forEachRun { header, _ in
          if let header { marks[Int(header.loadUnaligned(as: UInt32.self))] = true }
        }
      }
      marks[Int(penBits.attributes)] = true
      marks[Int(eraseCell.attributes)] = true
    }
    let renamed = attributes.compact(keeping: marks)
    forEachRow { row in
      for column in 0..<Int(row.pointee.used) {
        let cell = row.pointee.cells[column]
        row.pointee.cells[column] =
          Cell(renamed[Int(cell.attributes)]) << 32 | cell & ~Cell.attributesMask
      }
    }
    history.visitLines { line, _ in
      line.forEachRun { header, _ in
        guard let header else { return }
        let index = renamed[Int(header.loadUnaligned(as: UInt32.self))]
        header.storeBytes(of: index, as: UInt32.self)
      }
    }
    penBits = Cell(renamed[Int(penBits.attributes)]) << 32
    eraseCell =
      Cell(renamed[Int(eraseCell.attributes)]) << 32 | eraseCell & ~Cell.attributesMask
    collectAttributesAt = max(Limit.attributes, attributes.count * 2)
    collectLinks()
  }

  /// Keeps the links of attributes in the table and of the pen.
  private mutating func collectLinks() {
    guard links.count > 0 else { return }
    var marks = [Bool](repeating: false, count: links.count + 1)
    for index in 0..<attributes.count { marks[Int(attributes[UInt32(index)].link)] = true }
    marks[Int(pen.link)] = true
    let renamed = links.compact(keeping: marks)
    attributes.renameLinks(renamed)
    pen.link = renamed[Int(pen.link)]
  }

  /// Keeps the clusters that a cell uses. (Packed lines hold theirs by value.)
  mutating func collectClusters() {
    let old = clusters
    var kept = ClusterStore()
    forEachRow { row in
      for column in 0..<Int(row.pointee.used) where row.pointee.cells[column].isCluster {
        let cell = row.pointee.cells[column]
        let index = kept.copy(cell.code, from: old)
        row.pointee.cells[column] = cell & ~Cell.codeMask | Cell(index)
      }
    }
    kept.collectAt = max(4_096, kept.count * 2)
    clusters = kept
    old.deallocate()
  }
}
