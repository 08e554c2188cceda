// The snapshot: bytes that make a fresh terminal equal to this one. Every line is printed from the
// top, so that scrollback and wrapped lines arise as they did here; then come tab stops, saved
// cursors, regions, cursor, modes and pen; last, outside synchronized output, the character that a
// mark could still join, and the beginning of a sequence that was cut.

/// A snapshot under way: of the screen as it was when this was begun, whatever becomes of that. It shares the
/// scrollback's pages, and has its own copy of what is visible.
public final class ScreenSnapshot {
  private var writer: SnapshotWriter

  init(_ core: Core) { writer = SnapshotWriter(core.frozen(), core.looks) }

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
  /// What a snapshot begins with, and what resets the colours soon after: for a client whose terminal is to keep what
  /// it has.
  public static let freshTerminal = Array("\u{1B}c".utf8)
  public static let freshColors = Array(
    "\u{1B}]104\u{1B}\\\u{1B}]110\u{1B}\\\u{1B}]111\u{1B}\\\u{1B}]112\u{1B}\\".utf8)
}

struct SnapshotWriter {
  private enum Step { case start, primary, between, alternate, end, done }

  /// Frozen, and without a table of looks: those are in `looks`.
  private(set) var core: Core
  let looks: Looks
  /// The looks of the line under way.
  var lineLooks: Looks
  var bytes: [UInt8] = []
  var pen = RenditionWriter()
  let columns: Int
  private var step = Step.start
  private var walk: LineWalk?
  /// The primary buffer's saved cursor, once the first line is there.
  private var saved: SavedCursor

  init(_ core: Core, _ looks: Looks) {
    self.core = core
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
        walk = LineWalk(LineSource(core, looks, grid: primary, scrollback: .max))
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

  // MARK: Everything else.

  private mutating func designate(_ slot: StaticString, _ set: UInt8) {
    bytes.append("\u{1B}")
    bytes.append(slot)
    bytes.append(Charsets.finals[Int(set)])
  }

  private mutating func writeCharsets() {
    let sets = core.charsets.designated
    if sets.0 != 0 { designate("(", sets.0) }
    if sets.1 != 0 { designate(")", sets.1) }
    if sets.2 != 0 { designate("*", sets.2) }
    if sets.3 != 0 { designate("+", sets.3) }
    switch core.charsets.level {
    case 1: bytes.append(0x0E)
    case 2: bytes.append("\u{1B}n")
    case 3: bytes.append("\u{1B}o")
    default: break
    }
  }

  /// RIS leaves these as they are, so they are always sent.
  private mutating func writeKeptModes() {
    bytes.append(core.modes.newline ? "\u{1B}[20h" : "\u{1B}[20l")
    bytes.append(core.modes.isCursorHidden ? "\u{1B}[?25l" : "\u{1B}[?25h")
    bytes.append(core.modes.cursorBlink ? "\u{1B}[?12h" : "\u{1B}[?12l")
  }

  /// Brings a terminal with the modes `old` to `new`, except for origin mode and synchronized output, which
  /// have their places. Both ways: a snapshot sets what is set, a restoration takes it back.
  mutating func writeModes(from old: Modes, to new: Modes) {
    func change(_ mode: StaticString, _ field: KeyPath<Modes, Bool>, _ bytes: inout [UInt8]) {
      guard new[keyPath: field] != old[keyPath: field] else { return }
      bytes.append("\u{1B}[")
      bytes.append(mode)
      bytes.append(new[keyPath: field] ? "h" : "l")
    }
    change("?1", \.applicationCursorKeys, &bytes)
    if new.applicationKeypad != old.applicationKeypad {
      bytes.append(new.applicationKeypad ? "\u{1B}=" : "\u{1B}>")
    }
    change("?2004", \.bracketedPaste, &bytes)
    change("?45", \.reverseWraparound, &bytes)
    change("?1004", \.focusReports, &bytes)
    change("?7", \.wraparound, &bytes)
    change("4", \.insert, &bytes)
    change("20", \.newline, &bytes)
    change("?12", \.cursorBlink, &bytes)
    if new.isCursorHidden != old.isCursorHidden {
      bytes.append(new.isCursorHidden ? "\u{1B}[?25l" : "\u{1B}[?25h")
    }
    exchange(old.mouse.number, new.mouse.number)
    change("?5", \.reverseVideo, &bytes)
    change("?2031", \.reportsColors, &bytes)
    change("?1005", \.mouseUTF8, &bytes)
    change("?1015", \.mouseURXVT, &bytes)
    exchange(old.mouseEncoding.number, new.mouseEncoding.number)
    if new.cursorStyle != old.cursorStyle {
      bytes.append("\u{1B}[")
      bytes.append(decimal: Int(new.cursorStyle))
      bytes.append(" q")
    }
  }

  /// From one private mode to another that excludes it; nil: none.
  private mutating func exchange(_ old: Int?, _ new: Int?) {
    guard new != old, let mode = new ?? old else { return }
    bytes.append("\u{1B}[?")
    bytes.append(decimal: mode)
    bytes.append(new == nil ? "l" : "h")
  }

  private mutating func resetColors() {
    bytes += Screen.freshColors
    for (index, color) in core.palette.changed.sorted(by: { $0.key < $1.key }) {
      bytes.append("\u{1B}]4;")
      bytes.append(decimal: Int(index))
      bytes.append(UInt8(ascii: ";"))
      bytes.append(color: color)
      bytes.append("\u{1B}\\")
    }
    for (index, color) in core.palette.special.enumerated() {
      guard let color else { continue }
      bytes.append("\u{1B}]")
      bytes.append(decimal: 10 + index)
      bytes.append(UInt8(ascii: ";"))
      bytes.append(color: color)
      bytes.append("\u{1B}\\")
    }
  }

  private mutating func command(_ number: StaticString, _ text: [UInt8]) {
    bytes.append("\u{1B}]")
    bytes.append(number)
    bytes.append(UInt8(ascii: ";"))
    bytes.append(contentsOf: text)
    bytes.append("\u{1B}\\")
  }

  private mutating func writeTitles() {
    for title in core.titles.windowStack {
      command("2", title)
      bytes.append("\u{1B}[22;2t")
    }
    for title in core.titles.iconStack {
      command("1", title)
      bytes.append("\u{1B}[22;1t")
    }
    command("2", core.titles.window)
    if core.titles.icon != [] || core.titles.iconStack != [] { command("1", core.titles.icon) }
    if let directory = core.workingDirectory { command("7", directory) }
    if core.shellMark.kind != 0 {
      command("133", [core.shellMark.kind] + core.shellMark.detail)
    }
  }

  /// The beginning of the sequence and of the character that were under way.
  private mutating func writeUnfinished() {
    let collected = core.collected
    var names: [UInt8] = []
    for shift in [UInt32(24), 16, 8, 0] where collected >> shift & 0xFF != 0 {
      names.append(UInt8(collected >> shift & 0xFF))
    }
    if collected == 0xFFFF_FFFF { names = Array("     ".utf8) }
    let prefix = names.first.map { $0 >= 0x3C } == true ? names.removeFirst() : nil
    switch core.state {
    case ParserState.escape: bytes.append("\u{1B}")
    case ParserState.escapeIntermediate:
      bytes.append("\u{1B}")
      bytes.append(contentsOf: names)
    case ParserState.csiEntry: bytes.append("\u{1B}[")
    case ParserState.csiIgnore: bytes.append("\u{1B}[0<")
    case ParserState.csiParameter, ParserState.csiIntermediate:
      bytes.append("\u{1B}[")
      writeHeader(prefix, names)
    case ParserState.ignoredString: bytes.append("\u{1B}^")
    case ParserState.osc:
      bytes.append("\u{1B}]")
      bytes.append(contentsOf: core.string.bytes)
    case ParserState.dcsEntry: bytes.append("\u{1B}P")
    case ParserState.dcsIgnore: bytes.append("\u{1B}P0<")
    case ParserState.dcsParameter, ParserState.dcsIntermediate:
      bytes.append("\u{1B}P")
      writeHeader(prefix, names)
    case ParserState.dcsPassthrough:
      bytes.append("\u{1B}P")
      writeHeader(prefix, names)
      bytes.append(UInt8(truncatingIfNeeded: core.string.header & 0xFF))
      bytes.append(contentsOf: core.string.bytes)
    default: break
    }
    bytes.append(contentsOf: core.utf8.unfinished)
  }

  private mutating func writeHeader(_ prefix: UInt8?, _ names: [UInt8]) {
    if let prefix { bytes.append(prefix) }
    let isPlain = core.parameters.count == 1 && core.parameters[0] == 0
    if core.state == ParserState.csiParameter || core.state == ParserState.dcsParameter, isPlain,
      core.parameters.subcount == 0, prefix == nil
    {
      // There was at least one byte of a number, or the state would be another.
      bytes.append(UInt8(ascii: "0"))
    }
    core.parameters.append(to: &bytes)
    bytes.append(contentsOf: names)
  }
}
