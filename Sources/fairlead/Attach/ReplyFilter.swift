// Keeps what the user's terminal answers to queries out of what the user types. A program's queries
// reach this terminal as part of its output, and it answers; but the session's node has answered
// already, and a second answer would be typed into the program (docs/protocol.md, section 7).
//
// Dropped: device attributes (CSI ? … c, CSI > … c, CSI = … c, DCS ! | …), status and cursor reports
// (CSI … n, CSI r ; c R), mode reports (CSI … $ y), keyboard flags (CSI ? … u), window reports
// (CSI … t), colours and titles (OSC … replies), XTVERSION, XTGETTCAP and DECRQSS (DCS replies), and
// what kitty says of pictures (APC G).
//
// Replies that are strings begin as Alt-], Alt-P and Alt-_ do, and would take all that is typed behind those with
// them. So they are looked for only while one is due, which the caller tells by `expectStrings(_:)` for the queries
// that it saw in the output; and what cannot be one is let go as soon as that shows.
//
// Two keys more look alike. A lone Esc may be the beginning of a reply, so it is withheld until `release()`,
// which the caller calls when nothing followed for `holdTime`. F3 with a modifier is CSI 1 ; 2 R, as a
// cursor report of row 1 is: it counts as a report only while one is due, which the caller tells by
// `expectCursorReport()` for each query that it saw in the output. What is pasted is left alone.
// Pure.

struct ReplyFilter {
  private enum State: Equatable {
    case ground
    case escape
    case csi
    /// OSC, DCS or APC, and whether its last byte was an ESC.
    case string(afterEscape: Bool)
    case pasting
  }

  private var state = State.ground
  private var withheld: [UInt8] = []
  private var cursorReportsDue = 0
  private var stringsDue = 0
  private static let pasteEnd = Array("\u{1b}[201~".utf8)

  /// Milliseconds to wait for more of what is withheld: a key's sequence comes in one piece, a reply of
  /// some length may not.
  var holdTime: Int? {
    switch state {
    case .ground, .pasting: nil
    case .escape: CommandLimits.escapePause
    case .csi: CommandLimits.sequencePause
    case .string: CommandLimits.stringPause
    }
  }

  mutating func expectCursorReport() {
    cursorReportsDue = min(cursorReportsDue + 1, CommandLimits.repliesDue)
  }

  mutating func expectStrings(_ count: Int) {
    stringsDue = min(stringsDue + count, CommandLimits.repliesDue)
  }

  /// - Returns: what the user typed of `bytes`, as far as that is known.
  mutating func filter(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var typed: [UInt8] = []
    for byte in bytes { take(byte, &typed) }
    return typed
  }

  /// Nothing followed: what is withheld was typed.
  mutating func release() -> [UInt8] {
    guard state != .pasting else { return [] }
    state = .ground
    defer { withheld = [] }
    return withheld
  }

  private mutating func take(_ byte: UInt8, _ typed: inout [UInt8]) {
    switch state {
    case .ground:
      guard byte == 0x1b else { return typed.append(byte) }
      withheld = [byte]
      state = .escape
    case .escape:
      switch byte {
      case UInt8(ascii: "["): withhold(byte, as: .csi)
      case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "_"):
        if stringsDue > 0 {
          withhold(byte, as: .string(afterEscape: false))
        } else {
          typed += release() + [byte]
        }
      case 0x1b:  // Esc, and perhaps the beginning of another sequence.
        typed.append(0x1b)
      default:
        typed += release() + [byte]
      }
    case .csi:
      withheld.append(byte)
      switch byte {
      case 0x20...0x3f where withheld.count < CommandLimits.keySequence: break
      case 0x40...0x7e: endOfControl(&typed)
      default: typed += release()
      }
    case .string(let afterEscape):
      withheld.append(byte)
      // BEL ends an OSC only.
      if (byte == 0x07 && withheld[1] == UInt8(ascii: "]"))
        || (afterEscape && byte == UInt8(ascii: "\\"))
      {
        endOfString(&typed)
      } else if afterEscape || byte == 0x07 || withheld.count > CommandLimits.reply || !mayBeReply {
        // Only ST may follow an ESC: these were keys.
        typed += release()
      } else {
        state = .string(afterEscape: byte == 0x1b)
      }
    case .pasting:
      typed.append(byte)
      withheld.append(byte)
      if withheld.count > Self.pasteEnd.count { withheld.removeFirst() }
      if withheld == Self.pasteEnd {
        withheld = []
        state = .ground
      }
    }
  }

  private mutating func withhold(_ byte: UInt8, as next: State) {
    withheld.append(byte)
    state = next
  }

  private mutating func endOfControl(_ typed: inout [UInt8]) {
    let sequence = withheld
    withheld = []
    state = .ground
    if sequence == Array("\u{1b}[200~".utf8) { state = .pasting }
    if !isReply(sequence) { typed += sequence }
  }

  private mutating func isReply(_ sequence: [UInt8]) -> Bool {
    let body = sequence.dropFirst(2).dropLast()
    let isPrivate = body.first == UInt8(ascii: "?")
    switch sequence.last {
    case UInt8(ascii: "c"):
      // Terminals of old answer `ESC [ c` forms only with a mark; without one no key ends in c.
      return true
    case UInt8(ascii: "n"), UInt8(ascii: "t"), UInt8(ascii: "x"): return !body.isEmpty
    case UInt8(ascii: "y"): return body.last == UInt8(ascii: "$")
    case UInt8(ascii: "u"): return isPrivate
    case UInt8(ascii: "R"):
      if isPrivate { return true }
      let numbers = body.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        .map { Int(String(decoding: $0, as: UTF8.self)) }
      guard numbers.count == 2, let row = numbers[0], let column = numbers[1] else { return false }
      if row == 1, (2...16).contains(column), cursorReportsDue == 0 { return false }
      cursorReportsDue = max(0, cursorReportsDue - 1)
      return true
    default: return false
    }
  }

  /// Whether the string that is withheld may be a terminal's reply, as far as its first bytes tell.
  private var mayBeReply: Bool {
    guard withheld.count > 2 else { return true }
    let first = withheld[2]
    let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    switch withheld[1] {
    case UInt8(ascii: "]"):
      return isDigit || first == UInt8(ascii: "l") || first == UInt8(ascii: "L")
    case UInt8(ascii: "P"): return isDigit || "!>$+".utf8.contains(first)
    default: return first == UInt8(ascii: "G")
    }
  }

  private mutating func endOfString(_ typed: inout [UInt8]) {
    let sequence = withheld
    withheld = []
    state = .ground
    if isStringReply(sequence) { stringsDue = max(0, stringsDue - 1) } else { typed += sequence }
  }

  private func isStringReply(_ sequence: [UInt8]) -> Bool {
    let body = sequence.dropFirst(2)
    let isEndedByBell = sequence.last == 0x07
    switch sequence[1] {
    case UInt8(ascii: "]"):
      // The title, of a terminal that tells it, or the number of what was asked for.
      if body.first == UInt8(ascii: "l") || body.first == UInt8(ascii: "L") {
        return !isEndedByBell
      }
      let digits = body.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      guard let number = Int(String(decoding: digits, as: UTF8.self)) else { return false }
      return body.dropFirst(digits.count).first == UInt8(ascii: ";") && Self.answered(number)
    case UInt8(ascii: "P"):
      let rest = body.drop {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ";")
      }
      let marks = rest.prefix { "!>$+".utf8.contains($0) }
      return !marks.isEmpty
        && rest.dropFirst(marks.count).first.map { "|r~uyt".utf8.contains($0) } == true
    default: return true
    }
  }

  /// OSC commands that a terminal answers when asked: colours, fonts, the clipboard and the like; not those that only
  /// set something, such as the title.
  private static func answered(_ number: Int) -> Bool {
    switch number {
    case 4, 5, 10...19, 21, 22, 50, 52, 60, 61, 99, 1_337: true
    default: false
    }
  }
}
