// Follows the output that goes to the user's terminal for what the terminal's model (`Screen`) does not undo, since the
// browsers that it models have none of it: which reports the program asks for, so that the answers can be told from
// keys, and what it has set that only other terminals know, so that it can be undone. Pure.

import Screen

struct ScreenTracker {
  private enum State: Equatable {
    case ground
    case escape
    case escapeIntermediate
    case csi
    case string(afterEscape: Bool)
  }

  /// Keyboard flags of one buffer, as kitty's protocol has them: a stack, and what is set without it.
  private struct Keyboard {
    var pushed = 0
    var isBaseSet = false

    var restoration: String {
      (pushed > 0 ? "\u{1b}[<\(pushed)u" : "") + (isBaseSet ? "\u{1b}[=0;1u" : "")
    }
  }

  private var state = State.ground
  /// The byte behind ESC of the string under way: `]`, `P`, `_` or another.
  private var introducer: UInt8 = 0
  private var body: [UInt8] = []
  /// Private modes that are set and that the model does not know.
  private var modes: Set<Int> = []
  /// The mode by which the alternate buffer was entered.
  private var alternateMode = 1_049
  private var isAlternate = false
  private var keyboard = Keyboard()
  private var alternateKeyboard = Keyboard()
  /// XTMODKEYS: which of the key modifier options were changed.
  private var modifiedKeys: Set<Int> = []
  /// Colours of OSC 13 to 19.
  private var colors: Set<Int> = []
  private var hasSpecialColors = false
  private var hasPointer = false
  private var hasProgress = false
  private var isVT52 = false
  private var hasNoRepeat = false

  /// Reports asked for since these were last taken: of the cursor (CSI 6 n), and those that are strings.
  private var cursorQueries = 0
  private var stringQueries = 0

  mutating func takeCursorQueries() -> Int {
    defer { cursorQueries = 0 }
    return cursorQueries
  }

  mutating func takeStringQueries() -> Int {
    defer { stringQueries = 0 }
    return stringQueries
  }

  /// - Parameter knows: whether the model keeps a private mode.
  mutating func follow(_ bytes: some Sequence<UInt8>, knows: (Int) -> Bool) {
    for byte in bytes { follow(byte, knows) }
  }

  private mutating func follow(_ byte: UInt8, _ knows: (Int) -> Bool) {
    if case .string(let afterEscape) = state {
      switch byte {
      case _ where byte == 0x07 || (afterEscape && byte == UInt8(ascii: "\\")):
        state = .ground
        endOfString()
      case 0x18, 0x1a: state = .ground
      case 0x1b: state = .string(afterEscape: true)
      // An ESC ends the string, whatever follows.
      case _ where afterEscape:
        endOfString()
        followEscape(byte)
      default: if body.count < CommandLimits.sequence { body.append(byte) }
      }
      return
    }
    switch byte {
    case 0x1b: state = .escape
    case 0x18, 0x1a: state = .ground
    case 0x00..<0x20: break  // executed, inside a sequence as well
    default:
      switch state {
      case .escape: followEscape(byte)
      case .escapeIntermediate: if byte >= 0x30 { state = .ground }
      case .csi:
        if (0x40...0x7e).contains(byte) {
          state = .ground
          control(String(decoding: body, as: UTF8.self), byte, knows)
        } else if body.count < CommandLimits.sequence {
          body.append(byte)
        }
      case .ground, .string: break
      }
    }
  }

  private mutating func followEscape(_ byte: UInt8) {
    state = .ground
    body = []
    switch byte {
    case UInt8(ascii: "["): state = .csi
    case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"),
      UInt8(ascii: "_"):
      introducer = byte
      state = .string(afterEscape: false)
    case 0x20...0x2f: state = .escapeIntermediate
    case UInt8(ascii: "<"): isVT52 = false
    case UInt8(ascii: "c"):
      let (cursor, string) = (cursorQueries, stringQueries)
      self = ScreenTracker()
      (cursorQueries, stringQueries) = (cursor, string)
    default: break
    }
  }

  // MARK: Control sequences

  private mutating func control(_ body: String, _ final: UInt8, _ knows: (Int) -> Bool) {
    switch final {
    case UInt8(ascii: "h"), UInt8(ascii: "l"):
      guard body.hasPrefix("?") else { return }
      for number in Self.numbers(body.dropFirst()) {
        set(number, final == UInt8(ascii: "h"), knows)
      }
    case UInt8(ascii: "n"):
      if body == "6" { cursorQueries += 1 }
      if body.hasPrefix(">") { modifyKeys(body.dropFirst() + ";0") }
    case UInt8(ascii: "u"): keyboardFlags(body)
    case UInt8(ascii: "m"): if body.hasPrefix(">") { modifyKeys(body.dropFirst()) }
    case UInt8(ascii: "t"): if body == "20" || body == "21" { stringQueries += 1 }
    case UInt8(ascii: "q"): if body.hasPrefix(">") { stringQueries += 1 }
    case UInt8(ascii: "c"): if body.hasPrefix("=") { stringQueries += 1 }
    case UInt8(ascii: "y"): if body.hasSuffix("*") { stringQueries += 1 }
    case UInt8(ascii: "w"): if body.hasSuffix("$") { stringQueries += 1 }
    default: break
    }
  }

  private static func numbers(_ text: Substring) -> [Int] {
    text.split(separator: ";").compactMap { Int($0) }
  }

  private mutating func set(_ mode: Int, _ isOn: Bool, _ knows: (Int) -> Bool) {
    switch mode {
    case 47, 1_047, 1_049:
      if isOn, !isAlternate { alternateMode = mode }
      isAlternate = isOn
    case 2: isVT52 = !isOn
    case 8: hasNoRepeat = !isOn
    case _ where knows(mode) || mode < 0 || mode > CommandLimits.highestMode: break
    default:
      if !isOn {
        modes.remove(mode)
      } else if modes.count < CommandLimits.modes {
        modes.insert(mode)
      }
    }
  }

  private mutating func keyboardFlags(_ body: String) {
    var keyboard = isAlternate ? alternateKeyboard : keyboard
    switch body.first {
    case ">": keyboard.pushed = min(keyboard.pushed + 1, CommandLimits.keyboardFlags)
    case "<":
      let count = Self.numbers(body.dropFirst()).first ?? 1
      keyboard.pushed = max(0, keyboard.pushed - min(max(count, 1), CommandLimits.keyboardFlags))
    // What is set on top of a push goes with it.
    case "=": if keyboard.pushed == 0 { keyboard.isBaseSet = true }
    // CSI … $ u asks for a report that is a string.
    default: if body.hasSuffix("$") { stringQueries += 1 }
    }
    if isAlternate { alternateKeyboard = keyboard } else { self.keyboard = keyboard }
  }

  private mutating func modifyKeys(_ body: Substring) {
    let numbers = body.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) }
    guard let first = numbers.first, let option = first, (0...9).contains(option) else {
      // Without a number: all are as they were.
      if body.isEmpty { modifiedKeys = [] }
      return
    }
    if numbers.count > 1, numbers[1] != nil {
      modifiedKeys.insert(option)
    } else {
      modifiedKeys.remove(option)
    }
  }

  // MARK: Strings

  private mutating func endOfString() {
    let text = String(decoding: body, as: UTF8.self)
    switch introducer {
    case UInt8(ascii: "]"): command(text)
    case UInt8(ascii: "P"):
      // DECRQSS, and XTGETTCAP, which asks for several by semicolons.
      if text.hasPrefix("$q") { stringQueries += 1 }
      if text.hasPrefix("+q") { stringQueries += 1 + text.utf8.count { $0 == UInt8(ascii: ";") } }
    case UInt8(ascii: "_"): if text.hasPrefix("G") { stringQueries += 1 }
    default: break
    }
  }

  private mutating func command(_ text: String) {
    let parts = text.split(separator: ";", omittingEmptySubsequences: false)
    guard let number = parts.first.flatMap({ Int($0) }) else { return }
    let queries = parts.dropFirst().count { $0.hasSuffix("?") }
    stringQueries += queries
    let sets = parts.count > 1 && queries == 0
    switch number {
    case 5: if sets { hasSpecialColors = true }
    case 105: hasSpecialColors = false
    case 13...19: if sets { colors.insert(number) }
    case 113...119: colors.remove(number - 100)
    case 22: hasPointer = sets && parts[1] != ""
    case 9: if parts.count > 2, parts[1] == "4" { hasProgress = parts[2] != "0" }
    default: break
    }
  }

  // MARK: Giving it back

  /// What brings the terminal back to how a shell wants it, after the output that `screen` has read as well.
  func restoration(_ screen: Screen) -> [UInt8] {
    var text = screen.isBetweenSequences ? "" : "\u{1b}\\\u{18}"
    if isVT52 { text += "\u{1b}<" }
    // Each buffer has its own, and they are changed while it is shown.
    if isAlternate { text += alternateKeyboard.restoration }
    var bytes = Array(text.utf8) + screen.restoration(leavingAlternateBy: alternateMode)
    text = keyboard.restoration
    for option in modifiedKeys.sorted() { text += "\u{1b}[>\(option)m" }
    for mode in modes.sorted() { text += "\u{1b}[?\(mode)l" }
    if hasNoRepeat { text += "\u{1b}[?8h" }
    if hasSpecialColors { text += "\u{1b}]105\u{1b}\\" }
    for color in colors.sorted() { text += "\u{1b}]\(100 + color)\u{1b}\\" }
    if hasPointer { text += "\u{1b}]22;\u{1b}\\" }
    if hasProgress { text += "\u{1b}]9;4;0\u{1b}\\" }
    bytes += text.utf8
    return bytes
  }
}
