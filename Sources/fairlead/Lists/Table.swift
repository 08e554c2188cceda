// Tables and times for people. Pure.

import Wire

/// What stands in one row of a column.
struct Cell: ExpressibleByStringLiteral {
  var text: String
  /// By which it is sorted and compared, where the column counts something.
  var number: Double?
  var tone: Tone?

  init(_ text: String, number: Double? = nil, tone: Tone? = nil) {
    self.text = text
    self.number = number
    self.tone = tone
  }

  init(stringLiteral text: String) { self.init(text) }
}

/// How good or bad it is what a cell says, for terminals that have colours.
enum Tone { case good, doubtful, bad }

/// Rows of text with aligned columns and no lines: easy to read, and to take apart by awk, since no cell is empty or has
/// a blank in it, but for those of the last column, which are the rest of their lines.
struct Table {
  var header: [String]
  var rows: [[Cell]] = []
  /// Columns of numbers, which align to the right.
  var numeric: Set<Int> = []
  /// Names that may have blanks stay as they are, for people.
  var keepsBlanks = false

  init(_ header: String..., numeric: Set<Int> = []) {
    self.header = header
    self.numeric = numeric
  }

  init(header: [String], numeric: Set<Int>) {
    self.header = header
    self.numeric = numeric
  }

  mutating func add(_ row: String...) { rows.append(row.map { Cell($0) }) }

  var text: String { text(isHeaded: true, isColoured: false) }

  func text(isHeaded: Bool, isColoured: Bool) -> String {
    let cells = rows.map { row in
      row.enumerated().map {
        Cell(shown($1.text, isLast: $0 == header.count - 1), tone: $1.tone)
      }
    }
    let head: [[Cell]] = isHeaded ? [header.map { Cell($0) }] : []
    let all = head + cells
    var widths = [Int](repeating: 0, count: header.count)
    for row in all {
      for (column, cell) in row.enumerated() where column < widths.count {
        widths[column] = max(widths[column], cell.text.count)
      }
    }
    return all.map { row in
      var line = ""
      for (column, cell) in row.enumerated() where column < widths.count {
        let padding = String(repeating: " ", count: widths[column] - cell.text.count)
        let text = isColoured ? cell.text.painted(cell.tone) : cell.text
        line += numeric.contains(column) ? padding + text : text + padding
        if column < widths.count - 1 { line += "  " }
      }
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }

  private func shown(_ text: String, isLast: Bool) -> String {
    guard isLast || keepsBlanks else { return Self.cell(text) }
    return text.isEmpty ? "-" : printable(text)
  }

  /// The text of a cell that is not the last.
  static func cell(_ text: String) -> String {
    text.isEmpty ? "-" : printable(text).split(separator: " ").joined(separator: "_")
  }
}

extension String {
  /// With the colour of its tone (ECMA-48, SGR).
  fileprivate func painted(_ tone: Tone?) -> String {
    let colour =
      switch tone {
      case .good: "32"
      case .doubtful: "33"
      case .bad: "31"
      case nil: ""
      }
    return colour.isEmpty ? self : "\u{1b}[\(colour)m\(self)\u{1b}[0m"
  }
}

/// `text` with its control characters made visible: titles and commands come from others, and must not steer the
/// operator's terminal. ASCII's are shown by their pictures, such as ␛, others by a sign that stands for any.
func printable(_ text: String) -> String {
  var clean = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case _ where !scalar.isSteering: clean.append(scalar)
    case ..<0x20: clean.append(Unicode.Scalar(0x2400 + scalar.value) ?? "\u{fffd}")
    case 0x7F: clean.append("\u{2421}")
    default: clean.append("\u{fffd}")
    }
  }
  return String(clean)
}

/// The words as a POSIX shell would read them again; control characters as `$'\n'` (bash, POSIX 2024).
func shellQuoted(_ words: [String]) -> String {
  words.map { word in
    let isPlain = word.utf8.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "_-+=:,./@%".utf8.contains($0)
        || $0 >= 0x80
    }
    if word.unicodeScalars.contains(where: \.isSteering) {
      return "$'" + word.unicodeScalars.map(dollarQuoted).joined() + "'"
    }
    return isPlain && !word.isEmpty ? word : "'\(word.replacing("'", with: "'\\''"))'"
  }.joined(separator: " ")
}

private func dollarQuoted(_ scalar: Unicode.Scalar) -> String {
  switch scalar {
  case "\n": return "\\n"
  case "\r": return "\\r"
  case "\t": return "\\t"
  case "\\", "'": return "\\\(scalar)"
  default:
    guard scalar.isSteering else { return String(scalar) }
    let digits = String(scalar.value, radix: 16)
    let (letter, length) = digits.count > 4 ? ("U", 8) : ("u", 4)
    return "\\" + letter + String(repeating: "0", count: length - digits.count) + digits
  }
}

/// At most `limit` characters, for a table.
/// The first of them, for who is to see which are meant.
func examples(of sessions: [SessionID], atMost most: Int = CommandLimits.examples) -> String {
  sessions.prefix(most).map(\.rawValue).joined(separator: ", ")
    + (sessions.count > most ? ", …" : "")
}

func shortened(_ text: String, to limit: Int = 60) -> String {
  text.count > limit ? text.prefix(limit - 1) + "…" : text
}

/// `now`, `12s`, `5m`, `3h 20m`, `2d 4h`: the two largest units.
func humanTime(milliseconds: UInt64) -> String {
  let seconds = milliseconds / 1_000
  switch seconds {
  case 0: return "now"
  case ..<60: return "\(seconds)s"
  case ..<3_600:
    let rest = seconds % 60
    return seconds < 600 && rest > 0 ? "\(seconds / 60)m \(rest)s" : "\(seconds / 60)m"
  case ..<86_400:
    let rest = seconds % 3_600 / 60
    return rest > 0 ? "\(seconds / 3_600)h \(rest)m" : "\(seconds / 3_600)h"
  default:
    let rest = seconds % 86_400 / 3_600
    return rest > 0 ? "\(seconds / 86_400)d \(rest)h" : "\(seconds / 86_400)d"
  }
}

/// Milliseconds since a time in milliseconds since 1970; 0: that is yet to come.
func age(since time: UInt64) -> UInt64 {
  let now = WallClock.milliseconds
  return now > time ? now - time : 0
}

/// The same for a cell: `3h20m`.
/// `3m ago`, or `just now`.
/// - Parameter time: as ``humanTime(milliseconds:)`` or ``cellTime(milliseconds:)`` says it.
func ago(_ time: String) -> String { time == "now" ? "just now" : time + " ago" }

func cellTime(milliseconds: UInt64) -> String {
  humanTime(milliseconds: milliseconds).replacing(" ", with: "")
}

/// `1.5KiB`.
func cellBytes(_ count: UInt64) -> String { humanBytes(count).replacing(" ", with: "") }

/// `900 B`, `1.5 KiB`, `20 MiB`.
func humanBytes(_ count: UInt64) -> String {
  guard count >= 1_024 else { return "\(count) B" }
  var value = Double(count)
  var unit = ""
  for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] where value >= 1_024 {
    value /= 1_024
    unit = next
  }
  let tenths = Int((value * 10).rounded())
  return tenths < 100 && tenths % 10 != 0
    ? "\(tenths / 10).\(tenths % 10) \(unit)" : "\((tenths + 5) / 10) \(unit)"
}
