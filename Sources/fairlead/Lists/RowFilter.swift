// `--filter COLUMN=VALUE`: which rows a list has. Pure.

/// One condition on one column.
struct RowFilter<Row> {
  enum Comparison: String, CaseIterable {
    // The longer ones first: each is looked for in this order.
    case isNot = "!="
    case lacks = "!~"
    case atLeast = ">="
    case atMost = "<="
    case above = ">"
    case below = "<"
    case matches = "="
    case contains = "~"
  }

  private let column: Column<Row>
  private let comparison: Comparison
  private let value: String
  private let number: Double?

  static var form: String { "COLUMN=VALUE, where = may be != ~ !~ > >= < or <=" }

  init(_ text: String, of columns: [Column<Row>]) throws(ListMisuse) {
    let marks = Set("=!~<>")
    guard let start = text.firstIndex(where: marks.contains),
      let comparison = Comparison.allCases.first(where: { text[start...].hasPrefix($0.rawValue) })
    else { throw ListMisuse(message: "--filter \(printable(text)): it is \(Self.form)") }
    column = try columns.named(String(text[..<start]), by: "--filter")
    value = String(text[start...].dropFirst(comparison.rawValue.count))
    self.comparison = comparison
    number = column.measure?.number(value)
    switch comparison {
    case .above, .atLeast, .below, .atMost:
      guard let measure = column.measure else {
        throw ListMisuse(message: "--filter: \(column.name) is text, which is not more or less")
      }
      guard number != nil else {
        throw ListMisuse(message: "--filter: \(column.name) is compared with \(measure.form)")
      }
    case .matches, .isNot, .contains, .lacks: break
    }
  }

  func takes(_ row: Row) -> Bool {
    let cell = column.cell(row)
    switch comparison {
    case .matches: return equals(cell)
    case .isNot: return !equals(cell)
    case .contains: return cell.text.contains(value)
    case .lacks: return !cell.text.contains(value)
    case .above: return compared(cell, >)
    case .atLeast: return compared(cell, >=)
    case .below: return compared(cell, <)
    case .atMost: return compared(cell, <=)
    }
  }

  private func compared(_ cell: Cell, _ holds: (Double, Double) -> Bool) -> Bool {
    guard let own = cell.number, let number else { return false }
    return holds(own, number)
  }

  private func equals(_ cell: Cell) -> Bool {
    if let own = cell.number, own == number { return true }
    return Wildcard(value).matches(cell.text)
  }
}

/// A text in which each `*` stands for any text.
struct Wildcard {
  private let parts: [Substring]

  init(_ text: String) {
    parts = text.split(separator: "*", omittingEmptySubsequences: false)
  }

  func matches(_ text: String) -> Bool {
    guard parts.count > 1, let first = parts.first, let last = parts.last else {
      return text == (parts.first ?? "")
    }
    guard text.hasPrefix(first), text.utf8.count >= first.utf8.count + last.utf8.count,
      text.hasSuffix(last)
    else { return false }
    var rest = text.dropFirst(first.count).dropLast(last.count)
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let range = rest.firstRange(of: part) else { return false }
      rest = rest[range.upperBound...]
    }
    return true
  }
}
