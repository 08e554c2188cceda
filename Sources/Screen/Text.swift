// The screen as text: plain, with SGR attributes, or as JSON strings. It can be long, so it goes in slices.

extension Screen {
  // What shows the screen as text takes how many lines of the scrollback, the latest ones, to show above
  // it. The alternate buffer has none.

  /// The text, a line per row without trailing blanks, each ended by a newline.
  public func text(scrollback: Int = 0) -> String {
    String(decoding: beginText(.plain, scrollback: scrollback).all(), as: UTF8.self)
  }

  /// The last so many lines that hold something, scrollback and screen taken as one; wrapped lines are joined.
  public func text(tail: Int) -> String {
    String(decoding: beginText(.plain, tail: tail).all(), as: UTF8.self)
  }

  /// The text with SGR attributes, a line per row; every line starts and ends with default attributes.
  public func ansi(scrollback: Int = 0) -> [UInt8] {
    beginText(.ansi, scrollback: scrollback).all()
  }

  /// The rows' text, without trailing blanks.
  public func lines(scrollback: Int = 0) -> [String] {
    beginText(.plain, scrollback: scrollback).all().split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
    ).dropLast().map { String(decoding: $0, as: UTF8.self) }
  }

  /// Text in slices, of the screen as it is now: the rows, below so many lines of the scrollback.
  public func beginText(_ format: ScreenText.Format, scrollback: Int) -> ScreenText {
    ScreenText(settled, format, scrollback: scrollback, tail: nil, mostBytes: .max)
  }

  /// The last so many lines that hold something, in slices; fewer where they are more than `mostBytes`.
  public func beginText(_ format: ScreenText.Format, tail: Int, mostBytes: Int = 1 << 24)
    -> ScreenText
  {
    ScreenText(settled, format, scrollback: 0, tail: tail, mostBytes: mostBytes)
  }

  /// What a program wants to know of the screen, as a value.
  public func contents(scrollback: Int = 0) -> ScreenContents {
    let lines = lines(scrollback: scrollback)
    return ScreenContents(
      columns: columns, rows: rows, cursorColumn: cursorColumn, cursorRow: cursorRow,
      isCursorVisible: isCursorVisible, isAlternate: isAlternate, title: title,
      workingDirectory: workingDirectory, scrollback: lines.count - rows, lines: lines)
  }
}

/// A screen's contents for programs.
public struct ScreenContents: Equatable, Sendable {
  public var columns: Int
  public var rows: Int
  /// 0-based.
  public var cursorColumn: Int
  public var cursorRow: Int
  public var isCursorVisible: Bool
  public var isAlternate: Bool
  public var title: String
  public var workingDirectory: String?
  /// How many of `lines`, at the front, are scrollback.
  public var scrollback: Int
  public var lines: [String]
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
