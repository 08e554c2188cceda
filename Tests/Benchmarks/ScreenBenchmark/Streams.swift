// The streams that terminals are measured with: generated, always the same.

struct BenchmarkStream {
  let name: String
  let bytes: [UInt8]

  static var all: [BenchmarkStream] {
    [
      BenchmarkStream(name: "plain", bytes: lines(250_000)),
      BenchmarkStream(name: "colour", bytes: colour()),
      BenchmarkStream(name: "cursor", bytes: cursor()),
      BenchmarkStream(name: "cjk", bytes: cjk()),
    ]
  }

  /// A small linear congruential generator (Knuth's MMIX constants).
  private struct Numbers {
    var state: UInt64 = 42

    mutating func next(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
  }

  private static let words = [
    "the", "terminal", "keeps", "its", "history", "of", "every", "line", "that", "was", "written",
    "compiling", "module", "warning:", "0x7fff", "src/main.c:120", "ok", "[100%]", "linked", "done",
  ]

  /// Lines of words, 20 to 79 characters, as a build or a log prints them.
  static func lines(_ count: Int) -> [UInt8] {
    var numbers = Numbers()
    var bytes: [UInt8] = []
    for _ in 0..<count {
      let target = 20 + numbers.next(60)
      var line = ""
      while line.utf8.count < target { line += words[numbers.next(words.count)] + " " }
      bytes += line.utf8.prefix(79)
      bytes += [13, 10]
    }
    return bytes
  }

  /// A change of colour at every word: 16 and 256 colours, true colour, bold, underline.
  private static func colour() -> [UInt8] {
    var numbers = Numbers()
    var text = ""
    for _ in 0..<60_000 {
      for _ in 0..<8 {
        switch numbers.next(5) {
        case 0: text += "\u{1B}[\(30 + numbers.next(8))m"
        case 1: text += "\u{1B}[1;38;5;\(numbers.next(256))m"
        case 2:
          text += "\u{1B}[38;2;\(numbers.next(8) * 32);\(numbers.next(8) * 32);200m"
        case 3: text += "\u{1B}[4;\(40 + numbers.next(8))m"
        default: text += "\u{1B}[0m"
        }
        text += words[numbers.next(words.count)]
      }
      text += "\u{1B}[0m\r\n"
    }
    return Array(text.utf8)
  }

  /// A full-screen program: motion, a few characters, erasing, scrolling regions, inserting, deleting.
  private static func cursor() -> [UInt8] {
    var numbers = Numbers()
    var text = ""
    for _ in 0..<700_000 {
      text += "\u{1B}[\(1 + numbers.next(24));\(1 + numbers.next(80))H"
      switch numbers.next(8) {
      case 0: text += "\u{1B}[K"
      case 1: text += "\u{1B}[\(1 + numbers.next(9))P"
      case 2: text += "\u{1B}[\(1 + numbers.next(9))@"
      case 3: text += "\u{1B}[5;20r\u{1B}[20;1H\n\u{1B}[r"
      case 4: text += "\u{1B}[A\u{1B}[7mab\u{1B}[27m"
      default: text += words[numbers.next(words.count)]
      }
    }
    return Array(text.utf8)
  }

  /// Chinese, Japanese, Korean, Latin with marks, emoji.
  private static func cjk() -> [UInt8] {
    let texts = [
      "終端の画面", "保持每一行", "세션이 계속", "naïve café", "🚀🎉", "日本語テスト", "e\u{301}a\u{308}",
      "漢字かな交じり文", "👩\u{200D}💻", "abc",
    ]
    var numbers = Numbers()
    var text = ""
    for _ in 0..<160_000 {
      for _ in 0..<5 { text += texts[numbers.next(texts.count)] }
      text += "\r\n"
    }
    return Array(text.utf8)
  }
}
