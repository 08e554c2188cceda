// Reads libvterm's test scripts, and runs the part of them that is about a terminal and not about
// libvterm's callbacks: PUSH, RESET, RESIZE, `output`, and questions about cursor, pen and cells.

@testable import Screen

struct LibvtermScript {
  struct Failure: CustomStringConvertible {
    let caseName: String
    let line: Int
    let text: String
    let actual: String
    var description: String { "line \(line), \(caseName): \(text) — but \(actual)" }
  }

  private(set) var failures: [Failure] = []
  private(set) var checks = 0
  private var screen = Screen(columns: 80, rows: 25)
  private var answers: [UInt8] = []
  private var caseName = ""

  mutating func run(_ script: String) {
    for (index, raw) in script.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      let line = raw.drop(while: { $0 == " " })
      if line.hasPrefix("$") {
        repeated(line, index + 1)
      } else {
        run(line, index + 1)
      }
    }
  }

  /// `$REP n: line`, and `$SEQ a b: line` with the number in place of `\#`.
  private mutating func repeated(_ line: Substring, _ number: Int) {
    guard let colon = line.firstIndex(of: ":") else { return }
    let words = line[..<colon].split(separator: " ")
    let body = line[line.index(after: colon)...].drop(while: { $0 == " " })
    let bounds = words.dropFirst().compactMap { Int($0) }
    let range = words[0] == "$SEQ" ? bounds[0]...bounds[1] : 1...bounds[0]
    for value in range {
      run(
        Substring(
          body.split(separator: "\\#", omittingEmptySubsequences: false)
            .joined(separator: "\(value)")), number)
    }
  }

  private mutating func run(_ line: Substring, _ number: Int) {
    if line.hasPrefix("!") {
      caseName = String(line.dropFirst())
    } else if line.hasPrefix("PUSH ") {
      answers = []
      screen.write(Self.unescape(line.dropFirst(5)))
      answers = screen.takeAnswers()
    } else if line == "RESET" {
      screen = Screen(columns: screen.columns, rows: screen.rows)
    } else if line.hasPrefix("RESIZE ") {
      let size = Self.numbers(line.dropFirst(7))
      screen.resize(columns: size[1], rows: size[0])
    } else if line.hasPrefix("output ") {
      let expected = Self.unescape(line.dropFirst(7))
      let actual = Array(answers.prefix(expected.count))
      answers.removeFirst(actual.count)
      check(expected == actual, number, line, String(decoding: actual, as: UTF8.self))
    } else if line.hasPrefix("putglyph ") {
      glyph(line.dropFirst(9), number)
    } else if line.hasPrefix("?") {
      question(line.dropFirst(), number)
    }
  }

  private mutating func check(_ ok: Bool, _ line: Int, _ text: Substring, _ actual: String) {
    checks += 1
    if !ok {
      failures.append(
        Failure(caseName: caseName, line: line, text: String(text), actual: actual.debugDescription)
      )
    }
  }

  private mutating func question(_ text: Substring, _ line: Int) {
    let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.count == 2 else { return }
    let words = halves[0].split(separator: " ")
    let value = halves[1].drop(while: { $0 == " " })
    switch words[0] {
    case "cursor":
      let actual = "\(screen.cursorRow),\(screen.cursorColumn)"
      check(actual == value, line, text, actual)
    case "screen_row":
      let row = Self.numbers(words[1])[0]
      var wanted = Self.characters(value)
      while wanted.last == " " { wanted.removeLast() }
      let actual = self.text(row, 0, row + 1, screen.columns)
      check(actual == wanted, line, text, actual)
    case "screen_chars":
      let r = Self.numbers(words[1])
      let actual = self.text(r[0], r[1], r[2], r[3])
      check(actual == Self.characters(value), line, text, actual)
    case "screen_text":
      let r = Self.numbers(words[1])
      let actual = self.text(r[0], r[1], r[2], r[3])
      let expected = Self.numbers(value).map { UInt8($0) }
      check(Array(actual.utf8) == expected, line, text, actual)
    case "screen_cell":
      let at = Self.numbers(words[1])
      let actual = cell(at[0], at[1])
      // The colours of libvterm's defaults are its own.
      let wanted = Self.withoutColors(value)
      check(Self.withoutColors(Substring(actual)) == wanted, line, text, actual)
      for (key, isFront) in [("fg=", true), ("bg=", false)] {
        // What numbered colours look like is each terminal's own matter.
        guard let color = color(at[0], at[1], front: isFront), color.hasPrefix("rgb") else {
          continue
        }
        check(Self.color(key, value) == color, line, text, color)
      }
    case "pen":
      guard let actual = pen(String(words[1])) else { return }
      check(
        actual == value.split(separator: ",is_default").first.map(String.init), line, text, actual)
    default: break
    }
  }

  /// `0x41,0x301 1 row,column`: libvterm reports what it puts; we look whether it is there.
  private mutating func glyph(_ text: Substring, _ line: Int) {
    let words = text.split(separator: " ")
    let at = Self.numbers(words[2])
    let codes = Self.numbers(words[0]).map { "0x" + String($0, radix: 16) }.joined(separator: ",")
    let actual = cell(at[0], at[1])
    check(actual.hasPrefix("{\(codes)} width=\(words[1]) "), line, text, actual)
  }

  // MARK: What the screen has.

  private func text(_ top: Int, _ left: Int, _ bottom: Int, _ right: Int) -> String {
    screen.withCore { core in
      (top..<bottom).map { row in
        var line: [UInt8] = []
        for column in left..<min(right, core.columns) {
          line.append(cell: core.grid[row][column], core.clusters)
        }
        while line.last == 32 { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
      }.joined(separator: "\n")
    }
  }

  private func cell(_ row: Int, _ column: Int) -> String {
    screen.withCore { core in
      let cell = core.grid[row][column]
      var codes: [UInt32] = cell.code == 0 ? [] : [cell.code]
      if cell.isCluster {
        codes = (0..<core.clusters.length(cell.code)).map { core.clusters.codePoint(cell.code, $0) }
      }
      let look = core.attributes[cell.attributes]
      var flags = ""
      if look.foreground & Attributes.bold != 0 { flags += "B" }
      if look.underlineStyle != 0 { flags += "U\(look.underlineStyle)" }
      if look.background & Attributes.italic != 0 { flags += "I" }
      if look.foreground & Attributes.blink != 0 { flags += "K" }
      if look.foreground & Attributes.inverse != 0 { flags += "R" }
      let list = codes.map { "0x" + String($0, radix: 16) }.joined(separator: ",")
      return "{\(list)} width=\(cell.width) attrs={\(flags)}"
    }
  }

  /// `rgb(…)` or `idx(…)`, nil for a default colour.
  private func color(_ row: Int, _ column: Int, front: Bool) -> String? {
    screen.withCore { core in
      let look = core.attributes[core.grid[row][column].attributes]
      return Self.describe((front ? look.foreground : look.background) & Attributes.colorMask)
    }
  }

  private static func describe(_ color: UInt32) -> String? {
    switch color & Attributes.modeMask {
    case 0: nil
    case Attributes.rgb: "rgb(\(color >> 16 & 255),\(color >> 8 & 255),\(color & 255))"
    default: "idx(\(color & 255))"
    }
  }

  private func pen(_ name: String) -> String? {
    screen.withCore { core in
      func flag(_ bit: UInt32) -> String { bit != 0 ? "on" : "off" }
      switch name {
      case "bold": return flag(core.pen.foreground & Attributes.bold)
      case "italic": return flag(core.pen.background & Attributes.italic)
      case "blink": return flag(core.pen.foreground & Attributes.blink)
      case "reverse": return flag(core.pen.foreground & Attributes.inverse)
      case "underline": return "\(core.pen.underlineStyle)"
      case "foreground":
        return Self.describe(core.pen.foreground & Attributes.colorMask) ?? "rgb(240,240,240"
      case "background":
        return Self.describe(core.pen.background & Attributes.colorMask) ?? "rgb(0,0,0"
      default: return nil
      }
    }
  }

  // MARK: The scripts' spellings.

  private static func withoutColors(_ text: Substring) -> String {
    text.split(separator: " ").filter { !$0.hasPrefix("fg=") && !$0.hasPrefix("bg=") }
      .joined(separator: " ").replacingHexCase()
  }

  private static func color(_ key: String, _ text: Substring) -> String? {
    text.split(separator: " ").first { $0.hasPrefix(key) }.map { String($0.dropFirst(3)) }
  }

  private static func numbers(_ text: some StringProtocol) -> [Int] {
    text.split(separator: ",").compactMap { part in
      let part = String(part.filter { $0 != " " })
      return part.hasPrefix("0x") ? Int(part.dropFirst(2), radix: 16) : Int(part)
    }
  }

  /// `"text"`, or code points.
  private static func characters(_ value: Substring) -> String {
    if value.hasPrefix("\"") { return String(decoding: unescape(value), as: UTF8.self) }
    var result = ""
    for number in numbers(value) {
      if let scalar = Unicode.Scalar(UInt32(number)) { result.unicodeScalars.append(scalar) }
    }
    return result
  }

  /// A C string, or several as Perl would join them: `"a" . "b"`, `"a"x3`.
  static func unescape(_ text: Substring) -> [UInt8] {
    var result: [UInt8] = []
    var bytes = Array(text.utf8)[...]
    while let quote = bytes.firstIndex(of: UInt8(ascii: "\"")) {
      bytes = bytes[(quote + 1)...]
      var piece: [UInt8] = []
      while let byte = bytes.first, byte != UInt8(ascii: "\"") {
        bytes = bytes.dropFirst()
        guard byte == UInt8(ascii: "\\"), let escape = bytes.first else {
          piece.append(byte)
          continue
        }
        bytes = bytes.dropFirst()
        switch escape {
        case UInt8(ascii: "e"): piece.append(27)
        case UInt8(ascii: "n"): piece.append(10)
        case UInt8(ascii: "r"): piece.append(13)
        case UInt8(ascii: "t"): piece.append(9)
        case UInt8(ascii: "b"): piece.append(8)
        case UInt8(ascii: "a"): piece.append(7)
        case UInt8(ascii: "f"): piece.append(12)
        case UInt8(ascii: "v"): piece.append(11)
        case UInt8(ascii: "0"): piece.append(0)
        case UInt8(ascii: "x"):
          let braced = bytes.first == UInt8(ascii: "{")
          if braced { bytes = bytes.dropFirst() }
          let digits = bytes.prefix { ($0 >= 48 && $0 <= 57) || ($0 | 32 >= 97 && $0 | 32 <= 102) }
            .prefix(braced ? 8 : 2)
          bytes = bytes.dropFirst(digits.count + (braced ? 1 : 0))
          piece.append(
            UInt8(truncatingIfNeeded: Int(String(decoding: digits, as: UTF8.self), radix: 16) ?? 0))
        default: piece.append(escape)
        }
      }
      bytes = bytes.dropFirst()
      let rest = bytes.drop { $0 == 32 }
      if rest.first == UInt8(ascii: "x") {
        let digits = rest.dropFirst().drop { $0 == 32 }.prefix { $0 >= 48 && $0 <= 57 }
        let times = Int(String(decoding: digits, as: UTF8.self)) ?? 1
        for _ in 0..<times { result += piece }
      } else {
        result += piece
      }
    }
    return result
  }
}

extension String {
  /// The scripts write code points in either case.
  fileprivate func replacingHexCase() -> String { lowercased() }
}
