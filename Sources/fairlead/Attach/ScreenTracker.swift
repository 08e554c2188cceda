// Follows the output that goes to the user's terminal, just so far as to know: whether it stands
// between two sequences (so that something may be written in between), which modes the program has
// switched on (so that they can be switched off in the end), and which cursor reports it asked for.
// Pure; no emulator.

struct ScreenTracker {
  private enum State: Equatable {
    case ground
    case escape
    case escapeIntermediate
    case csi
    case string(afterEscape: Bool)
    case utf8(left: Int)
  }

  private var state = State.ground
  private var body: [UInt8] = []
  private var modes: Set<Int> = []
  private var isCursorHidden = false
  private var hasMargins = false
  private var hasKeypad = false
  private var hasCharset = false
  private var keyboardPushes = 0
  private var hasModifyKeys = false
  private var hasCursorStyle = false
  /// Cursor reports asked for (CSI 6 n) since this was last taken.
  private var cursorQueries = 0

  /// Private modes that a program may leave behind and that hurt a shell: cursor keys, reverse,
  /// origin, mouse, focus, alternate screen, bracketed paste, and the like.
  private static let watched: Set<Int> = [
    1, 5, 6, 9, 47, 66, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004,
    2026, 2031, 2048,
  ]

  /// Whether nothing is cut in the middle here.
  var isBetweenSequences: Bool { state == .ground }

  mutating func takeCursorQueries() -> Int {
    defer { cursorQueries = 0 }
    return cursorQueries
  }

  mutating func follow(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { follow(byte) }
  }

  private mutating func follow(_ byte: UInt8) {
    if case .string(let afterEscape) = state {
      if byte == 0x07 || byte == 0x18 || byte == 0x1a {
        state = .ground
        return
      }
      if byte == 0x1b {
        state = .string(afterEscape: true)
        return
      }
      if !afterEscape { return }
      if byte == UInt8(ascii: "\\") {
        state = .ground
        return
      }
      state = .escape  // an ESC ends the string, whatever follows
    }
    switch byte {
    case 0x1b: state = .escape
    case 0x18, 0x1a: state = .ground
    case 0x0e:
      hasCharset = true
    case 0x00..<0x20: break  // executed, inside a sequence as well
    default: followPrintable(byte)
    }
  }

  private mutating func followPrintable(_ byte: UInt8) {
    switch state {
    case .ground: startCharacter(byte)
    case .utf8(let left):
      if byte & 0xc0 == 0x80 {
        state = left > 1 ? .utf8(left: left - 1) : .ground
      } else {
        startCharacter(byte)
      }
    case .escape: followEscape(byte)
    case .escapeIntermediate:
      if byte >= 0x30 { state = .ground }
    case .csi:
      if (0x40...0x7e).contains(byte) {
        state = .ground
        control(body, byte)
      } else if body.count < 256 {
        body.append(byte)
      }
    case .string: break
    }
  }

  private mutating func startCharacter(_ byte: UInt8) {
    switch byte {
    case 0xc2...0xdf: state = .utf8(left: 1)
    case 0xe0...0xef: state = .utf8(left: 2)
    case 0xf0...0xf4: state = .utf8(left: 3)
    default: state = .ground
    }
  }

  private mutating func followEscape(_ byte: UInt8) {
    state = .ground
    switch byte {
    case UInt8(ascii: "["):
      body = []
      state = .csi
    case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"),
      UInt8(ascii: "_"):
      state = .string(afterEscape: false)
    case 0x20...0x2f:
      if byte == UInt8(ascii: "(") { hasCharset = true }
      state = .escapeIntermediate
    case UInt8(ascii: "="): hasKeypad = true
    case UInt8(ascii: ">"): hasKeypad = false
    case UInt8(ascii: "c"): forget()
    default: break
    }
  }

  private mutating func forget() {
    let queries = cursorQueries
    self = ScreenTracker()
    cursorQueries = queries
  }

  private mutating func control(_ body: [UInt8], _ final: UInt8) {
    let text = String(decoding: body, as: UTF8.self)
    switch final {
    case UInt8(ascii: "h") where text.hasPrefix("?"), UInt8(ascii: "l") where text.hasPrefix("?"):
      for number in text.dropFirst().split(separator: ";").compactMap({ Int($0) }) {
        set(number, final == UInt8(ascii: "h"))
      }
    case UInt8(ascii: "n") where text == "6": cursorQueries += 1
    case UInt8(ascii: "r") where !text.hasPrefix("?"): hasMargins = !text.isEmpty
    case UInt8(ascii: "u") where text.hasPrefix(">"): keyboardPushes = min(keyboardPushes + 1, 16)
    case UInt8(ascii: "u") where text.hasPrefix("<"):
      keyboardPushes = max(0, keyboardPushes - (Int(text.dropFirst()) ?? 1))
    case UInt8(ascii: "m") where text.hasPrefix(">4"):
      hasModifyKeys = text != ">4" && text != ">4;0"
    case UInt8(ascii: "q") where text.hasSuffix(" "): hasCursorStyle = text != " " && text != "0 "
    case UInt8(ascii: "p") where text == "!":
      (hasMargins, hasKeypad, isCursorHidden, hasCharset) = (false, false, false, false)
      modes.subtract([1, 6])
    default: break
    }
  }

  private mutating func set(_ mode: Int, _ isOn: Bool) {
    if mode == 25 {
      isCursorHidden = !isOn
    } else if Self.watched.contains(mode) {
      if isOn { modes.insert(mode) } else { modes.remove(mode) }
    }
  }

  /// What brings the terminal back to how a shell wants it.
  var restoration: String {
    var text = ""
    if case .string = state { text += "\u{1b}\\" }
    if state != .ground { text += "\u{18}" }
    if keyboardPushes > 0 { text += "\u{1b}[<\(keyboardPushes)u" }
    if hasModifyKeys { text += "\u{1b}[>4;0m" }
    for mode in modes.sorted() where mode != 6 { text += "\u{1b}[?\(mode)l" }
    // These two move the cursor.
    if modes.contains(6) || hasMargins { text += "\u{1b}7\u{1b}[?6l\u{1b}[r\u{1b}8\u{1b}[?6l" }
    if isCursorHidden { text += "\u{1b}[?25h" }
    if hasKeypad { text += "\u{1b}>" }
    if hasCharset { text += "\u{0f}\u{1b}(B" }
    if hasCursorStyle { text += "\u{1b}[0 q" }
    return text + "\u{1b}[0m"
  }
}
