// Resizing. The primary buffer's lines flow into the new width as in xterm.js: lines that wrapped
// are joined or split again, except those of the cursor, which the shell redraws. The alternate
// buffer's lines are cut or extended. It works on unpacked copies of the screen's lines, and of as many of the
// scrollback as may come back to the screen; what it costs has nothing to do with the length of the scrollback.

/// A line out of grid or scrollback; cells beyond the array's end are blank.
private struct LooseLine {
  var cells: [Cell] = []
  var isWrapped = false

  subscript(column: Int) -> Cell {
    get { column < cells.count ? cells[column] : Cell.blank }
    set {
      while cells.count <= column { cells.append(Cell.blank) }
      cells[column] = newValue
    }
  }

  /// Columns up to the last with content.
  var trimmedLength: Int {
    for column in stride(from: cells.count - 1, through: 0, by: -1) where cells[column].hasContent {
      return column + cells[column].width
    }
    return 0
  }

  mutating func copy(_ source: LooseLine, from: Int, to: Int, count: Int) {
    for offset in 0..<max(0, count) { self[to + offset] = source[from + offset] }
  }

  /// A wide character that stands on both sides becomes blank.
  mutating func split(at columns: Int) {
    guard cells.count > columns, cells[columns - 1].width == 2 else { return }
    cells[columns - 1] = cells[columns - 1].attributeBits | Cell.narrow
    cells[columns] = cells[columns].attributeBits | Cell.narrow
  }

  /// Cut to a width; a wide character that loses its right half becomes blank.
  mutating func cut(to columns: Int) {
    guard cells.count > columns else { return }
    cells.removeLast(cells.count - columns)
    if let last = cells.last, last.width == 2 {
      cells[columns - 1] = last.attributeBits | Cell.narrow
    }
  }
}

/// A buffer taken apart: scrollback and screen in one list, as xterm.js has it.
private struct LooseBuffer {
  var lines: [LooseLine]
  /// Lines in front that have the new width already.
  var flowed = 0
  /// Lines of scrollback in front of the screen.
  var base: Int
  var y: Int
  /// The saved cursor's row, counted from the first line.
  var savedY: Int
  var limit: Int

  /// More or fewer rows: lines come out of the scrollback or go into it.
  mutating func changeRows(from old: Int, to new: Int) {
    var drawn = 0
    if old < new {
      for _ in old..<new where lines.count < new + base {
        if base > 0 && lines.count <= base + y + drawn + 1 {
          base -= 1
          drawn += 1
        } else {
          lines.append(LooseLine())
        }
      }
    } else {
      for _ in new..<old where lines.count > new + base {
        if lines.count > base + y + 1 {
          lines.removeLast()
        } else {
          base += 1
        }
      }
    }
    let excess = lines.count - (new + limit)
    if excess > 0 {
      lines.removeFirst(excess)
      flowed = max(0, flowed - excess)
      base = max(0, base - excess)
      savedY = max(0, savedY - excess)
    }
    y = min(y, new - 1) + drawn
  }

  /// How much of a wrapped line belongs to the text: all, unless a wide character did not fit.
  private func length(_ group: [LooseLine], _ index: Int, _ columns: Int) -> Int {
    if index == group.count - 1 { return group[index].trimmedLength }
    let last = group[index][columns - 1]
    let endsBlank = !last.hasContent && last.width == 1
    return endsBlank && group[index + 1][0].width == 2 ? columns - 1 : columns
  }

  mutating func widen(from old: Int, to new: Int, rows: Int) {
    var removed = IndexSetOfLines()
    let cursor = base + y
    var start = flowed
    while start < lines.count - 1 {
      var end = start + 1
      while end < lines.count && lines[end].isWrapped { end += 1 }
      defer { start = end }
      if end == start + 1 || (cursor >= start && cursor < end) { continue }
      var group = Array(lines[start..<end])
      let lengths = group.indices.map { length(group, $0, old) }
      let original = group
      var target = 0
      var targetColumn = lengths[0]
      var source = 1
      var sourceColumn = 0
      while source < group.count {
        let count = min(lengths[source] - sourceColumn, new - targetColumn)
        // Cells are read before they are overwritten: the target is never ahead of the source.
        group[target].copy(original[source], from: sourceColumn, to: targetColumn, count: count)
        targetColumn += count
        if targetColumn == new {
          target += 1
          targetColumn = 0
        }
        sourceColumn += count
        if sourceColumn == lengths[source] {
          source += 1
          sourceColumn = 0
        }
        if targetColumn == 0 && target > 0 && group[target - 1][new - 1].width == 2 {
          group[target][0] = group[target - 1][new - 1]
          targetColumn = 1
          group[target - 1][new - 1] = Cell.blank
        }
      }
      if target < group.count && group[target].cells.count > targetColumn {
        group[target].cells.removeLast(group[target].cells.count - targetColumn)
      }
      var surplus = 0
      for index in stride(from: group.count - 1, to: 0, by: -1) {
        guard index > target || group[index].trimmedLength == 0 else { break }
        surplus += 1
      }
      lines.replaceSubrange(start..<end, with: group)
      if surplus > 0 { removed.insert(end - surplus..<end) }
    }
    guard removed.count > 0 else { return }
    lines = removed.removing(from: lines)
    for _ in 0..<removed.count {
      if base > 0 {
        base -= 1
      } else {
        if y > 0 { y -= 1 }
        if lines.count < rows { lines.append(LooseLine()) }
      }
    }
    savedY = max(0, savedY - removed.count)
  }

  /// Lengths of the lines that a group becomes at a smaller width.
  private func newLengths(_ group: [LooseLine], _ old: Int, _ new: Int) -> [Int] {
    var result: [Int] = []
    let total = group.indices.reduce(0) { $0 + length(group, $1, old) }
    var column = 0
    var source = 0
    var done = 0
    while done < total {
      if total - done < new {
        result.append(total - done)
        break
      }
      column += new
      let available = length(group, source, old)
      if column > available {
        column -= available
        source += 1
      }
      guard source < group.count else { break }
      let splits = column > 0 && group[source][column - 1].width == 2
      if splits { column -= 1 }
      let taken = splits ? new - 1 : new
      result.append(taken)
      done += taken
    }
    return result
  }

  mutating func narrow(from old: Int, to new: Int, rows: Int) {
    let maximum = rows + limit
    // Lines to insert, each list in front of the line with that index.
    var inserted: [Int: [LooseLine]] = [:]
    var insertedCount = 0
    var start = lines.count
    while start > 0 {
      start -= 1
      if start >= lines.count { continue }
      if !lines[start].isWrapped && lines[start].trimmedLength <= new { continue }
      let end = start + 1
      while lines[start].isWrapped && start > 0 { start -= 1 }
      let cursor = base + y
      if cursor >= start && cursor < end { continue }
      let original = Array(lines[start..<end])
      let lengths = newLengths(original, old, new)
      let added = max(0, lengths.count - original.count)
      let overflow =
        base == 0 && y != lines.count - 1
        ? max(0, y - maximum + added) : max(0, lines.count - maximum + added)
      // The text of the group in one piece, cut again.
      var text: [Cell] = []
      for index in original.indices {
        let length = length(original, index, old)
        for column in 0..<length { text.append(original[index][column]) }
      }
      var group: [LooseLine] = []
      var position = 0
      for index in 0..<max(original.count, lengths.count) {
        let length = index < lengths.count ? lengths[index] : 0
        let stop = min(text.count, position + length)
        group.append(
          LooseLine(
            cells: Array(text[position..<stop]),
            isWrapped: index < original.count ? original[index].isWrapped : true))
        position = stop
      }
      lines.replaceSubrange(start..<end, with: group[..<original.count])
      if added > 0 {
        inserted[end] = Array(group[original.count...])
        insertedCount += added
      }
      for _ in 0..<max(0, added - overflow) {
        if base == 0 {
          if y < rows - 1 {
            y += 1
            lines.removeLast()
          } else {
            base += 1
          }
        } else if base < min(maximum, lines.count + insertedCount) - rows {
          base += 1
        }
      }
      savedY = min(savedY + added, base + rows - 1)
    }
    guard insertedCount > 0 else { return }
    var result: [LooseLine] = []
    for index in 0...lines.count {
      if let new = inserted[index] { result += new }
      if index < lines.count { result.append(lines[index]) }
    }
    if result.count > maximum { result.removeFirst(result.count - maximum) }
    lines = result
  }
}

/// Ranges of line numbers that are to go, in rising order.
private struct IndexSetOfLines {
  private var ranges: [Range<Int>] = []
  private(set) var count = 0

  mutating func insert(_ range: Range<Int>) {
    ranges.append(range)
    count += range.count
  }

  func removing(from lines: [LooseLine]) -> [LooseLine] {
    var kept: [LooseLine] = []
    var position = 0
    for range in ranges {
      kept += lines[position..<range.lowerBound]
      position = range.upperBound
    }
    return kept + lines[position...]
  }
}

extension Core {
  mutating func resize(columns: Int, rows: Int) {
    guard columns != self.columns || rows != self.rows else { return }
    // Both buffers are walked through, and a new one is written.
    spent = (self.columns * self.rows + columns * rows) * (isAlternate ? 2 : 1)
    let active = resized(grid, saved, y, scrollback: !isAlternate, columns: columns, rows: rows)
    if let primary = hiddenPrimary {
      let hidden = resized(
        primary, otherSaved, hiddenRow, scrollback: true, columns: columns, rows: rows)
      hiddenRow = max(0, min(hidden.y, rows - 1))
      hiddenPrimary = hidden.grid
      otherSaved = hidden.saved
    } else {
      otherSaved.column = min(otherSaved.column, columns - 1)
      otherSaved.row = min(otherSaved.row, rows - 1)
      otherSaved.isFirstLine = otherSaved.row == 0
    }
    grid = active.grid
    saved = active.saved
    x = min(x, columns - 1)
    y = max(0, min(active.y, rows - 1))
    tabs.resize(columns: columns)
    otherTabs.resize(columns: columns)
    self.columns = columns
    self.rows = rows
    collectClusters()
    // What was printed last may have moved away.
    if x < preceding || !isPrintedByPen(grid[y][x - preceding], width: preceding) {
      preceding = 0
    }
  }

  /// A grid of the new size in place of the old one, which is freed. With `scrollback` the newest lines of the
  /// history take part: as many as may come back to the screen. The rest flows when it is read.
  private mutating func resized(
    _ old: Grid, _ saved: SavedCursor, _ y: Int, scrollback: Bool, columns: Int, rows: Int
  ) -> (grid: Grid, saved: SavedCursor, y: Int) {
    var buffer = LooseBuffer(
      lines: [], base: 0, y: min(y, old.rows - 1), savedY: 0,
      limit: scrollback ? history.limit : 0)
    var isWhole = true
    if scrollback {
      let wanted = rows + max(0, rows - old.rows) + 1
      if columns > old.columns {
        // Each of the screen's lines may come to hold many of the old ones: what is taken has the new width.
        history.setColumns(columns)
        (buffer.lines, buffer.flowed) = takeHistory(
          wanted, goingOnIn: old[0].isWrapped ? old.columns : nil)
      } else {
        buffer.lines = takeHistory(wanted, goingOnIn: nil).lines
      }
      buffer.base = buffer.lines.count
      // What is left makes the oldest go by itself.
      isWhole = history.isEmpty
      if !isWhole { buffer.limit = .max / 2 }
    }
    buffer.savedY = saved.isFirstLine ? 0 : buffer.base + saved.row
    for index in 0..<old.rows {
      let row = old[index]
      var line = LooseLine(cells: row.cells.array(row.store()), isWrapped: row.isWrapped)
      let hidden = old.hidden(index)
      for column in 0..<hidden.count { line[old.columns + column] = hidden[column] }
      buffer.lines.append(line)
    }
    old.deallocate()
    buffer.changeRows(from: old.rows, to: rows)
    if scrollback {
      if columns > old.columns {
        buffer.widen(from: old.columns, to: columns, rows: rows)
      } else if columns < old.columns {
        buffer.narrow(from: old.columns, to: columns, rows: rows)
      }
    }
    // What the alternate buffer had beyond its last column is there again when it grows. (A snapshot cannot bring it.)
    var longest = columns
    for index in buffer.lines.indices {
      if scrollback || columns >= old.columns {
        buffer.lines[index].cut(to: columns)
      } else {
        buffer.lines[index].split(at: columns)
        longest = max(longest, buffer.lines[index].cells.count)
      }
    }
    let grid = Grid(
      columns: columns, rows: rows, hiding: min(longest, Limit.columns.upperBound) - columns)
    let base = max(0, min(buffer.base, buffer.lines.count))
    if scrollback {
      let isCounted = !history.isUncounted
      if columns < old.columns { history.setColumns(columns) }
      for line in buffer.lines[..<base] {
        grid[0].replace(line.cells, wrapped: line.isWrapped)
        history.append(grid[0], clusters: clusters, attributes: attributes, links: links)
      }
      grid[0].clear(Cell.blank, wrapped: false)
      if columns != old.columns || !isCounted { history.startCounting() }
    }
    for (index, line) in buffer.lines[base...].prefix(rows).enumerated() {
      grid[index].replace(line.cells, wrapped: line.isWrapped)
      grid.hide(line.cells.dropFirst(columns), index)
    }
    var moved = saved
    moved.column = min(saved.column, columns - 1)
    moved.row = max(0, min(rows - 1, buffer.savedY - base))
    moved.isFirstLine =
      isWhole
      ? buffer.savedY == 0 || moved.row + base == 0 : saved.isFirstLine && buffer.savedY == 0
    return (grid, moved, buffer.y)
  }

  /// Takes the newest lines out of the scrollback, whole logical lines, so many at least if it has them. Those of the
  /// last logical line come as they are if it goes on in the screen (`screenColumns`) and has its width.
  private mutating func takeHistory(_ wanted: Int, goingOnIn screenColumns: Int?)
    -> (lines: [LooseLine], flowed: Int)
  {
    var search = history.search(forLast: wanted)
    _ = history.go(on: &search, work: .max, &spent)
    guard let start = search.start else { return ([], 0) }
    var last: History.Position?
    if let screenColumns {
      var search = history.search(forLast: 1)
      _ = history.go(on: &search, work: .max, &spent)
      last = search.start.flatMap { history.line(at: $0)?.columns == screenColumns ? $0 : nil }
    }
    var lines: [LooseLine] = []
    lines.reserveCapacity(search.found + rows)
    var flowed: Int?
    var reader = HistoryReader(history, from: start)
    defer { reader.deallocate() }
    // The looks of the page under way in the screen's own table.
    var numbers: [UInt32?] = []
    var table = -1
    while true {
      if reader.isBefore(last) {
        flowed = lines.count
        reader.isFlowing = false
      }
      guard let entry = reader.next() else { break }
      if reader.looks.table != table {
        table = reader.looks.table
        numbers = []
      }
      if numbers.count < reader.looks.entries.count {
        numbers += Array(repeating: nil, count: reader.looks.entries.count - numbers.count)
      }
      var cells = reader.cells.slice(entry.cells.lowerBound, entry.cells.count)
        .array(entry.cells.count)
      for index in cells.indices
      where cells[index] & (Cell.attributesMask | Cell.clusterBit) != 0 {
        cells[index] = own(cells[index], reader, &numbers)
      }
      spent &+= entry.cells.count + 24
      lines.append(LooseLine(cells: cells, isWrapped: entry.isWrapped))
    }
    history.truncate(at: start)
    history.tookBack(lines.count)
    return (lines, flowed ?? lines.count)
  }

  /// A cell of the scrollback, with a look and a cluster of the screen's own.
  private mutating func own(
    _ cell: Cell, _ reader: borrowing HistoryReader, _ numbers: inout [UInt32?]
  ) -> Cell {
    var content = cell & ~Cell.attributesMask
    if cell.isCluster {
      let index = clusters.make(copying: cell.code, of: reader.clusters)
      content =
        content & ~Cell.contentMask
        | (index.map { Cell.clusterBit | Cell($0) } ?? Cell(reader.clusters.codePoint(cell.code, 0)))
    }
    let look = Int(cell.attributes)
    guard look != 0, look < numbers.count else { return content }
    let number = numbers[look] ?? own(reader.looks[UInt32(look)], reader.looks)
    numbers[look] = number
    return content | Cell(number) << 32
  }

  private mutating func own(_ look: Attributes, _ looks: Looks) -> UInt32 {
    var look = look
    look.link = looks.link(look.link).flatMap { links.intern($0) } ?? 0
    return attributes.intern(look.forCell)
  }
}

extension Row {
  fileprivate func replace(_ line: [Cell], wrapped: Bool) {
    clear(Cell.blank, wrapped: wrapped)
    let count = min(line.count, columns)
    cells.copy(line, count: count)
    used = count
  }
}
