// The character sets G0–G3 that xterm.js knows: DEC special graphics and the national replacement
// sets. A set replaces some of the ASCII characters; 0 is plain ASCII.

struct Charsets: Equatable {
  /// Set designated to G0 … G3.
  var designated: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
  /// Which of them is in use.
  var level = 0

  subscript(index: Int) -> UInt8 {
    get {
      switch index {
      case 0: designated.0
      case 1: designated.1
      case 2: designated.2
      default: designated.3
      }
    }
    set {
      switch index {
      case 0: designated.0 = newValue
      case 1: designated.1 = newValue
      case 2: designated.2 = newValue
      default: designated.3 = newValue
      }
    }
  }

  @inline(__always) var active: UInt8 { self[level] }

  static func == (a: Charsets, b: Charsets) -> Bool {
    a.designated == b.designated && a.level == b.level
  }

  /// Final byte that designates each set, in a snapshot; the set's number is the index.
  static let finals: [UInt8] = Array("B0A4CRQKYEZH=".utf8)

  /// The set that a final byte designates, nil if xterm.js has none of that name.
  static func number(final: UInt8) -> UInt8? {
    switch final {
    case UInt8(ascii: "B"): 0
    case UInt8(ascii: "0"): 1
    case UInt8(ascii: "A"): 2
    case UInt8(ascii: "4"): 3
    case UInt8(ascii: "C"), UInt8(ascii: "5"): 4
    case UInt8(ascii: "R"): 5
    case UInt8(ascii: "Q"): 6
    case UInt8(ascii: "K"): 7
    case UInt8(ascii: "Y"): 8
    case UInt8(ascii: "E"), UInt8(ascii: "6"): 9
    case UInt8(ascii: "Z"): 10
    case UInt8(ascii: "H"), UInt8(ascii: "7"): 11
    case UInt8(ascii: "="): 12
    default: nil
    }
  }

  private static let replacements: [[(UInt32, UInt32)]] = {
    func table(_ keys: String, _ values: String) -> [(UInt32, UInt32)] {
      Array(zip(keys.unicodeScalars.map(\.value), values.unicodeScalars.map(\.value)))
    }
    return [
      [],
      table("`abcdefghijklmnopqrstuvwxyz{|}~", "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"),
      table("#", "£"),
      table("#@[\\]{|}~", "£¾i½|¨f¼´"),
      table("[\\]^`{|}~", "ÄÖÅÜéäöåü"),
      table("#@[\\]{|}~", "£à°ç§éùè¨"),
      table("@[\\]^`{|}~", "àâçêîôéùèû"),
      table("@[\\]{|}~", "§ÄÖÜäöüß"),
      table("#@[\\]`{|}~", "£§°çéùàòèì"),
      table("@[\\]^`{|}~", "ÄÆØÅÜäæøåü"),
      table("#@[\\]{|}", "£§¡Ñ¿°ñç"),
      table("@[\\]^`{|}~", "ÉÄÖÅÜéäöåü"),
      table("#@[\\]^_`{|}~", "ùàéçêîèôäöüû"),
    ]
  }()

  /// What a set makes of an ASCII character.
  static func translate(_ code: UInt32, set: UInt8) -> UInt32 {
    for (from, to) in replacements[Int(set)] where from == code { return to }
    return code
  }

  /// A character that the set turns into `code`; `code` itself where that works.
  static func untranslate(_ code: UInt32, set: UInt8) -> UInt32 {
    guard code < 127, set != 0, translate(code, set: set) != code else { return code }
    for (from, to) in replacements[Int(set)] where to == code { return from }
    return code
  }
}
