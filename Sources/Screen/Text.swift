// The screen as text: plain, and with SGR attributes.

extension Core {
  /// Calls `body` with each line of the shown buffer, oldest first: cells, how many, whether it continues
  /// the line before, and the store that its clusters are in. Scrollback belongs to the primary buffer.
  func forEachLine(
    scrollback: Bool, grid: Grid,
    _ body: (UnsafePointer<Cell>, Int, Bool, borrowing ClusterStore) -> Void
  ) {
    if scrollback && history.count > 0 {
      var longest = columns
      history.visitLines { longest = max(longest, $0.used) }
      withUnsafeTemporaryAllocation(of: Cell.self, capacity: longest) { cells in
        guard let base = cells.baseAddress else { return }
        var temporary = ClusterStore()
        history.visitLines { line in
          temporary.removeAll()
          let used = line.unpack(
            into: base, capacity: longest, clusters: &temporary, widths: widths)
          body(base, used, line.isWrapped, temporary)
        }
        temporary.deallocate()
      }
    }
    for index in 0..<rows {
      let row = grid.table[index]
      var used = Int(row.used)
      while used > 0 && row.cells[used - 1] == Cell.blank { used -= 1 }
      body(row.cells, used, row.isWrapped, clusters)
    }
  }

  func lines(includingScrollback: Bool) -> [String] {
    var lines: [String] = []
    var text: [UInt8] = []
    forEachLine(scrollback: includingScrollback && !isAlternate, grid: grid) {
      cells, used, _, clusters in
      text.removeAll(keepingCapacity: true)
      for column in 0..<used { text.append(cell: cells[column], clusters) }
      while text.last == UInt8(ascii: " ") { text.removeLast() }
      lines.append(String(decoding: text, as: UTF8.self))
    }
    return lines
  }

  func ansi(includingScrollback: Bool) -> [UInt8] {
    var text: [UInt8] = []
    var writer = RenditionWriter()
    forEachLine(scrollback: includingScrollback && !isAlternate, grid: grid) {
      cells, used, _, clusters in
      for column in 0..<used {
        var look = attributes[cells[column].attributes]
        look.background &= ~Attributes.protected
        writer.append(look, links: links, to: &text)
        text.append(cell: cells[column], clusters)
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
