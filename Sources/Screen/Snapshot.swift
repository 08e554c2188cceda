// The snapshot: bytes that make a fresh terminal equal to this one. Every line is printed from the
// top, so that scrollback and wrapped lines arise as they did here; then come tab stops, saved
// cursors, regions, cursor, modes and pen; last, outside synchronized output, the character that a
// mark could still join, and the beginning of a sequence that was cut.

/// A snapshot under way: of the screen as it was when this was begun, whatever becomes of that. It shares the
/// scrollback's pages, and has its own copy of what is visible.
public final class ScreenSnapshot {
  private var writer: SnapshotWriter

  init(_ core: Core, scrollback: Int) {
    writer = SnapshotWriter(core.frozen(), core.looks, scrollback: scrollback)
  }

  deinit { writer.deallocate() }

  public var isDone: Bool { writer.isDone }

  /// The next bytes, for about so much work. Empty does not mean done.
  public func next(work: Int = Screen.workPerCall) -> [UInt8] {
    writer.bytes = []
    writer.write(work: work)
    return writer.bytes
  }

  /// All of it.
  func all() -> [UInt8] {
    writer.reserve()
    writer.write(work: .max)
    return writer.bytes
  }
}

extension Screen {
  /// Bytes that bring an xterm.js of the same size, in whatever state, to this screen: visible state,
  /// scrollback, modes, and the parser in the middle of a sequence. The next byte of output may follow
  /// directly. The bytes contain no query.
  public func snapshot() -> [UInt8] { beginSnapshot().all() }

  /// The same in slices, of the screen as it is now, whatever becomes of it meanwhile; with so many lines of the
  /// scrollback, the latest ones.
  public func beginSnapshot(scrollback: Int = .max) -> ScreenSnapshot {
    ScreenSnapshot(settled, scrollback: scrollback)
  }

  /// What a snapshot begins with, and what resets the colours soon after: for a client whose terminal is to keep what
  /// it has.
  public static let freshTerminal = Array("\u{1B}c".utf8)
  public static let freshColors = Array(
    "\u{1B}]104\u{1B}\\\u{1B}]110\u{1B}\\\u{1B}]111\u{1B}\\\u{1B}]112\u{1B}\\".utf8)
}

struct SnapshotWriter {
  private enum Step { case start, find, primary, between, alternate, end, done }

  /// Frozen, and without a table of looks: those are in `looks`.
  private(set) var core: Core
  let looks: Looks
  /// The looks of the line under way.
  var lineLooks: Looks
  var bytes: [UInt8] = []
  var pen = RenditionWriter()
  let columns: Int
  /// So many lines of the scrollback come with it, the latest.
  private let scrollback: Int
  private var step = Step.start
  private var walk: LineWalk?
  /// The primary buffer's saved cursor, once the first line is there.
  private var saved: SavedCursor

  init(_ core: Core, _ looks: Looks, scrollback: Int = .max) {
    self.core = core
    self.scrollback = scrollback
    self.looks = looks
    lineLooks = looks
    columns = core.columns
    saved = core.isAlternate ? core.otherSaved : core.saved
  }

  mutating func deallocate() {
    walk?.source.deallocate()
    walk = nil
    core.deallocate()
  }

  var isDone: Bool { step == .done }

  mutating func reserve() { bytes.reserveCapacity(4_096 + core.history.byteCount * 5 / 4) }

  private var primary: Grid { core.hiddenPrimary ?? core.grid }

  /// Writes on until it has cost so much.
  mutating func write(work: Int) {
    var spent = 0
    if core.history.isUncounted { core.history.countLines(work: work, &spent) }
    guard !core.history.isUncounted else { return }
    while step != .done && spent < work {
      switch step {
      case .start:
        writeStart()
        walk = LineWalk(LineSource(core, looks, grid: primary, scrollback: scrollback))
        step = .find
      case .find:
        guard walk?.source.findStart(work: work, &spent) != false else { return }
        step = .primary
      case .primary, .alternate:
        if let walk, let cost = writeNextLine(walk) {
          spent &+= cost
          continue
        }
        walk?.source.deallocate()
        walk = nil
        lineLooks = looks
        step = step == .primary ? .between : .end
      case .between:
        step = writeBetween() ? .alternate : .end
      case .end:
        writeEnd()
        step = .done
      case .done: break
      }
    }
  }

  private mutating func writeStart() {
    // RIS, then what it leaves alone in xterm.js.
    bytes += Screen.freshTerminal
    bytes.append("\u{1B}[?2026h")
    if core.modes.newline { bytes.append("\u{1B}[20l") }
    resetColors()
    if saved.isFirstLine && saved != SavedCursor() {
      // It must be saved while this is the first line.
      writeSavedCursor(saved)
      saved = SavedCursor()
      pen.append(Attributes(), looks, to: &bytes)
      bytes.append("\r")
    }
  }

  /// After the primary buffer's lines. True if the alternate buffer's follow.
  private mutating func writeBetween() -> Bool {
    writeKeyboard(core.isAlternate ? core.hiddenKeyboard : core.keyboard)
    if core.isAlternate {
      finish(primary, saved: saved, tabs: core.otherTabs)
      pen.append(Attributes(), looks, to: &bytes)
      moveTo(0, core.hiddenRow, origin: false)
      bytes.append("\u{1B}[?47h\u{1B}[H")
      writeKeyboard(core.keyboard)
      walk = LineWalk(LineSource(core, looks, grid: core.grid, scrollback: 0))
      return true
    }
    if core.otherSaved != SavedCursor() {
      pen.append(Attributes(), looks, to: &bytes)
      bytes.append("\u{1B}[?47h")
      writeSavedCursor(core.otherSaved)
      pen.append(Attributes(), looks, to: &bytes)
      bytes.append("\u{1B}[?47l")
    }
    return false
  }

  private mutating func writeEnd() {
    finish(core.grid, saved: core.isAlternate ? core.saved : saved, tabs: core.tabs)
    if core.modes.origin { bytes.append("\u{1B}[?6h") }
    writeTitles()
    let last = joinableCell
    if last == nil { writeCursor() }
    writeKeptModes()
    var afterReset = core.modes
    afterReset.reset()
    writeModes(from: afterReset, to: core.modes)
    writeModifiedKeys()
    writeCharsets()
    pen.append(core.pen, looks, to: &bytes)
    if last != nil {
      moveTo(core.x - core.preceding, core.y)
      if core.modes.insert { control(core.preceding, "P") }
    }
    if !core.modes.synchronizedOutput { bytes.append("\u{1B}[?2026l") }
    if let last { appendText(last, core.clusters, charset: core.charsets.active) }
    writeUnfinished()
  }

  // MARK: Cursor.

  /// `CSI count final`.
  mutating func control(_ count: Int, _ final: StaticString) {
    bytes.append("\u{1B}[")
    if count != 1 { bytes.append(decimal: count) }
    bytes.append(final)
  }

  mutating func forward(_ skip: inout Int) {
    if skip > 0 { control(skip, "C") }
    skip = 0
  }

  /// CUP, in origin mode from the region's top.
  private mutating func moveTo(_ column: Int, _ row: Int, origin: Bool? = nil) {
    let first = (origin ?? core.modes.origin) ? core.grid.top : 0
    bytes.append("\u{1B}[")
    bytes.append(decimal: row - first + 1)
    bytes.append(UInt8(ascii: ";"))
    bytes.append(decimal: column + 1)
    bytes.append(UInt8(ascii: "H"))
  }

  /// The character just printed, if a mark can join it or REP repeat it.
  private var joinableCell: Cell? {
    guard core.preceding > 0, core.x >= core.preceding else { return nil }
    let cell = core.grid[core.y][core.x - core.preceding]
    return core.isPrintedByPen(cell, width: core.preceding) ? cell : nil
  }

  private mutating func writeCursor() {
    guard core.x >= columns else { return moveTo(core.x, core.y) }
    // The last column was written: write it again.
    let row = core.grid[core.y]
    var column = columns - 1
    if row[column].isRightHalf { column -= 1 }
    let cell = row[column]
    if cell.hasContent {
      moveTo(column, core.y)
      pen.append(looks[cell.attributes], looks, to: &bytes)
      appendText(cell, core.clusters, charset: 0)
    } else if core.isAlternate {
      // Erased since: then the whole line was.
      moveTo(column, core.y)
      pen.append(looks[cell.attributes], looks, to: &bytes)
      bytes.append(row.isWrapped ? "x\u{1B}[1K" : "x\u{1B}[2K")
    } else {
      // The line changed since. The cursor keeps its place when the buffers change.
      pen.append(Attributes(), looks, to: &bytes)
      bytes.append("\u{1B}[?47h")
      moveTo(column, core.y, origin: false)
      bytes.append("x\u{1B}[?47l")
    }
  }

  private mutating func writeSavedCursor(_ saved: SavedCursor) {
    var look = Attributes(foreground: saved.foreground, background: saved.background)
    if look.foreground & Attributes.underlined != 0 { look.underlineStyle = 1 }
    pen.append(look, looks, to: &bytes)
    if saved.charset != 0 { designate("(", saved.charset) }
    moveTo(saved.column, saved.row, origin: false)
    bytes.append("\u{1B}7")
    if saved.charset != 0 { designate("(", 0) }
  }

  /// A buffer's own state, after its lines.
  private mutating func finish(_ grid: Grid, saved: SavedCursor, tabs: TabStops) {
    if tabs != TabStops(columns: columns) { writeTabStops(tabs) }
    if saved != SavedCursor() { writeSavedCursor(saved) }
    if grid.top != 0 || grid.bottom != core.rows - 1 {
      bytes.append("\u{1B}[")
      bytes.append(decimal: grid.top + 1)
      bytes.append(UInt8(ascii: ";"))
      bytes.append(decimal: grid.bottom + 1)
      bytes.append(UInt8(ascii: "r"))
    }
  }

  mutating func writeTabStops(_ tabs: TabStops) {
    bytes.append("\u{1B}[3g")
    for column in 0..<columns where tabs[column] {
      control(column + 1, "G")
      bytes.append("\u{1B}H")
    }
  }
}
