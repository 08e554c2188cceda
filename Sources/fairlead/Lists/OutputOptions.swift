// How a command shows what it found: as a table, as JSON or YAML, or by names alone; once, or again and again.

import API
import APIClient
import ArgumentParser
import FoundationEssentials
import Glibc
import Wire

struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case table, wide, json, yaml, name }

  @Option(
    name: .shortAndLong,
    help: """
      table, for people; wide, with more columns where there are more; json or yaml, with everything, for programs; \
      or name, the names alone.
      """)
  var output: Format = fromEnvironment("OUTPUT", default: .table)

  /// For people.
  var isTable: Bool { output == .table || output == .wide }

  /// `value` as JSON or YAML, by its names, or what `table` makes of it.
  func text<Value: Encodable>(
    of value: Value, names: (Value) -> [String], table: (Value) -> String
  ) throws -> String {
    switch output {
    case .table, .wide: return table(value)
    case .name: return names(value).map(printable).joined(separator: "\n")
    case .json:
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .withoutEscapingSlashes, .sortedKeys]
      return String(decoding: inertJSON(try encoder.encode(value)), as: UTF8.self)
    case .yaml: return try YAML.text(json: try JSONEncoder().encode(value))
    }
  }

  /// `value` as JSON on one line.
  static func line(of value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    return String(decoding: inertJSON(try encoder.encode(value)), as: UTF8.self)
  }

  /// Prints it.
  func show<Value: Encodable>(
    _ value: Value, names: (Value) -> [String], table: (Value) -> String
  ) throws {
    let text = try text(of: value, names: names, table: table)
    if !text.isEmpty { say(text) }
  }
}

/// What a look at the cluster found.
struct Shown {
  /// Without a line's end behind it; empty: nothing.
  var text: String
  /// What could not be asked, or read, each in a sentence: the rest is not the whole.
  var gaps: [String] = []
}

struct WatchOptions: ParsableArguments {
  @Option(
    defaultAsFlag: TimeOption(seconds: 2), parsing: .next,
    help: ArgumentHelp("Show it again and again, each time after this.", valueName: "time"))
  var watch: TimeOption? = nil

  /// Prints what `look` finds, and on standard error what is missing from it; then the exit code is 1: a script must
  /// not take a part for the whole. With `--watch` it goes on until it is interrupted.
  func run(_ look: () async throws -> Shown) async throws {
    guard let watch else {
      let shown = try await look()
      if !shown.text.isEmpty { say(shown.text) }
      for gap in shown.gaps { complain(printable(gap)) }
      if !shown.gaps.isEmpty { throw ExitCode.failure }
      return
    }
    while true {
      let shown: Shown
      do {
        shown = try await look()
      } catch let error as APIError where error.code == .unreachable {
        shown = Shown(text: "", gaps: [error.message])
      }
      draw(shown, every: watch)
      try await Task.sleep(for: .seconds(watch.seconds))
    }
  }

  /// On a terminal in place of what was there, and no more than it has lines for.
  private func draw(_ shown: Shown, every time: TimeOption) {
    let lines =
      shown.gaps.map(printable)
      + shown.text.split(
        separator: "\n", omittingEmptySubsequences: false
      ).map(String.init)
    guard let height = Terminal.height else { return say(lines.joined(separator: "\n") + "\n") }
    let head = "every \(time), now \(timeText(WallClock.milliseconds) ?? ""); Ctrl-C ends it"
    let room = max(1, height - 2)
    let left =
      lines.count > room
      ? lines.prefix(room - 1) + ["… \(lines.count - room + 1) more lines"] : lines[...]
    say("\u{1b}[H\u{1b}[2J" + ([head] + left).joined(separator: "\n"))
  }
}

/// What standard output is.
enum Terminal {
  /// Lines and columns of it; nil: it is no terminal.
  static var height: Int? { size.map { $0.rows } }
  static var width: Int? { size.map { $0.columns } }

  private static var size: (rows: Int, columns: Int)? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var window = winsize()
    // As terminals were, where it does not say.
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_row > 0, window.ws_col > 0
    else { return (24, 80) }
    return (Int(window.ws_row), Int(window.ws_col))
  }

  /// Whether to use colours there (https://no-color.org).
  static var hasColours: Bool {
    func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
    return isatty(STDOUT_FILENO) == 1 && variable("NO_COLOR").isEmpty && variable("TERM") != "dumb"
  }
}
