// What setting and resetting a mode does.

extension Core {
  mutating func setANSIModes(_ on: Bool) {
    for index in 0..<parameters.count {
      switch parameters[index] {
      case 4: modes.insert = on
      case 20: modes.newline = on
      default: break
      }
    }
  }

  mutating func setPrivateModes(_ on: Bool) {
    for index in 0..<parameters.count { setPrivateMode(Int(parameters[index]), on) }
  }

  private mutating func setPrivateMode(_ mode: Int, _ on: Bool) {
    switch mode {
    case 1: modes.applicationCursorKeys = on
    case 2: if on { charsets.designated = (0, 0, 0, 0) }
    case 5: modes.reverseVideo = on
    case 6:
      modes.origin = on
      setCursor(0, 0)
    case 7: modes.wraparound = on
    case 9: modes.mouse = on ? .x10 : .none
    case 12: modes.cursorBlink = on
    case 25: modes.isCursorHidden = !on
    case 45: modes.reverseWraparound = on
    case 66: modes.applicationKeypad = on
    case 47, 1_047: if on { enterAlternate() } else { leaveAlternate() }
    case 1_000: modes.mouse = on ? .vt200 : .none
    case 1_002: modes.mouse = on ? .drag : .none
    case 1_003: modes.mouse = on ? .any : .none
    case 1_004: modes.focusReports = on
    case 1_005: modes.mouseUTF8 = on
    case 1_006: modes.mouseEncoding = on ? .sgr : .legacy
    case 1_015: modes.mouseURXVT = on
    case 1_016: modes.mouseEncoding = on ? .sgrPixels : .legacy
    case 1_048: if on { saveCursor() } else { restoreCursor() }
    case 1_049:
      if on {
        saveCursor()
        enterAlternate()
      } else {
        leaveAlternate()
        restoreCursor()
      }
    case 2_004: modes.bracketedPaste = on
    case 2_026: modes.synchronizedOutput = on
    case 2_031: modes.reportsColors = on
    default: break
    }
  }

  /// DECRQM: 0 unknown, 1 set, 2 reset, 3 always set, 4 always reset.
  func modeReport(_ mode: Int, isPrivate: Bool) -> Int {
    func report(_ on: Bool) -> Int { on ? 1 : 2 }
    guard isPrivate else {
      switch mode {
      case 2: return 4
      case 4: return report(modes.insert)
      case 12: return 3
      case 20: return report(modes.newline)
      default: return 0
      }
    }
    switch mode {
    case 1: return report(modes.applicationCursorKeys)
    case 5: return report(modes.reverseVideo)
    case 6: return report(modes.origin)
    case 7: return report(modes.wraparound)
    case 8: return 3
    case 9: return report(modes.mouse == .x10)
    case 12: return report(modes.cursorBlink)
    case 25: return report(!modes.isCursorHidden)
    case 45: return report(modes.reverseWraparound)
    case 66: return report(modes.applicationKeypad)
    case 67: return 4
    case 1_000: return report(modes.mouse == .vt200)
    case 1_002: return report(modes.mouse == .drag)
    case 1_003: return report(modes.mouse == .any)
    case 1_004: return report(modes.focusReports)
    case 1_005: return report(modes.mouseUTF8)
    case 1_006: return report(modes.mouseEncoding == .sgr)
    case 1_015: return report(modes.mouseURXVT)
    case 1_016: return report(modes.mouseEncoding == .sgrPixels)
    case 1_048: return 1
    case 47, 1_047, 1_049: return report(isAlternate)
    case 2_004: return report(modes.bracketedPaste)
    case 2_026: return report(modes.synchronizedOutput)
    case 2_031: return report(modes.reportsColors)
    default: return 0
    }
  }
}
