// SGR: colours, flags, underlines.

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
