// The way back from looks to SGR: what brings a pen from one look to another.

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
