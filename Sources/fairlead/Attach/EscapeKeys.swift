// The keys that are for `attach` itself: `~.`, `~~` and `~?` at the beginning of a line, as in ssh.
// What is pasted (between the marks of bracketed paste) is never a command. Pure.

struct EscapeKeys {
  enum Action: Equatable {
    case type([UInt8])
    case detach
    case help
  }

  private var isLineStart = true
  private var holdsTilde = false
  private var isPasting = false
  private var recent: [UInt8] = []

  private static let pasteStart = Array("\u{1b}[200~".utf8)
  private static let pasteEnd = Array("\u{1b}[201~".utf8)

  /// What to do about `bytes`, in order; nothing follows a `detach`.
  mutating func read(_ bytes: some Sequence<UInt8>) -> [Action] {
    var actions: [Action] = []
    var typed: [UInt8] = []
    for byte in bytes {
      if holdsTilde {
        holdsTilde = false
        switch byte {
        case UInt8(ascii: "."):
          if !typed.isEmpty { actions.append(.type(typed)) }
          return actions + [.detach]
        case UInt8(ascii: "?"):
          if !typed.isEmpty { actions.append(.type(typed)) }
          typed = []
          actions.append(.help)
          continue
        case UInt8(ascii: "~"):
          typed.append(byte)
          isLineStart = false
          continue
        default:
          typed.append(UInt8(ascii: "~"))
          isLineStart = false
        }
      } else if byte == UInt8(ascii: "~"), isLineStart, !isPasting {
        holdsTilde = true
        continue
      }
      typed.append(byte)
      isLineStart = byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n")
      notePaste(byte)
    }
    if !typed.isEmpty { actions.append(.type(typed)) }
    return actions
  }

  private mutating func notePaste(_ byte: UInt8) {
    if byte == 0x1b { recent = [] }
    guard recent.count < Self.pasteStart.count else { return }
    recent.append(byte)
    if recent == Self.pasteStart { isPasting = true }
    if recent == Self.pasteEnd { isPasting = false }
  }

  static let help = [
    "The keys of fairlead attach, at the beginning of a line:",
    "  ~.   detach; the session lives on",
    "  ~~   type one ~",
    "  ~?   this help",
  ]
}
