// What a snapshot brings beside the lines: character sets, modes, colours, titles, and the beginning of a sequence that
// was cut.

extension SnapshotWriter {
  mutating func designate(_ slot: StaticString, _ set: UInt8) {
    bytes.append("\u{1B}")
    bytes.append(slot)
    bytes.append(Charsets.finals[Int(set)])
  }

  mutating func writeCharsets() {
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
  mutating func writeKeptModes() {
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

  mutating func resetColors() {
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

  mutating func writeTitles() {
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
  mutating func writeUnfinished() {
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

  // MARK: The keyboard.

  /// After a reset, in the buffer that the flags are of.
  mutating func writeKeyboard(_ keyboard: Keyboard) {
    for (index, flags) in keyboard.stack.enumerated() where index > 0 || flags != 0 {
      bytes.append(index == 0 ? "\u{1B}[=" : "\u{1B}[>")
      bytes.append(decimal: Int(flags))
      bytes.append("u")
    }
  }

  mutating func writeModifiedKeys() {
    for (option, value) in core.modifiedKeys.values.sorted(by: { $0.key < $1.key }) {
      bytes.append("\u{1B}[>")
      bytes.append(decimal: option)
      bytes.append(UInt8(ascii: ";"))
      bytes.append(decimal: value)
      bytes.append(UInt8(ascii: "m"))
    }
  }
}
