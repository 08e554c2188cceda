// Keeps what the user's terminal answers to queries out of what the user types. A program's queries
// reach this terminal as part of its output, and it answers; but the session's node has answered
// already, and a second answer would be typed into the program (docs/design.md, Queries).
//
// Dropped: device attributes (CSI ? … c, CSI > … c, CSI = … c, DCS ! | …), status and cursor reports
// (CSI … n, CSI r ; c R), mode reports (CSI … $ y), keyboard flags (CSI ? … u), window reports
// (CSI … t), colours and titles (OSC … replies), XTVERSION, XTGETTCAP and DECRQSS (DCS replies).
//
// Two keys look alike. A lone Esc may be the beginning of a reply, so it is held until `release()`,
// which the caller calls when nothing followed for `holdTime`. F3 with a modifier is CSI 1 ; 2 R, as a
// cursor report of row 1 is: it counts as a report only while one is due, which the caller tells by
// `expectCursorReport()` for each query that it saw in the output. What is pasted is left alone.
// Pure.

struct ReplyFilter {
  private enum State: Equatable {
    case ground
    case escape
    case csi
    /// OSC or DCS, and whether its last byte was an ESC.
    case string(afterEscape: Bool)
    case pasting
  }

  /// The longest reply; what grows beyond is none.
  static let longest = 8 * 1024

  private var state = State.ground
  private var held: [UInt8] = []
  private var cursorReportsDue = 0
  private static let pasteEnd = Array("\u{1b}[201~".utf8)

  /// Milliseconds to wait for more of what is held: a key's sequence comes in one piece, a reply of
  /// some length may not.
  var holdTime: Int? {
    switch state {
    case .ground, .pasting: nil
    case .escape: 30
    case .csi: 100
    case .string: 500
    }
  }

  mutating func expectCursorReport() { cursorReportsDue += 1 }

  /// - Returns: what the user typed of `bytes`, as far as that is known.
  mutating func filter(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var typed: [UInt8] = []
    for byte in bytes { take(byte, &typed) }
    return typed
  }

  /// Nothing followed: what is held was typed.
  mutating func release() -> [UInt8] {
    guard state != .pasting else { return [] }
    state = .ground
    defer { held = [] }
    return held
  }

  private mutating func take(_ byte: UInt8, _ typed: inout [UInt8]) {
    switch state {
    case .ground:
      guard byte == 0x1b else { return typed.append(byte) }
      held = [byte]
      state = .escape
    case .escape:
      switch byte {
      case UInt8(ascii: "["): hold(byte, as: .csi)
      case UInt8(ascii: "]"), UInt8(ascii: "P"): hold(byte, as: .string(afterEscape: false))
      case 0x1b:  // Esc, and perhaps the beginning of another sequence.
        typed.append(0x1b)
      default:
        typed += release() + [byte]
      }
    case .csi:
      held.append(byte)
      switch byte {
      case 0x20...0x3f where held.count < 64: break
      case 0x40...0x7e: endOfControl(&typed)
      default: typed += release()
      }
    case .string(let afterEscape):
      held.append(byte)
      if byte == 0x07 || (afterEscape && byte == UInt8(ascii: "\\")) {
        endOfString(&typed)
      } else if afterEscape || held.count > Self.longest {
        // Only ST may follow an ESC: these were keys.
        typed += release()
      } else {
        state = .string(afterEscape: byte == 0x1b)
      }
    case .pasting:
      typed.append(byte)
      held.append(byte)
      if held.count > Self.pasteEnd.count { held.removeFirst() }
      if held == Self.pasteEnd {
        held = []
        state = .ground
      }
    }
  }

  private mutating func hold(_ byte: UInt8, as next: State) {
    held.append(byte)
    state = next
  }

  private mutating func endOfControl(_ typed: inout [UInt8]) {
    let sequence = held
    held = []
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

  private mutating func endOfString(_ typed: inout [UInt8]) {
    let sequence = held
    held = []
    state = .ground
    // No key sends a whole OSC or DCS; what a terminal sends of these are replies.
    let body = sequence.dropFirst(2)
    let isReply: Bool
    if sequence[1] == UInt8(ascii: "P") {
      isReply = true
    } else {
      // A colour or clipboard reply begins with its number, a title reply with l or L.
      isReply =
        body.first.map {
          (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "l")
            || $0 == UInt8(ascii: "L")
        } ?? false
    }
    if !isReply { typed += sequence }
  }
}
