// From a finished sequence to the operation. The tables follow xterm.js; what is not here is
// consumed and does nothing.

/// A control sequence's name: prefix, intermediates and final byte, as the parser collects them.
private func name(_ text: StaticString) -> UInt32 {
  var value: UInt32 = 0
  for index in 0..<text.utf8CodeUnitCount { value = value << 8 | UInt32(text.utf8Start[index]) }
  return value
}

extension Core {
  /// C0 and C1 controls.
  @inline(__always)
  mutating func execute(_ code: UInt32) {
    switch code {
    case 0x0A, 0x0B, 0x0C: lineFeed()
    case 0x0D: x = 0
    case 0x08: backspace()
    case 0x09: tab(1)
    case 0x07: bellRang = true
    case 0x0E: charsets.level = 1
    case 0x0F: charsets.level = 0
    case 0x84: index()
    case 0x85:
      x = 0
      index()
    case 0x88: tabs[x] = true
    default: break
    }
    preceding = 0
  }

  mutating func escapeDispatch(_ final: UInt32) {
    switch collected << 8 | final {
    case 0x37: saveCursor()
    case 0x38: restoreCursor()
    case 0x44: index()
    case 0x45:
      x = 0
      index()
    case 0x48: tabs[x] = true
    case 0x4D: reverseIndex()
    case 0x3D: modes.applicationKeypad = true
    case 0x3E: modes.applicationKeypad = false
    case 0x63: reset()
    case 0x6E, 0x7D: charsets.level = 2
    case 0x6F, 0x7C: charsets.level = 3
    case 0x7E: charsets.level = 1
    case 0x2540, 0x2547:
      charsets.level = 0
      charsets[0] = 0
    case 0x2338: alignmentPattern()
    default: designate(UInt8(truncatingIfNeeded: final))
    }
  }

  private mutating func designate(_ final: UInt8) {
    guard let set = Charsets.number(final: final) else { return }
    switch collected {
    case 0x28: charsets[0] = set
    case 0x29, 0x2D: charsets[1] = set
    case 0x2A, 0x2E: charsets[2] = set
    case 0x2B: charsets[3] = set
    default: break
    }
  }

  mutating func csiDispatch(_ final: UInt32) {
    if collected != 0 { return prefixedDispatch(collected << 8 | final) }
    switch UInt8(truncatingIfNeeded: final) {
    case UInt8(ascii: "m"): selectGraphicRendition()
    case UInt8(ascii: "H"), UInt8(ascii: "f"):
      setCursor(parameters.countAt(1) - 1, parameters.countAt(0) - 1)
    case UInt8(ascii: "K"): eraseInLine(parameters[0], selective: false)
    case UInt8(ascii: "A"): cursorUp(parameters.countAt(0))
    case UInt8(ascii: "B"): cursorDown(parameters.countAt(0))
    case UInt8(ascii: "C"), UInt8(ascii: "a"): moveCursor(parameters.countAt(0), 0)
    case UInt8(ascii: "D"): moveCursor(-parameters.countAt(0), 0)
    case UInt8(ascii: "E"):
      cursorDown(parameters.countAt(0))
      x = 0
    case UInt8(ascii: "F"):
      cursorUp(parameters.countAt(0))
      x = 0
    case UInt8(ascii: "G"), UInt8(ascii: "`"):
      x = parameters.countAt(0) - 1
      restrictCursor()
    case UInt8(ascii: "I"): tab(parameters.countAt(0))
    case UInt8(ascii: "Z"): backTab(parameters.countAt(0))
    case UInt8(ascii: "J"): eraseInDisplay(parameters[0], selective: false)
    case UInt8(ascii: "L"): insertLines(parameters.countAt(0))
    case UInt8(ascii: "M"): deleteLines(parameters.countAt(0))
    case UInt8(ascii: "P"): deleteCharacters(parameters.countAt(0))
    case UInt8(ascii: "S"): scrollRegionUp(parameters.countAt(0))
    case UInt8(ascii: "T"): scrollRegionDown(parameters.countAt(0))
    case UInt8(ascii: "X"): eraseCharacters(parameters.countAt(0))
    case UInt8(ascii: "@"): insertCharacters(parameters.countAt(0))
    case UInt8(ascii: "b"): repeatPreceding(parameters.countAt(0))
    case UInt8(ascii: "c"): if parameters[0] == 0 { answer("\u{1B}[?1;2c") }
    case UInt8(ascii: "d"): setCursor(x, parameters.countAt(0) - 1)
    case UInt8(ascii: "e"): moveCursor(0, parameters.countAt(0))
    case UInt8(ascii: "g"):
      if parameters[0] == 0 { tabs[x] = false } else if parameters[0] == 3 { tabs.removeAll() }
    case UInt8(ascii: "h"): setANSIModes(true)
    case UInt8(ascii: "l"): setANSIModes(false)
    case UInt8(ascii: "n"): deviceStatus(isPrivate: false)
    case UInt8(ascii: "r"): setScrollRegion()
    case UInt8(ascii: "s"): saveCursor()
    case UInt8(ascii: "t"): windowOperation()
    case UInt8(ascii: "u"): restoreCursor()
    default: break
    }
  }

  /// Sequences with a prefix (`? > =`) or intermediates.
  private mutating func prefixedDispatch(_ key: UInt32) {
    switch key {
    case name("?h"): setPrivateModes(true)
    case name("?l"): setPrivateModes(false)
    case name(">u"), name("<u"), name("=u"): keyboardFlags(UInt8(truncatingIfNeeded: collected))
    case name("?u"): reportKeyboardFlags()
    case name(">m"): modifyKeys()
    case name("?m"): reportModifiedKeys()
    case name(">n"): modifiedKeys.set(Int(parameters[0]), 0)
    case name("?J"): eraseInDisplay(parameters[0], selective: true)
    case name("?K"): eraseInLine(parameters[0], selective: true)
    case name("?n"): deviceStatus(isPrivate: true)
    case name(">c"): if parameters[0] == 0 { answer("\u{1B}[>0;276;0c") }
    case name("=c"): if parameters[0] == 0 { answer("\u{1B}P!|00000000\u{1B}\\") }
    case name(">q"): if parameters[0] == 0 { answer("\u{1B}P>|xterm.js(6.0.0)\u{1B}\\") }
    case name("$p"): reportMode(isPrivate: false)
    case name("?$p"): reportMode(isPrivate: true)
    case name("*y"): reportChecksum()
    case name("!p"): softReset()
    case name(" q"): if parameters[0] <= 6 { modes.cursorStyle = UInt8(parameters[0]) }
    case name("\"q"):
      if parameters[0] == 1 {
        pen.background |= Attributes.protected
        penChanged()
      } else if parameters[0] == 0 || parameters[0] == 2 {
        pen.background &= ~Attributes.protected
        penChanged()
      }
    case name(" @"): shiftColumns(at: 0, by: parameters.countAt(0), insert: false)
    case name(" A"): shiftColumns(at: 0, by: parameters.countAt(0), insert: true)
    case name("'}"): shiftColumns(at: nil, by: parameters.countAt(0), insert: true)
    case name("'~"): shiftColumns(at: nil, by: parameters.countAt(0), insert: false)
    default: break
    }
  }

  /// XTWINOPS, as far as it is not about pixels or about moving somebody's window.
  private mutating func windowOperation() {
    let which = parameters[1]
    switch parameters[0] {
    case 18: reportSize(8)
    case 19: reportSize(9)
    case 22:
      if which == 0 || which == 2 { push(titles.window, to: \.windowStack) }
      if which == 0 || which == 1 { push(titles.icon, to: \.iconStack) }
    case 23:
      if which == 0 || which == 2, let title = titles.windowStack.popLast() { setTitle(title[...]) }
      if which == 0 || which == 1, let title = titles.iconStack.popLast() { titles.icon = title }
    default: break
    }
  }

  private mutating func push(_ title: [UInt8], to stack: WritableKeyPath<Titles, [[UInt8]]>) {
    titles[keyPath: stack].append(title)
    if titles[keyPath: stack].count > Limit.titleStack { titles[keyPath: stack].removeFirst() }
  }
}
