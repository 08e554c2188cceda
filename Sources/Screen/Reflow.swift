// How lines flow into another width, as in xterm.js: lines that wrapped are joined or split again, except those of
// the cursor, which the shell redraws. No cell is moved here. What comes of it is how many lines there are then, where
// screen and cursor are among them, and which cells of the old lines each new one has; so it costs a little for each
// line, in slices.

/// A line of the scrollback or of the screen as it was; cells behind those that it has are blank.
struct SourceLine {
  let cells: Block<Cell>
  let isWrapped: Bool
  /// Columns up to the last cell with content, and those with its right half.
  let content: Int
  let trimmed: Int
  /// How many of its cells are text of its logical line.
  fileprivate(set) var length: Int

  init(_ cells: Block<Cell>, isWrapped: Bool) {
    self.cells = cells
    self.isWrapped = isWrapped
    var content = cells.count
    while content > 0 && !cells[content - 1].hasContent { content -= 1 }
    self.content = content
    trimmed = content == 0 ? 0 : content - 1 + cells[content - 1].width
    length = cells.count
  }

  @inline(__always) fileprivate subscript(column: Int) -> Cell {
    column >= 0 && column < cells.count ? cells[column] : Cell.blank
  }
}

/// A line of the new width: `count` cells from a column of a source line on, and of those that continue that one.
struct FlowedLine {
  var source: Int
  var column = 0
  var count: Int
  var isWrapped: Bool
}

struct Reflow {
  /// A logical line that flows.
  private struct Group {
    let sources: Range<Int>
    /// Cells of its text, and those up to the last with content.
    let total: Int
    let content: Int
    /// Lines that it becomes.
    var count = 0
  }

  /// A place in the text of a logical line.
  private struct Place {
    var source: Int
    var column = 0
    /// Cells of the text before it.
    var done = 0
  }

  private let oldColumns: Int
  private let oldRows: Int
  private let columns: Int
  private let rows: Int
  /// Scrollback and screen in one list, as xterm.js has it.
  private(set) var lines: [SourceLine] = []
  /// Lines in front that have the new width already.
  private var flowed = 0
  /// Lines of scrollback in front of the screen.
  private(set) var base = 0
  /// The cursor's row, in the screen.
  private(set) var y: Int
  /// The saved cursor's row, counted from the first line.
  private(set) var savedY = 0
  /// Most lines of scrollback.
  private var limit: Int

  private var groups: [Group] = []
  /// The group whose new lines are being counted, and where its next one begins.
  private var current: (group: Group, place: Place)?
  /// Where the next group is looked for.
  private var position = 0
  /// Lines that are left of the old list, of which some go at the end when others are inserted before.
  private var left = 0
  private var removed = 0
  private var inserted = 0
  /// How many new lines there are.
  private(set) var count = 0

  // Where `next` is.

  private var nextLine = 0
  private var nextGroup = 0
  private var nextPlace: Place?
  private var madeOfGroup = 0

  init(from old: Grid, y: Int, toColumns columns: Int, rows: Int, limit: Int) {
    oldColumns = old.columns
    oldRows = old.rows
    self.columns = columns
    self.rows = rows
    self.y = min(y, old.rows - 1)
    self.limit = limit
  }

  // MARK: The lines come.

  /// The lines of the scrollback; with `isWhole` there are no others.
  mutating func begin(with taken: [SourceLine], flowed: Int, isWhole: Bool) {
    lines = taken
    self.flowed = flowed
    base = taken.count
    // What is left makes the oldest go by itself.
    if !isWhole { limit = .max / 2 }
  }

  mutating func append(_ line: SourceLine) { lines.append(line) }

  /// All lines are there: more or fewer rows take some out of the scrollback, or give it some.
  /// - Parameters:
  ///   - saved: the saved cursor's row in the screen; nil: it is on the first line of all.
  ///   - empty: no cells.
  mutating func changeRows(saved: Int?, empty: Block<Cell>) {
    savedY = saved.map { base + $0 } ?? 0
    var drawn = 0
    if oldRows < rows {
      for _ in oldRows..<rows where lines.count < rows + base {
        if base > 0 && lines.count <= base + y + drawn + 1 {
          base -= 1
          drawn += 1
        } else {
          lines.append(SourceLine(empty, isWrapped: false))
        }
      }
    } else {
      for _ in rows..<oldRows where lines.count > rows + base {
        if lines.count > base + y + 1 { lines.removeLast() } else { base += 1 }
      }
    }
    let excess = lines.count - (rows + limit)
    if excess > 0 {
      lines.removeFirst(excess)
      flowed = max(0, flowed - excess)
      base = max(0, base - excess)
      savedY = max(0, savedY - excess)
    }
    y = min(y, rows - 1) + drawn
    left = lines.count
    count = left
    position = columns > oldColumns ? flowed : left
  }

  // MARK: They flow.

  /// Flows on until it has cost so much. True once all have flowed.
  mutating func flow(work: Int, _ spent: inout Int, empty: Block<Cell>) -> Bool {
    let isWider = columns > oldColumns
    while spent < work {
      guard var (group, place) = current else {
        if isWider ? findWider(&spent) : findNarrower(&spent) { continue }
        if isWider { finishWider(empty: empty) } else { finishNarrower() }
        return true
      }
      current = nil
      // What follows the content of a line that gets shorter does not make lines; where it gets longer, it does.
      let end = isWider ? group.content : group.total
      repeat {
        guard spent < work else {
          current = (group, place)
          return false
        }
        _ = cut(&place, of: group)
        group.count += 1
        spent &+= Cost.cutLine
      } while place.done < end
      if isWider {
        removed += max(0, group.sources.count - group.count)
        groups.append(group)
      } else {
        finishNarrower(&group)
        groups.append(group)
      }
    }
    return false
  }

  /// Begins with the logical line that some old lines are.
  private mutating func begin(_ sources: Range<Int>, _ spent: inout Int) {
    var total = 0
    var content = 0
    for index in sources {
      let length = length(index, isLast: index == sources.upperBound - 1)
      lines[index].length = length
      if lines[index].content > 0 { content = total + min(length, lines[index].content) }
      total += length
    }
    spent &+= sources.count * Cost.cutLine
    current = (
      Group(sources: sources, total: total, content: content), Place(source: sources.lowerBound)
    )
  }

  /// How much of a wrapped line belongs to the text: all, unless a wide character did not fit.
  private func length(_ index: Int, isLast: Bool) -> Int {
    if isLast { return lines[index].trimmed }
    let last = lines[index][oldColumns - 1]
    let endsBlank = !last.hasContent && last.width == 1
    return endsBlank && lines[index + 1][0].width == 2 ? oldColumns - 1 : oldColumns
  }

  /// The next line of a logical line's text: as many cells as there is room for, without half of a wide character.
  private func cut(_ place: inout Place, of group: Group) -> FlowedLine {
    var line = FlowedLine(
      source: place.source, column: place.column,
      count: max(0, min(columns, group.total - place.done)), isWrapped: true)
    let last = group.sources.upperBound - 1
    func advance(by count: Int) {
      place.column += count
      while place.source < last, place.column >= lines[place.source].length {
        place.column -= lines[place.source].length
        place.source += 1
      }
    }
    if line.count == columns {
      advance(by: columns - 1)
      if lines[place.source][place.column].width == 2 { line.count -= 1 } else { advance(by: 1) }
    } else {
      advance(by: line.count)
    }
    place.done += line.count
    return line
  }

  /// Looks for the next logical line that flows when lines get longer, from the oldest on. False: there is none.
  private mutating func findWider(_ spent: inout Int) -> Bool {
    guard position < lines.count - 1 else { return false }
    let start = position
    position += 1
    while position < lines.count && lines[position].isWrapped { position += 1 }
    spent &+= position - start
    if position > start + 1 && !(start..<position).contains(base + y) {
      begin(start..<position, &spent)
    }
    return true
  }

  private mutating func finishWider(empty: Block<Cell>) {
    count = lines.count - removed
    for group in groups where group.count > group.sources.count {
      count += group.count - group.sources.count
    }
    for _ in 0..<removed {
      if base > 0 {
        base -= 1
      } else {
        if y > 0 { y -= 1 }
        if count < rows {
          lines.append(SourceLine(empty, isWrapped: false))
          count += 1
        }
      }
    }
    left = lines.count
    savedY = max(0, savedY - removed)
  }

  /// The same when lines get shorter, from the newest on.
  private mutating func findNarrower(_ spent: inout Int) -> Bool {
    guard position > 0 else { return false }
    position -= 1
    spent &+= 1
    guard position < left, lines[position].isWrapped || lines[position].trimmed > columns else {
      return true
    }
    let end = position + 1
    while lines[position].isWrapped && position > 0 { position -= 1 }
    spent &+= end - position
    if !(position..<end).contains(base + y) { begin(position..<end, &spent) }
    return true
  }

  private mutating func finishNarrower(_ group: inout Group) {
    let maximum = rows + limit
    let added = max(0, group.count - group.sources.count)
    let overflow =
      base == 0 && y != left - 1
      ? max(0, y - maximum + added) : max(0, left - maximum + added)
    inserted += added
    for _ in 0..<max(0, added - overflow) {
      if base == 0 {
        if y < rows - 1 {
          y += 1
          left -= 1
        } else {
          base += 1
        }
      } else if base < min(maximum, left + inserted) - rows {
        base += 1
      }
    }
    savedY = min(savedY + added, base + rows - 1)
    group.count = max(group.count, group.sources.count)
  }

  private mutating func finishNarrower() {
    groups.reverse()
    groups.removeAll { $0.sources.lowerBound >= left }
    count = left
    for index in groups.indices {
      let sources = groups[index].sources
      // Of one that reaches over the end of the list, what stands in place of its old lines is left.
      if sources.upperBound > left { groups[index].count = left - sources.lowerBound }
      count += groups[index].count - min(sources.upperBound, left) + sources.lowerBound
    }
  }

  /// New lines that are too many, at the front.
  var excess: Int { inserted > 0 ? max(0, count - rows - limit) : 0 }

  // MARK: The new lines.

  /// The next of the new lines, from the oldest on; nil: there are no more.
  mutating func next() -> FlowedLine? {
    if nextGroup < groups.count, groups[nextGroup].sources.lowerBound == nextLine {
      return nextOfGroup(groups[nextGroup])
    }
    guard nextLine < left else { return nil }
    defer { nextLine += 1 }
    return FlowedLine(
      source: nextLine, count: min(lines[nextLine].cells.count, columns),
      isWrapped: lines[nextLine].isWrapped)
  }

  private mutating func nextOfGroup(_ group: Group) -> FlowedLine {
    var place = nextPlace ?? Place(source: nextLine)
    var line = cut(&place, of: group)
    line.isWrapped = madeOfGroup > 0 || lines[nextLine].isWrapped
    madeOfGroup += 1
    nextPlace = place
    if madeOfGroup >= group.count {
      nextLine = group.sources.upperBound
      nextGroup += 1
      nextPlace = nil
      madeOfGroup = 0
    }
    return line
  }

  /// Puts a line's cells into a row of the new width.
  func copy(_ line: FlowedLine, to row: Row) {
    row.clear(Cell.blank, wrapped: line.isWrapped)
    var source = line.source
    var column = line.column
    var at = 0
    while at < line.count, source < lines.count {
      let count = max(0, min(line.count - at, lines[source].length - column))
      let stored = max(0, min(count, lines[source].cells.count - column))
      if stored > 0 {
        row.cells.copy(lines[source].cells, from: column, to: at, count: stored)
      }
      row.cells.fill(at + stored, count - stored, Cell.blank)
      at += count
      column = 0
      source += 1
    }
    row.used = at
    // A wide character that loses its right half becomes blank.
    if at == columns, lines[line.source].cells.count > columns, row.cells[at - 1].width == 2 {
      row.cells[at - 1] = row.cells[at - 1].attributeBits | Cell.narrow
    }
  }
}
