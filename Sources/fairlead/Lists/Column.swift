// What a list has of each of its rows: the columns by which it is shown, sorted and filtered. Pure.

import Wire

/// What a column's numbers count: how they are written, and how an operator may write one.
enum Measure {
  case count
  /// Milliseconds.
  case time
  case bytes

  /// `15m` or `1m30s` of a time, `10M` or `1.5KiB` of bytes, else a plain number.
  func number(_ text: String) -> Double? {
    if self == .bytes, text.hasSuffix("iB") { return number(String(text.dropLast(2))) }
    if self == .time, let sum = composed(text) { return sum }
    if self != .count, let unit = text.last, let number = Double(text.dropLast()),
      let factor = units[unit]
    {
      return number * factor
    }
    guard let number = Double(text), number.isFinite else { return nil }
    return self == .time ? number * 1_000 : number
  }

  /// As lists write times: `3h20m`.
  private func composed(_ text: String) -> Double? {
    var (sum, digits) = (0.0, "")
    for character in text {
      if let factor = units[character] {
        guard let number = Double(digits) else { return nil }
        (sum, digits) = (sum + number * factor, "")
      } else {
        digits.append(character)
      }
    }
    return digits.isEmpty && !text.isEmpty ? sum : nil
  }

  private var units: [Character: Double] {
    switch self {
    case .count: [:]
    case .time: ["s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
    case .bytes:
      [
        "B": 1, "K": 1_024, "M": 1_048_576, "G": 1_073_741_824, "T": 1_099_511_627_776,
        "P": 1_125_899_906_842_624,
      ]
    }
  }

  var form: String {
    switch self {
    case .count: "a number"
    case .time: "a time such as 90s, 15m or 2h"
    case .bytes: "a number of bytes, such as 10M or 1.5KiB"
    }
  }
}

struct Column<Row> {
  let title: String
  /// Nil: text.
  let measure: Measure?
  /// Shown by `-o wide` alone; sorted and filtered by all the same.
  let isWide: Bool
  let cell: (Row) -> Cell

  /// How it is called in options.
  var name: String { title.lowercased() }

  private init(_ title: String, _ measure: Measure?, _ isWide: Bool, cell: @escaping (Row) -> Cell)
  {
    self.title = title
    self.measure = measure
    self.isWide = isWide
    self.cell = cell
  }

  /// - Parameter text: nil: it is not known, or there is none.
  static func text(
    _ title: String, isWide: Bool = false, _ text: @escaping (Row) -> String?
  ) -> Column {
    Column(title, nil, isWide) { Cell(text($0) ?? "") }
  }

  /// The same column, whose cells are good or bad news.
  func toned(_ tone: @escaping (Row) -> Tone?) -> Column {
    let cell = cell
    return Column(title, measure, isWide) { row in
      var toned = cell(row)
      toned.tone = tone(row)
      return toned
    }
  }

  static func count(
    _ title: String, isWide: Bool = false, _ count: @escaping (Row) -> Int?
  ) -> Column {
    number(title, isWide: isWide) { count($0).map { (Double($0), "\($0)") } }
  }

  /// - Parameter number: and how it is written.
  static func number(
    _ title: String, _ measure: Measure = .count, isWide: Bool = false,
    _ number: @escaping (Row) -> (Double, String)?
  ) -> Column {
    Column(title, measure, isWide) { row in
      let value = number(row)
      return Cell(value?.1 ?? "", number: value?.0)
    }
  }

  /// - Parameter milliseconds: nil: not known.
  static func time(
    _ title: String, isWide: Bool = false, _ milliseconds: @escaping (Row) -> UInt64?
  ) -> Column {
    number(title, .time, isWide: isWide) {
      milliseconds($0).map { (Double($0), cellTime(milliseconds: $0)) }
    }
  }

  static func bytes(
    _ title: String, isWide: Bool = false, _ bytes: @escaping (Row) -> UInt64?
  ) -> Column {
    number(title, .bytes, isWide: isWide) { bytes($0).map { (Double($0), cellBytes($0)) } }
  }
}

/// An option that names a column which there is not, or a value that no row of it can have. No ``Failure``: it becomes
/// the command's own complaint about its words.
struct ListMisuse: Error { var message: String }

/// In which order rows are listed.
struct RowOrder<Row> {
  private let column: Column<Row>
  private let isDescending: Bool

  /// - Parameter text: a column's name, with a `-` before it the largest first.
  init(_ text: String, of columns: [Column<Row>]) throws(ListMisuse) {
    isDescending = text.hasPrefix("-")
    column = try columns.named(isDescending ? String(text.dropFirst()) : text, by: "--sort")
  }

  /// Rows that have nothing in the column come last.
  func sorted(_ rows: [Row]) -> [Row] {
    let cells = rows.enumerated().map { (index: $0, cell: column.cell($1), row: $1) }
    return cells.sorted { a, b in
      let order = compared(a.cell, b.cell)
      return order == 0 ? a.index < b.index : order < 0
    }.map { $0.row }
  }

  private func compared(_ a: Cell, _ b: Cell) -> Int {
    let sign = isDescending ? -1 : 1
    guard column.measure != nil else {
      if a.text == b.text { return 0 }
      if a.text.isEmpty || b.text.isEmpty { return a.text.isEmpty ? 1 : -1 }
      return a.text < b.text ? -sign : sign
    }
    switch (a.number, b.number) {
    case (nil, nil): return 0
    case (nil, _): return 1
    case (_, nil): return -1
    case (let a?, let b?): return a == b ? 0 : a < b ? -sign : sign
    }
  }
}

extension Array {
  func named<Row>(_ name: String, by option: String) throws(ListMisuse) -> Column<Row>
  where Element == Column<Row> {
    if let column = first(where: { $0.name == name.lowercased() }) { return column }
    let names = map(\.name).joined(separator: ", ")
    throw ListMisuse(
      message: "\(option): there is no column \"\(printable(name))\"; there are \(names)")
  }
}
