// What gives a terminal back to whoever lent it: bytes that undo what the output has set on it, for
// `fairlead attach`, whose user goes on working in that terminal. Derived from the state, and written by the
// snapshot's own writers: what a snapshot can bring to a terminal is undone here by itself. What the terminal
// shows stays as it is.

extension Screen {
  /// Whether nothing is cut in the middle: a sequence of somebody else's may stand here.
  public var isBetweenSequences: Bool { withCore { $0.isBetweenSequences } }

  /// Whether this is a DEC private mode that ``restoration(leavingAlternateBy:)`` takes care of.
  public func knows(privateMode: Int) -> Bool {
    withCore { $0.modeReport(privateMode, isPrivate: true) != 0 }
  }

  /// Bytes that bring a terminal which has read the same output back to its defaults: primary buffer, whole
  /// scroll region, modes, tab stops, character sets, colours, no open hyperlink, no sequence begun.
  /// - Parameter mode: 47, 1047 or 1049, by which the alternate buffer is left; the last one puts the cursor
  ///   back to where it was when that was entered.
  public func restoration(leavingAlternateBy mode: Int = 1_049) -> [UInt8] {
    withCore { $0.restoration(leavingAlternateBy: mode) }
  }
}

extension Core {
  var isBetweenSequences: Bool { state == ParserState.ground && utf8.unfinished.isEmpty }

  func restoration(leavingAlternateBy mode: Int) -> [UInt8] {
    var writer = SnapshotWriter(self, looks)
    writer.writeRestoration(leavingAlternateBy: mode)
    return writer.bytes
  }
}

extension SnapshotWriter {
  fileprivate mutating func writeRestoration(leavingAlternateBy mode: Int) {
    // ST ends a string; what else has begun is cancelled.
    if !core.isBetweenSequences { bytes.append("\u{1B}\\\u{18}") }
    if core.isAlternate {
      bytes.append("\u{1B}[?")
      bytes.append(decimal: mode)
      bytes.append("l")
    }
    writeDefaultGrid()
    writeModes(from: core.modes, to: Modes())
    if core.modes.synchronizedOutput { bytes.append("\u{1B}[?2026l") }
    writeDefaultCharsets()
    if core.pen.link != 0 { bytes.append("\u{1B}]8;;\u{1B}\\") }
    if core.pen.isProtected || bringsSaved { bytes.append("\u{1B}[0\"q") }
    bytes.append("\u{1B}[0m")
    writeDefaultColors()
    for _ in core.titles.windowStack { bytes.append("\u{1B}[23;2t") }
    for _ in core.titles.iconStack { bytes.append("\u{1B}[23;1t") }
  }

  /// The scroll region and the tab stops; both would move the cursor, which is saved meanwhile. Terminals keep
  /// one of each for both buffers.
  private mutating func writeDefaultGrid() {
    let grids = [core.grid, core.hiddenPrimary ?? core.grid]
    let hasRegion = grids.contains { $0.top != 0 || $0.bottom != core.rows - 1 }
    let stops = TabStops(columns: columns)
    let hasStops = core.tabs != stops || (core.isAlternate && core.otherTabs != stops)
    guard hasRegion || hasStops || core.modes.origin else { return }
    bytes.append("\u{1B}7\u{1B}[?6l")
    if hasRegion { bytes.append("\u{1B}[r") }
    if hasStops { writeTabStops(stops) }
    // The saved cursor brings its origin mode with it.
    bytes.append("\u{1B}8\u{1B}[?6l")
  }

  /// Leaving the alternate buffer brings back what was saved with the cursor when it was entered.
  private var bringsSaved: Bool { core.isAlternate && core.otherSaved != SavedCursor() }

  private mutating func writeDefaultCharsets() {
    let sets = core.charsets.designated
    if core.charsets.level != 0 { bytes.append(0x0F) }
    if sets.0 != 0 || bringsSaved { bytes.append("\u{1B}(B") }
    if sets.1 != 0 || bringsSaved { bytes.append("\u{1B})B") }
    if sets.2 != 0 || bringsSaved { bytes.append("\u{1B}*B") }
    if sets.3 != 0 || bringsSaved { bytes.append("\u{1B}+B") }
  }

  private mutating func writeDefaultColors() {
    if !core.palette.changed.isEmpty { bytes.append("\u{1B}]104\u{1B}\\") }
    for (index, color) in core.palette.special.enumerated() where color != nil {
      bytes.append("\u{1B}]")
      bytes.append(decimal: 110 + index)
      bytes.append("\u{1B}\\")
    }
  }
}
