// SGR: colours, flags, underlines. And the way back: the SGR that brings a pen from one look to another.

extension Core {
  /// SGR.
  mutating func selectGraphicRendition() {
    var index = 0
    while index < parameters.count {
      let code = parameters[index]
      switch code {
      case 0:
        pen.foreground = 0
        pen.background = 0
        pen.underline = 0
      case 1: pen.foreground |= Attributes.bold
      case 2: pen.background |= Attributes.dim
      case 3: pen.background |= Attributes.italic
      case 4:
        let style = parameters.subparameters(index).first ?? 1
        setUnderline(style)
      case 5: pen.foreground |= Attributes.blink
      case 7: pen.foreground |= Attributes.inverse
      case 8: pen.foreground |= Attributes.invisible
      case 9: pen.foreground |= Attributes.strikethrough
      case 21: setUnderline(2)
      case 22:
        pen.foreground &= ~Attributes.bold
        pen.background &= ~Attributes.dim
      case 23: pen.background &= ~Attributes.italic
      case 24: setUnderline(0)
      case 25: pen.foreground &= ~Attributes.blink
      case 27: pen.foreground &= ~Attributes.inverse
      case 28: pen.foreground &= ~Attributes.invisible
      case 29: pen.foreground &= ~Attributes.strikethrough
      case 30...37: setForeground(Attributes.palette16 | UInt32(code - 30))
      case 39: pen.foreground &= ~Attributes.colorMask
      case 40...47: setBackground(Attributes.palette16 | UInt32(code - 40))
      case 49: pen.background &= ~Attributes.colorMask
      case 53: pen.background |= Attributes.overline
      case 55: pen.background &= ~Attributes.overline
      case 90...97: setForeground(Attributes.palette16 | UInt32(code - 90 + 8))
      case 100...107: setBackground(Attributes.palette16 | UInt32(code - 100 + 8))
      case 38, 48, 58: index += extendedColor(index)
      // xterm.js takes 59 for white; what its cells hold is what we hold.
      case 59: pen.underlineColor = Attributes.colorMask
      default: break
      }
      index += 1
    }
    penChanged()
  }

  private mutating func setForeground(_ color: UInt32) {
    pen.foreground = pen.foreground & ~Attributes.colorMask | color
  }

  private mutating func setBackground(_ color: UInt32) {
    pen.background = pen.background & ~Attributes.colorMask | color
  }

  private mutating func setUnderline(_ style: Int32) {
    let style = style < 0 || style > 5 ? 1 : UInt32(style)
    pen.underlineStyle = style
    if style == 0 {
      pen.foreground &= ~Attributes.underlined
    } else {
      pen.foreground |= Attributes.underlined
    }
  }

  /// 38, 48 and 58 in every spelling: `38;5;n`, `38;2;r;g;b`, `38:5:n`, `38:2:r:g:b`, `38:2:space:r:g:b`,
  /// and the mixtures. Returns how many further parameters were taken.
  private mutating func extendedColor(_ start: Int) -> Int {
    // What was found: target, kind, color space, and three components; a space is skipped over.
    var found: (Int32, Int32, Int32, Int32, Int32, Int32) = (0, 0, -1, 0, 0, 0)
    var spaces = 0
    var advance = 0
    func set(_ position: Int, _ value: Int32) {
      switch position {
      case 0: found.0 = value
      case 1: found.1 = value
      case 2: found.2 = value
      case 3: found.3 = value
      case 4: found.4 = value
      default: found.5 = value
      }
    }
    repeat {
      set(advance + spaces, parameters[start + advance])
      let subs = parameters.subparameters(start + advance)
      if !subs.isEmpty {
        var index = 0
        repeat {
          if found.1 == 5 { spaces = 1 }
          set(advance + index + 1 + spaces, subs[index])
          index += 1
        } while index < subs.count && index + advance + 1 + spaces < 6
        break
      }
      if (found.1 == 5 && advance + spaces >= 2) || (found.1 == 2 && advance + spaces >= 5) {
        break
      }
      if found.1 != 0 { spaces = 1 }
      advance += 1
    } while advance + start < parameters.count && advance + spaces < 6
    let components = (max(0, found.3), max(0, found.4), max(0, found.5))
    let color: UInt32
    switch found.1 {
    case 2:
      color =
        Attributes.rgb | UInt32(components.0 & 255) << 16 | UInt32(components.1 & 255) << 8
        | UInt32(components.2 & 255)
    case 5: color = Attributes.palette256 | UInt32(components.0 & 255)
    default: return advance
    }
    switch found.0 {
    case 38: setForeground(color)
    case 48: setBackground(color)
    default: pen.underlineColor = color
    }
    return advance
  }
}

/// Writes looks as escape sequences, each time only what differs from the look before.
struct RenditionWriter {
  /// What a terminal that got all this would have as its pen; its link is a number of `table`.
  private(set) var current = Attributes()
  private var table = -1
  private var link: Hyperlink?

  /// After a reset of the terminal.
  mutating func reset() { self = RenditionWriter() }

  /// Brings the terminal's pen to `target`, the link included.
  mutating func append(_ target: Attributes, _ looks: Looks, to bytes: inout [UInt8]) {
    if current == target && table == looks.table { return }
    appendRendition(target, to: &bytes)
    if current.link != target.link || table != looks.table {
      let wanted = looks.link(target.link)
      if wanted != link {
        bytes.append("\u{1B}]8;")
        (wanted ?? Hyperlink(id: [], address: [])).append(to: &bytes)
        bytes.append("\u{1B}\\")
        link = wanted
      }
      current.link = target.link
      table = looks.table
    }
  }

  /// Everything but the link.
  mutating func appendRendition(_ target: Attributes, to bytes: inout [UInt8]) {
    let removed =
      (current.foreground & ~target.foreground & ~Attributes.colorMask)
      | (current.background & ~target.background & ~Attributes.colorMask)
    let defaults =
      (current.foreground & Attributes.modeMask != 0
        && target.foreground & Attributes.modeMask == 0)
      || (current.background & Attributes.modeMask != 0
        && target.background & Attributes.modeMask == 0)
      || (current.underlineColor != 0 && target.underlineColor == 0)
    var from = current
    let start = bytes.count
    bytes.append("\u{1B}[")
    let body = bytes.count
    if removed != 0 || defaults {
      from = Attributes()
      from.link = current.link
      bytes.append("0")
    }
    appendChanges(from: from, to: target, body, &bytes)
    if bytes.count == body {
      bytes.removeLast(bytes.count - start)
    } else if bytes.count == body + 1 && bytes[body] == UInt8(ascii: "0") {
      bytes[body] = UInt8(ascii: "m")
    } else {
      bytes.append(UInt8(ascii: "m"))
    }
    if target.isProtected != from.isProtected {
      bytes.append(target.isProtected ? "\u{1B}[1\"q" : "\u{1B}[0\"q")
    }
    let link = current.link
    current = target
    current.link = link
  }

  /// The numbers of an SGR, whose first one stands at `body`.
  private func appendChanges(
    from: Attributes, to target: Attributes, _ body: Int, _ bytes: inout [UInt8]
  ) {
    func add(_ code: StaticString) {
      if bytes.count > body { bytes.append(UInt8(ascii: ";")) }
      bytes.append(code)
    }
    let front = target.foreground & ~from.foreground
    let back = target.background & ~from.background
    if front & Attributes.bold != 0 { add("1") }
    if back & Attributes.dim != 0 { add("2") }
    if back & Attributes.italic != 0 { add("3") }
    if target.underlineStyle != from.underlineStyle {
      switch target.underlineStyle {
      case 0: add("24")
      case 1: add("4")
      default:
        add("4:")
        bytes.append(decimal: Int(target.underlineStyle))
      }
    }
    if front & Attributes.blink != 0 { add("5") }
    if front & Attributes.inverse != 0 { add("7") }
    if front & Attributes.invisible != 0 { add("8") }
    if front & Attributes.strikethrough != 0 { add("9") }
    if back & Attributes.overline != 0 { add("53") }
    let foreground = target.foreground & Attributes.colorMask
    if foreground != from.foreground & Attributes.colorMask {
      Self.appendColor(foreground, base: 30, extended: "38", body, &bytes)
    }
    let background = target.background & Attributes.colorMask
    if background != from.background & Attributes.colorMask {
      Self.appendColor(background, base: 40, extended: "48", body, &bytes)
    }
    if target.underlineColor != from.underlineColor {
      if target.underlineColor == Attributes.colorMask {
        add("59")
      } else {
        Self.appendColor(target.underlineColor, base: nil, extended: "58", body, &bytes)
      }
    }
  }

  private static func appendColor(
    _ color: UInt32, base: Int?, extended: StaticString, _ body: Int, _ bytes: inout [UInt8]
  ) {
    if bytes.count > body { bytes.append(UInt8(ascii: ";")) }
    let value = Int(color & 0xFF_FFFF)
    switch color & Attributes.modeMask {
    case Attributes.palette16:
      if let base {
        bytes.append(decimal: value < 8 ? base + value : base + 60 + value - 8)
      }
    case Attributes.palette256:
      bytes.append(extended)
      bytes.append(";5;")
      bytes.append(decimal: value & 255)
    default:
      bytes.append(extended)
      bytes.append(";2;")
      bytes.append(decimal: value >> 16)
      bytes.append(UInt8(ascii: ";"))
      bytes.append(decimal: value >> 8 & 255)
      bytes.append(UInt8(ascii: ";"))
      bytes.append(decimal: value & 255)
    }
  }
}
