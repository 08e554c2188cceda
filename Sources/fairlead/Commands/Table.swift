// Tables and times for people. Pure.

import Wire

/// Rows of text with aligned columns, no lines, no colours: easy to read and to cut.
struct Table {
  var header: [String]
  var rows: [[String]] = []
  /// Columns of numbers, which align to the right.
  var numeric: Set<Int> = []

  init(_ header: String..., numeric: Set<Int> = []) {
    self.header = header
    self.numeric = numeric
  }

  mutating func add(_ row: String...) { rows.append(row) }

  var text: String {
    let all = [header] + rows.map { $0.map(printable) }
    var widths = [Int](repeating: 0, count: header.count)
    for row in all {
      for (column, cell) in row.enumerated() where column < widths.count {
        widths[column] = max(widths[column], cell.count)
      }
    }
    return all.map { row in
      var line = ""
      for (column, cell) in row.enumerated() where column < widths.count {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += numeric.contains(column) ? padding + cell : cell + padding
        if column < widths.count - 1 { line += "  " }
      }
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }
}

/// `text` without control characters: titles and commands come from others, and must not steer the
/// operator's terminal.
func printable(_ text: String) -> String {
  var clean = String.UnicodeScalarView()
  for scalar in text.unicodeScalars { clean.append(scalar.isSteering ? "\u{fffd}" : scalar) }
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
