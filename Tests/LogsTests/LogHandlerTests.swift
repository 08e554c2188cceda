// An event is one line of the log, whatever others put into it (promises P9 and P10).

import Foundation
import Logging
import Testing

@testable import Logs

@Suite struct LogHandlerTests {
  /// What a client may choose: a line of its own, a terminal's sequences, and marks that turn text round.
  private static let hostile =
    "/tmp\n2026-01-01T00:00:00Z info node: all is well\u{1b}[2J\u{9b}1m\u{202e}\u{2028}\u{2029}\u{7f}"

  private func logged(
    _ make: (String, LogWriter) -> any LogHandler, _ log: (Logger) -> Void
  ) throws -> String {
    let path = FileManager.default.temporaryDirectory.path + "/fairlead-log-\(UUID().uuidString)"
    defer { unlink(path) }
    let writer = LogWriter(.file(path))
    log(Logger(label: "node") { make($0, writer) })
    writer.close()
    return try String(contentsOfFile: path, encoding: .utf8)
  }

  private func text(_ log: (Logger) -> Void) throws -> String {
    try logged({ TextLogHandler(label: $0, writer: $1) }, log)
  }

  @Test func textIsOneLineAndSteersNothing() throws {
    let line = try text { logger in
      logger.warning(
        "a pipe did not start: \(Self.hostile)",
        metadata: ["cwd": "\(Self.hostile)", "a\nb": "x y", "session": "s-1"])
    }
    #expect(line.last == "\n" && !line.dropLast().contains("\n"))
    let steering = line.dropLast().unicodeScalars.filter {
      [.control, .format, .lineSeparator, .paragraphSeparator].contains(
        $0.properties.generalCategory)
    }
    #expect(steering.isEmpty)
    #expect(line.contains(" warning node: a pipe did not start: /tmp\\n2026-01-01"))
    #expect(line.contains(#" a\nb="x y" cwd="/tmp\n2026-01-01"#))
    #expect(line.hasSuffix(" session=s-1\n"))
  }

  @Test func aValueCannotPassForAnother() throws {
    let line = try text { logger in
      logger.info("x", metadata: ["cwd": "/tmp session=forged", "quoted": "\"a\\", "none": ""])
    }
    #expect(line.hasSuffix(#" x cwd="/tmp session=forged" none="" quoted="\"a\\""# + "\n"))
  }

  @Test func jsonIsOneLineOfASCIIWhereItCouldSteer() throws {
    let make = { (label: String, writer: LogWriter) in JSONLogHandler(label: label, writer: writer)
    }
    let line = try logged(make) { logger in
      logger.error("no: \(Self.hostile)", metadata: ["cwd": "\(Self.hostile)ü"])
    }
    #expect(line.contains(#"\u009b1m\u202e\u2028\u2029\u007fü"#))
    let fields = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
    #expect(fields["cwd"] == Self.hostile + "ü")
    #expect(fields["level"] == "error" && fields["role"] == "node")
  }

  @Test func aLongValueIsCut() throws {
    let line = try text {
      $0.info("x", metadata: ["cwd": "\(String(repeating: "y", count: 100_000))"])
    }
    #expect(line.utf8.count < 2 * LogLimits.value)
  }
}
