// Everything about one thing, a line each: a name, and what is to be said by it. Pure.

struct Sheet {
  private var rows: [(name: String, value: String)] = []

  /// - Parameter value: nil: the line is left out.
  mutating func add(_ name: String, _ value: String?) {
    if let value { rows.append((name, value)) }
  }

  /// Several lines under one name.
  mutating func add(_ name: String, each values: [String], otherwise: String? = nil) {
    if values.isEmpty { return add(name, otherwise) }
    for (index, value) in values.enumerated() { add(index == 0 ? name : "", value) }
  }

  var text: String {
    let width = rows.map(\.name.count).max() ?? 0
    return rows.map { name, value in
      name + String(repeating: " ", count: width - name.count + 2) + printable(value)
    }.joined(separator: "\n")
  }
}
