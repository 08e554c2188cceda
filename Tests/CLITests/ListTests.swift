// Every list is shown in the same way: aligned for people, apart by blanks for awk, sorted and filtered by its columns,
// and whole as JSON or YAML (promise P10: nothing that a program chose steers the terminal).

import ArgumentParser
import Foundation
import Testing

@testable import fairlead

private struct Row: Codable, Equatable {
  var name: String
  var size: UInt64?
  var idle: UInt64
  var words: String
}

private var columns: [Column<Row>] {
  [
    .text("NAME") { $0.name },
    .bytes("SIZE") { $0.size },
    .time("IDLE") { $0.idle },
    .text("HOW", isWide: true) { _ in "in some way" },
    .text("WORDS") { $0.words },
  ]
}

private let rows = [
  Row(name: "b", size: 2_048, idle: 90_000, words: "make all"),
  Row(name: "a-1", size: nil, idle: 0, words: ""),
  Row(name: "a-2", size: 10_000_000, idle: 12_000_000, words: "\u{1b}[2J\u{7f}\u{202e}x"),
]

@Suite struct ListTests {
  private func list(_ words: String...) throws -> ListOptions {
    try ListOptions.parse(words)
  }

  private func names(_ words: String...) throws -> [String] {
    try ListOptions.parse(words).chosen(rows, columns).map(\.name)
  }

  @Test func noCellIsEmptyAndOnlyTheLastOneHasBlanks() throws {
    let text = try list("-o", "wide").text(of: rows, columns, name: \.name)
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(
      lines.map { $0.prefix(4).map { $0 } } == [
        ["NAME", "SIZE", "IDLE", "HOW"], ["b", "2KiB", "1m30s", "in_some_way"],
        ["a-1", "-", "now", "in_some_way"], ["a-2", "9.5MiB", "3h20m", "in_some_way"],
      ])
    #expect(
      lines.map { $0.dropFirst(4).joined(separator: " ") } == [
        "WORDS", "make all", "-", "␛[2J␡\u{fffd}x",
      ])
    #expect(!text.contains("\u{1b}"))
    let bare = try list("--no-headers").text(of: rows, columns, name: \.name)
    #expect(!bare.contains("NAME") && !bare.contains("in_some_way"))
  }

  @Test func rowsAreSortedByWhatTheyCount() throws {
    #expect(try names("--sort", "name") == ["a-1", "a-2", "b"])
    #expect(try names("--sort", "size") == ["b", "a-2", "a-1"])
    #expect(try names("--sort=-SIZE") == ["a-2", "b", "a-1"], "what is not known comes last")
    #expect(try names("--sort=-idle") == ["a-2", "b", "a-1"])
  }

  @Test(arguments: [
    ("name=b", ["b"]), ("name=a-*", ["a-1", "a-2"]), ("name=*-*", ["a-1", "a-2"]),
    ("name!=a-*", ["b"]), ("words~make", ["b"]), ("words!~make", ["a-1", "a-2"]),
    ("idle>1m", ["b", "a-2"]), ("idle<=1m", ["a-1"]), ("size>=2048", ["b", "a-2"]),
    ("size<1M", ["b"]), ("size>=1.5KiB", ["b", "a-2"]), ("size<2KiB", []),
    ("idle>1m29s", ["b", "a-2"]),
    ("idle>3h", ["a-2"]), ("idle=90s", ["b"]), ("idle=1m30s", ["b"]),
  ]) func rowsAreFilteredByTheirColumns(condition: String, left: [String]) throws {
    #expect(try names("--filter", condition) == left)
  }

  @Test func allConditionsHold() throws {
    #expect(try names("--filter", "name=a-*", "--filter", "idle>1h") == ["a-2"])
  }

  @Test(arguments: [
    (["--sort", "colour"], "name, size, idle, how, words"), (["--filter", "name"], "COLUMN=VALUE"),
    (["--filter", "name>a"], "not more or less"), (["--filter", "idle>soon"], "15m"),
    (["--filter", "colour=red"], "there is no column"),
  ]) func whatFitsNoColumnIsSaid(words: [String], told: String) throws {
    let error = #expect(throws: (any Error).self) {
      try ListOptions.parse(words).check(columns)
    }
    #expect("\(error.map { String(describing: $0) } ?? "")".contains(told))
  }

  @Test func programsGetEverything() throws {
    let json = try list("-o", "json").text(of: rows, columns, name: \.name)
    #expect(try JSONDecoder().decode([Row].self, from: Data(json.utf8)) == rows)
    #expect(
      try list("-o", "name", "--sort", "name").text(of: rows, columns, name: \.name)
        == "a-1\na-2\nb")
    let yaml = try list("-o", "yaml", "--filter", "name!=a-1").text(of: rows, columns, name: \.name)
    #expect(
      yaml == #"""
        - idle: 90000
          name: b
          size: 2048
          words: "make all"
        - idle: 12000000
          name: a-2
          size: 10000000
          words: "\u001b[2J\u007f\u202ex"
        """#)
  }

  @Test(arguments: [
    (
      #"{"a":{"b":[1,{"c":null}],"d":[]},"e":"no","f":1.5,"g":true}"#,
      """
      a:
        b:
          - 1
          - c: null
        d: []
      e: "no"
      f: 1.5
      g: true
      """
    ),
    (
      #"[[1,2],["x: y",18446744073709551615]]"#,
      """
      - - 1
        - 2
      - - "x: y"
        - 18446744073709551615
      """
    ),
    (#"{"1":"2026-11-30","":"~"}"#, "\"\": \"~\"\n\"1\": \"2026-11-30\""), ("{}", "{}"),
  ]) func yamlSaysTheSame(json: String, yaml: String) throws {
    #expect(try YAML.text(json: Data(json.utf8)) == yaml)
  }

  @Test(arguments: [
    ("a*c", "abc", true), ("a*c", "ac", true), ("a*c", "ab", false), ("*", "", true),
    ("a*b*c", "a-b-b-c", true), ("ab*ba", "aba", false), ("", "x", false),
  ]) func starsStandForAnything(pattern: String, text: String, matches: Bool) {
    #expect(Wildcard(pattern).matches(text) == matches)
  }
}
