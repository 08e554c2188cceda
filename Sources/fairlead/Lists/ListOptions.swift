// The options of every command that lists something, and the one way in which lists are shown.

import ArgumentParser

struct ListOptions: ParsableArguments {
  @OptionGroup var output: OutputOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The column by which rows are sorted; with - before it, the largest first.",
      valueName: "column"))
  var sort: String?

  @Option(
    help: ArgumentHelp(
      """
      Only rows of which this holds: =, != (* stands for any text), ~, !~ (contains), >, >=, <, <= with a column's name \
      before and a value behind; may be given again.
      """, valueName: "condition"))
  var filter: [String] = []

  @Flag(help: "Leave out the line that names the columns.")
  var noHeaders = false

  @OptionGroup var watch: WatchOptions

  /// - Throws: `ValidationError` for a `--sort` or `--filter` that does not fit these columns.
  func check<Row>(_ columns: [Column<Row>]) throws {
    do throws(ListMisuse) {
      if let sort { _ = try RowOrder(sort, of: columns) }
      for condition in filter { _ = try RowFilter(condition, of: columns) }
    } catch {
      throw ValidationError(error.message)
    }
  }

  /// The rows that `--filter` takes, as `--sort` says.
  func chosen<Row>(_ rows: [Row], _ columns: [Column<Row>]) throws -> [Row] {
    do throws(ListMisuse) {
      var filters: [RowFilter<Row>] = []
      for condition in filter { filters.append(try RowFilter(condition, of: columns)) }
      let left = rows.filter { row in filters.allSatisfy { $0.takes(row) } }
      guard let sort else { return left }
      return try RowOrder(sort, of: columns).sorted(left)
    } catch {
      throw ValidationError(error.message)
    }
  }

  /// The text of a list.
  func text<Row: Encodable>(
    of rows: [Row], _ columns: [Column<Row>], name: (Row) -> String
  ) throws -> String {
    try output.text(
      of: try chosen(rows, columns), names: { $0.map(name) }, table: { table($0, columns) })
  }

  func table<Row>(_ rows: [Row], _ columns: [Column<Row>]) -> String {
    let shown = columns.filter { !$0.isWide || output.output == .wide }
    let numeric = Set(
      shown.indices.filter { shown[$0].measure == .count || shown[$0].measure == .bytes })
    var table = Table(header: shown.map(\.title), numeric: numeric)
    table.rows = rows.map { row in shown.map { $0.cell(row) } }
    return table.text(isHeaded: !noHeaders, isColoured: Terminal.hasColours)
  }
}
