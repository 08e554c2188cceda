// The screen as text: plain, with SGR attributes, or as JSON strings; and the walk over its lines that snapshots
// and text share. It can be long, so it goes in slices.

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

/// A screen's text, in slices: of the screen as it was when this was begun.
public final class ScreenText {
  public enum Format: Sendable {
    /// A line per row without trailing blanks, each ended by a newline.
    case plain
    /// The same with SGR; every line starts and ends with default attributes.
    case ansi
    /// Each line's plain text as a JSON string, with commas between.
    case json
  }

  private var core: Core
  private let looks: Looks
  private let format: Format
  private let scrollback: Int
  /// The last lines that hold something, so many, with wrapped lines joined; nil: rows as they are.
  private let tail: Int?
  private let mostBytes: Int
  private var source: LineSource?
  private var writer = RenditionWriter()
  private var text: [UInt8] = []
  private var isFirst = true
  /// Of the logical line under way: something is to be seen, and blanks that may turn out to be its end.
  private var holds = false
  private var blanks = 0
  private var lines: [[UInt8]] = []
  private var firstLine = 0
  private var lineBytes = 0
  private var reach: Int
  /// Rows of scrollback that were shown; of a tail nothing is said.
  public private(set) var scrollbackShown = 0
  public private(set) var isDone = false

  init(_ core: Core, _ format: Format, scrollback: Int, tail: Int?, mostBytes: Int) {
    self.core = core.frozen()
    looks = core.looks
    self.format = format
    self.scrollback = core.isAlternate ? 0 : max(0, scrollback)
    self.tail = tail.map { max(0, $0) }
    self.mostBytes = max(1, mostBytes)
    // Half of the lines hold something, says experience; where not, it begins again farther up.
    reach = core.isAlternate ? 0 : min(core.history.limit, tail ?? 0) * 2
  }

  deinit {
    source?.deallocate()
    core.deallocate()
  }

  /// The next bytes, for about so much work. Empty does not mean done.
  public func next(work: Int = Screen.workPerCall) -> [UInt8] {
    var bytes: [UInt8] = []
    guard !isDone else { return bytes }
    var spent = 0
    if core.history.isUncounted { core.history.countLines(work: work, &spent) }
    guard !core.history.isUncounted else { return bytes }
    while spent < work {
      if source == nil {
        source = LineSource(
          core, looks, grid: core.grid, scrollback: tail == nil ? scrollback : reach)
        scrollbackShown = min(scrollback, core.history.lines)
      }
      guard source?.findStart(work: work, &spent) == true else { break }
      guard let line = source?.next() else {
        if tail != nil { finishTail(&bytes) } else { isDone = true }
        break
      }
      spent += Cost.shownLine(line.used)
      if tail == nil { add(line, &bytes) } else { join(line) }
    }
    return bytes
  }

  /// All of it.
  func all() -> [UInt8] {
    var bytes: [UInt8] = []
    while !isDone { bytes += next(work: .max) }
    return bytes
  }

  private func add(_ line: Line, _ bytes: inout [UInt8]) {
    text.removeAll(keepingCapacity: true)
    append(line)
    endLook()
    put(text, &bytes)
  }

  private func append(_ line: Line) {
    guard let looks = source?.looks, let clusters = source?.clusters else { return }
    // Each access to what an object holds is checked; a cell has no time for that.
    var text = text
    self.text = []
    defer { self.text = text }
    var column = 0
    while column < line.used {
      let cell = line.cells[column]
      if format == .ansi {
        var look = looks[cell.attributes]
        look.background &= ~Attributes.protected
        writer.append(look, looks, to: &text)
      }
      let start = text.count
      let end = line.cells.appendASCII(column, line.used, to: &text)
      if end > column {
        if !holds { holds = text[start...].contains { $0 != UInt8(ascii: " ") } }
        column = end
        continue
      }
      text.append(cell: cell, clusters)
      if cell.hasContent && (cell.code != 0x20 || cell.isCluster) { holds = true }
      column += 1
    }
  }

  private func endLook() {
    if format == .ansi {
      writer.append(Attributes(), looks, to: &text)
    } else {
      while text.last == UInt8(ascii: " ") { text.removeLast() }
    }
  }

  private func put(_ line: [UInt8], _ bytes: inout [UInt8]) {
    guard format == .json else {
      bytes += line
      bytes.append(UInt8(ascii: "\n"))
      return
    }
    if !isFirst { bytes.append(UInt8(ascii: ",")) }
    isFirst = false
    bytes.append(UInt8(ascii: "\""))
    for byte in line {
      // A cell holds no control character.
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        bytes.append(UInt8(ascii: "\\"))
      }
      bytes.append(byte)
    }
    bytes.append(UInt8(ascii: "\""))
  }

  // MARK: The last lines.

  private func join(_ line: Line) {
    if !line.isWrapped || text.count >= mostBytes { endLine() }
    // A wide character that found no room left a blank that is none of the text's.
    if blanks == 1, line.used > 0, line.cells[0].width == 2 { blanks = 0 }
    if line.used > 0 {
      for _ in 0..<blanks { text.append(UInt8(ascii: " ")) }
      blanks = 0
    }
    append(line)
    if line.isContinued { blanks += core.columns - line.used }
  }

  private func endLine() {
    defer {
      text = []
      holds = false
      blanks = 0
    }
    endLook()
    guard holds, let tail, tail > 0 else { return }
    lines.append(text)
    lineBytes += text.count
    while lines.count - firstLine > tail || lineBytes > mostBytes, firstLine < lines.count {
      lineBytes -= lines[firstLine].count
      lines[firstLine] = []
      firstLine += 1
    }
    if firstLine > 1_024 && firstLine * 2 > lines.count {
      lines.removeFirst(firstLine)
      firstLine = 0
    }
  }

  private func finishTail(_ bytes: inout [UInt8]) {
    endLine()
    let isCut = source?.isCut ?? false
    source?.deallocate()
    source = nil
    if isCut, !core.isAlternate, lines.count - firstLine <= tail ?? 0, lineBytes < mostBytes {
      // The first of them may have begun above, too.
      reach = max(64, reach * 4)
      lines = []
      firstLine = 0
      lineBytes = 0
      return
    }
    for line in lines[firstLine...] { put(line, &bytes) }
    isDone = true
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
