// A `Screen` for tests that are not written in Swift: they put it beside xterm.js and libghostty-vt. Each
// line of the input is a request, each line of the output its answer, both JSON, bytes in Base64:
//
//     {"columns": 80, "rows": 24, "steps": [{"write": "aGk="}, {"get": "snapshot"}, {"get": "lines"}]}
//     {"values": [{"bytes": "G2M…"}, {"lines": ["hi", …], …}]}
//
// `steps` are done in turn to a fresh screen, and `values` has one for each `get`. With a `seed` and a
// number of `pieces` the answer is random output, `{"bytes": …}`.

import Foundation
import Screen
import TestSupport

struct Request: Decodable {
  var columns = 80
  var rows = 24
  var scrollback = 1_000
  var steps: [Step] = []
  var seed: UInt64?
  var pieces = 0

  private enum CodingKeys: CodingKey { case columns, rows, scrollback, steps, seed, pieces }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    columns = try values.decodeIfPresent(Int.self, forKey: .columns) ?? columns
    rows = try values.decodeIfPresent(Int.self, forKey: .rows) ?? rows
    scrollback = try values.decodeIfPresent(Int.self, forKey: .scrollback) ?? scrollback
    steps = try values.decodeIfPresent([Step].self, forKey: .steps) ?? []
    seed = try values.decodeIfPresent(UInt64.self, forKey: .seed)
    pieces = try values.decodeIfPresent(Int.self, forKey: .pieces) ?? pieces
  }
}

struct Step: Decodable {
  var write: Data?
  /// Columns and rows.
  var resize: [Int]?
  var get: Part?

  enum Part: String, Decodable { case snapshot, answers, ansi, lines }
}

struct Value: Encodable {
  var bytes: Data?
  var lines: [String]?
  var scrollback: Int?
  /// Column and row.
  var cursor: [Int]?
  var isWrapPending: Bool?
  var isAlternate: Bool?
}

struct Answer: Encodable {
  var values: [Value]?
  var bytes: Data?
}

func value(_ part: Step.Part, of screen: Screen) -> Value {
  switch part {
  case .snapshot: return Value(bytes: Data(screen.snapshot()))
  case .answers: return Value(bytes: Data(screen.takeAnswers()))
  case .ansi: return Value(bytes: Data(screen.ansi(scrollback: .max)))
  case .lines:
    let contents = screen.contents(scrollback: .max)
    return Value(
      lines: contents.lines, scrollback: contents.scrollback,
      cursor: [contents.cursorColumn, contents.cursorRow], isWrapPending: screen.isWrapPending,
      isAlternate: contents.isAlternate)
  }
}

func answer(_ request: Request) -> Answer {
  if let seed = request.seed {
    var generator = OutputGenerator(seed: seed)
    return Answer(bytes: Data(generator.stream(pieces: request.pieces)))
  }
  let screen = Screen(
    columns: request.columns, rows: request.rows, scrollback: request.scrollback)
  var values: [Value] = []
  for step in request.steps {
    if let bytes = step.write { screen.write([UInt8](bytes)) }
    if let size = step.resize, size.count == 2 { screen.resize(columns: size[0], rows: size[1]) }
    if let part = step.get { values.append(value(part, of: screen)) }
  }
  return Answer(values: values)
}

let decoder = JSONDecoder()
let encoder = JSONEncoder()
while let line = readLine() {
  do {
    let request = try decoder.decode(Request.self, from: Data(line.utf8))
    var output = try encoder.encode(answer(request))
    output.append(UInt8(ascii: "\n"))
    try FileHandle.standardOutput.write(contentsOf: output)
  } catch {
    try FileHandle.standardError.write(contentsOf: Data("fairlead-screen: \(error)\n".utf8))
    exit(1)
  }
}
