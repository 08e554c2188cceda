// xterm.js' own escape-sequence fixtures: bytes in, text out, on 80 columns and 25 rows.

import Screen
import Testing

@Suite struct XtermFixtureTests {
  /// Fixtures that do not apply, each with its reason.
  static let excluded: [String: String] = [
    "t0055-EL": "xterm.js 6 itself differs: EL keeps a pending wrap",
    "t0084-CBT": "xterm.js 6 itself differs: CBT does nothing while a wrap is pending",
    "t0103-reverse_wrap": "xterm.js 6 itself differs: it reverses soft wraps alone",
    "t0504-vim": "xterm.js 6 itself differs: the recording asks for 132 columns",
  ]

  static var names: [String] {
    Fixtures.names("Conformance/xterm").filter { $0.hasSuffix(".in") }.map {
      String($0.dropLast(3))
    }
    .filter { excluded[$0] == nil }
  }

  @Test(arguments: names)
  func showsWhatXtermShows(name: String) throws {
    let input = try Fixtures.bytes("Conformance/xterm/\(name).in")
    let screen = Screen(columns: 80, rows: 25)
    screen.write(input.flatMap { $0 == 10 ? [13, 10] : [$0] })
    let expected = try Fixtures.text("Conformance/xterm/\(name).text")
      .split(separator: "\n", omittingEmptySubsequences: false).map(Self.trimmed)
    var lines = screen.lines().map(Self.trimmed)
    while lines.count > expected.count && lines.last == "" { lines.removeLast() }
    var wanted = expected
    while wanted.count > lines.count && wanted.last == "" { wanted.removeLast() }
    #expect(lines == wanted)
  }

  private static func trimmed(_ line: some StringProtocol) -> String {
    var line = String(line)
    while line.last == " " { line.removeLast() }
    return line
  }
}
