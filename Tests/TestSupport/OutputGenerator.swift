// Random terminal output: text of every width, controls and every kind of sequence, with hostile
// numbers. A seed gives the same stream again.

public struct OutputGenerator: RandomNumberGenerator {
  private var random: SeededGenerator

  public init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  public mutating func next() -> UInt64 { random.next() }

  public mutating func number(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  public mutating func pick<Element>(_ choices: [Element]) -> Element {
    choices[number(choices.count)]
  }

  private static let texts = [
    "a", "bc", "hello", "中", "中文", "é", "e\u{301}", "\u{301}", "🚀", "x🚀y", "0123456789", "  ", "─",
    "👩\u{200D}💻", "Z", "the quick brown fox jumps over the lazy dog",
  ]
  private static let renditions = [
    "0", "", "1", "2", "3", "4", "5", "7", "8", "9", "21", "22", "23", "24", "25", "27", "28", "29",
    "31",
    "37", "39", "42", "49", "53", "55", "90", "103", "38;5;120", "48;5;33", "38;2;1;2;3",
    "48:2::4:5:6",
    "58;5;3", "59", "4:3", "4:5", "4:0",
  ]
  private static let whole = [
    "\u{1B}7", "\u{1B}8", "\u{1B}[s", "\u{1B}[u", "\u{1B}D", "\u{1B}E", "\u{1B}M", "\u{1B}H",
    "\u{1B}[g",
    "\u{1B}[3g", "\u{1B}[?1049h", "\u{1B}[?1049l", "\u{1B}[?47h", "\u{1B}[?47l", "\u{1B}[?1048h",
    "\u{1B}[?1048l", "\u{1B}[4h", "\u{1B}[4l", "\u{1B}[20h", "\u{1B}[20l", "\u{1B}[?7l",
    "\u{1B}[?7h",
    "\u{1B}[?45h", "\u{1B}[?45l", "\u{1B}[?25l", "\u{1B}[?25h", "\u{1B}[?1h", "\u{1B}[?2004h",
    "\u{1B}=",
    "\u{1B}>", "\u{1B}[?1002h", "\u{1B}[?1006h", "\u{1B}[?1000l", "\u{1B}[?12h", "\u{1B}[3 q",
    "\u{1B}[?2026h", "\u{1B}[?2026l", "\u{1B}(0", "\u{1B}(B", "\u{1B})0", "\u{E}", "\u{F}",
    "\u{1B}(A",
    "\u{1B}n", "\u{1B}o", "\u{1B}*0", "\u{1B}(4", "\u{1B}[1\"q", "\u{1B}[0\"q", "\u{1B}[?J",
    "\u{1B}[?K",
    "\u{1B}[?1K", "\u{1B}]8;;http://a\u{7}", "\u{1B}]8;id=q;http://b\u{1B}\\", "\u{1B}]8;;\u{7}",
    "\u{1B}]0;title\u{7}", "\u{1B}]1;icon\u{7}", "\u{1B}[22t", "\u{1B}[23;2t",
    "\u{1B}]7;file:///a\u{7}",
    "\u{1B}]133;A\u{7}", "\u{1B}]4;5;#123\u{7}", "\u{1B}]10;rgb:1/2/3\u{7}", "\u{1B}]104;5\u{7}",
    "\u{1B}]52;c;Zm9v\u{7}", "\u{1B}#8", "\u{1B}c", "\u{1B}[!p", "\u{1B}[I", "\u{1B}[Z",
    "\u{1B}[?6h",
    "\u{1B}[?6l", "\u{1B}P$qm\u{1B}\\", "\u{1B}P1;2q#0!5~\u{1B}\\", "\u{1B}_apc\u{1B}\\",
    "\u{1B}[38;5",
    "\u{1B}[>1u", "\0", "\u{1B}[6n", "\u{1B}[c", "\u{1B}[?25$p", "\u{1B}[?1004h",
    "\u{1B}[?5h", "\u{1B}[?5l", "\u{1B}[?1005h", "\u{1B}[?1005l", "\u{1B}[?1015h",
    "\u{1B}[1;2;3;4;5;6*y",
    "\u{1B}[1;2\u{8}H", "\u{1B}]0;cut\u{18}", "\u{1B}[ ! m", "\u{9B}2J", "\u{1B}^pm\u{1B}\\",
  ]

  private mutating func parameter() -> String {
    pick(["", "0", "1", "2", "3", "5", "9", "99", "2147483648", "65535"])
  }

  /// The next piece: text, a control or a sequence.
  public mutating func piece() -> [UInt8] {
    switch number(12) {
    case 0...3: return Array(pick(Self.texts).utf8)
    case 4: return Array(pick(["\r\n", "\n", "\r", "\u{8}", "\t", "\r\n"]).utf8)
    case 5: return Array("\u{1B}[\(pick(Self.renditions))m".utf8)
    case 6: return Array("\u{1B}[\(parameter());\(parameter())\(pick(["H", "H", "f", "r"]))".utf8)
    case 7:
      let final = pick(Array("ABCDEFGIZ`adeJKXPLMST@b"))
      return Array("\u{1B}[\(parameter())\(final)".utf8)
    case 8: return Array("\u{1B}[\(parameter())\(pick(["'}", "'~", " @", " A"]))".utf8)
    case 9: return (0..<number(6)).map { _ in UInt8(truncatingIfNeeded: next()) }
    default: return Array(pick(Self.whole).utf8)
    }
  }

  public mutating func stream(pieces: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<pieces { bytes += piece() }
    return bytes
  }
}
