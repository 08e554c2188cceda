// The keys that are for `attach` itself: `~.`, `~~` and `~?` at the beginning of a line, as in ssh, whatever sequences the
// terminal sends for them; and those that interrupt. What is pasted (between the marks of bracketed paste) is
// neither. Pure.

struct EscapeKeys {
  enum Action: Equatable {
    case type([UInt8])
    /// Ctrl-C, Ctrl-\ or Ctrl-Z: before what was typed and has not been sent.
    case interrupt(UInt8)
    case detach
    case help
  }

  private var isLineStart = true
  /// A `~` at the beginning of a line, with what came behind it and is no key: what it means is yet to be seen.
  private var withheld: [UInt8] = []
  private var isPasting = false
  /// Of what is pasted, the last bytes, which may be the beginning of its end.
  private var recent: [UInt8] = []

  private static let pasteEnd = Array("\u{1b}[201~".utf8)
  /// VINTR, VQUIT and VSUSP of termios(3), as they are set everywhere.
  private static let interrupts: Set<UInt8> = [0x03, 0x1c, 0x1a]

  /// What to do about `bytes`, in order; nothing follows a `detach`. A sequence that comes in pieces is typed, and
  /// not understood.
  mutating func read(_ bytes: some Sequence<UInt8>) -> [Action] {
    var actions: [Action] = []
    var typed: [UInt8] = []
    func flush() {
      if !typed.isEmpty { actions.append(.type(typed)) }
      typed = []
    }
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      if isPasting {
        typed.append(notePaste(rest.removeFirst()))
        continue
      }
      let key = KeyPress(rest)
      rest = rest.dropFirst(key.bytes.count)
      if !withheld.isEmpty {
        switch key.meaning {
        case .nothing:
          withheld += key.bytes
          continue
        case .character("."):
          flush()
          return actions + [.detach]
        case .character("?"):
          flush()
          withheld = []
          actions.append(.help)
          continue
        case .character("~"): withheld = []
        default:
          typed += withheld
          withheld = []
        }
        isLineStart = false
      } else if key.meaning == .character("~"), isLineStart {
        withheld = Array(key.bytes)
        continue
      }
      if key.bytes.count == 1, let byte = key.bytes.first, Self.interrupts.contains(byte) {
        flush()
        actions.append(.interrupt(byte))
        isLineStart = false
        continue
      }
      typed += key.bytes
      switch key.meaning {
      case .nothing: break
      case .pasteStart:
        isPasting = true
        isLineStart = false
      case .enter: isLineStart = true
      default: isLineStart = false
      }
    }
    flush()
    return actions
  }

  private mutating func notePaste(_ byte: UInt8) -> UInt8 {
    recent.append(byte)
    if recent.count > Self.pasteEnd.count { recent.removeFirst() }
    if recent == Self.pasteEnd {
      recent = []
      isPasting = false
    }
    return byte
  }

  static let help = [
    "The keys of fairlead attach, at the beginning of a line:",
    "  ~.   detach; the session lives on",
    "  ~~   type one ~",
    "  ~?   this help",
  ]
}
