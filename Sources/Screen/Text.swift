// The screen as text: plain, and with SGR attributes.

/// A line of grid or scrollback, for as long as the call lasts that shows it.
struct Line {
  let cells: UnsafePointer<Cell>
  /// Cells up to the last that is not blank.
  let used: Int
  /// It continues the line before it, and the line after it continues this one.
  let isWrapped: Bool
  let isContinued: Bool
}

extension Core {
  /// Calls `body` with each line of a buffer, oldest first, after at most so many of the scrollback, which
  /// belongs to the primary buffer.
  func visitLines(
    scrollback: Int, grid: Grid, _ body: (Line, borrowing ClusterStore) -> Void
  ) {
    if scrollback > 0 && history.count > 0 {
      var skipped = max(0, history.count - scrollback)
      var longest = columns
      history.visitLines { line, _ in longest = max(longest, line.used) }
      withUnsafeTemporaryAllocation(of: Cell.self, capacity: longest) { cells in
        guard let base = cells.baseAddress else { return }
        var temporary = ClusterStore()
        history.visitLines { line, next in
          guard skipped == 0 else {
            skipped -= 1
            return
          }
          temporary.removeAll()
          let used = line.unpack(
            into: base, capacity: longest, clusters: &temporary, widths: widths)
          body(
            Line(
              cells: base, used: used, isWrapped: line.isWrapped,
              isContinued: next?.isWrapped ?? grid.table[0].isWrapped), temporary)
        }
        temporary.deallocate()
      }
    }
    for index in 0..<rows {
      let row = grid.table[index]
      var used = Int(row.used)
      while used > 0 && row.cells[used - 1] == Cell.blank { used -= 1 }
      body(
        Line(
          cells: row.cells, used: used, isWrapped: row.isWrapped,
          isContinued: index + 1 < rows && grid.table[index + 1].isWrapped), clusters)
    }
  }

  func lines(scrollback: Int) -> [String] {
    var lines: [String] = []
    var text: [UInt8] = []
    visitLines(scrollback: isAlternate ? 0 : scrollback, grid: grid) { line, clusters in
      text.removeAll(keepingCapacity: true)
      for column in 0..<line.used { text.append(cell: line.cells[column], clusters) }
      while text.last == UInt8(ascii: " ") { text.removeLast() }
      lines.append(String(decoding: text, as: UTF8.self))
    }
    return lines
  }

  func ansi(scrollback: Int) -> [UInt8] {
    var text: [UInt8] = []
    var writer = RenditionWriter()
    visitLines(scrollback: isAlternate ? 0 : scrollback, grid: grid) { line, clusters in
      for column in 0..<line.used {
        var look = attributes[line.cells[column].attributes]
        look.background &= ~Attributes.protected
        writer.append(look, links: links, to: &text)
        text.append(cell: line.cells[column], clusters)
      }
      writer.append(Attributes(), links: links, to: &text)
      text.append(UInt8(ascii: "\n"))
    }
    return text
  }
}

extension [UInt8] {
  /// A cell's text; a space for a blank one, nothing for the right half of a wide character.
  @inline(__always)
  mutating func append(cell: Cell, _ clusters: borrowing ClusterStore) {
    if cell.isCluster {
      for position in 0..<clusters.length(cell.code) {
        appendUTF8(clusters.codePoint(cell.code, position))
      }
    } else if cell.code == 0 {
      if !cell.isRightHalf { append(UInt8(ascii: " ")) }
    } else if cell.code < 0x80 {
      append(UInt8(truncatingIfNeeded: cell.code))
    } else {
      appendUTF8(cell.code)
    }
  }
}
