// Logs never hold up who logs (promise P7), and what they lose is counted (promise P10).

import Foundation
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import Logs

@Suite struct LogWriterTests {
  private func temporary() -> String {
    FileManager.default.temporaryDirectory.path + "/fairlead-log-\(UUID().uuidString)"
  }

  private func lines(of path: String) -> [String] {
    ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n")
      .map(String.init)
  }

  /// A pipe's two ends.
  private func pipe() throws -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [0, 0]
    try #require(Glibc.pipe(&ends) == 0)
    return (ends[0], ends[1])
  }

  @Test func aReaderThatStandsStillHoldsUpNobodyAndWhatIsDroppedIsCounted() async throws {
    let (reading, writing) = try pipe()
    let writer = LogWriter(.descriptor(writing), limit: 20_000)
    // More than the pipe and the queue hold together: this returns although nobody reads.
    let count = 5_000
    for number in 0..<count {
      writer.write("line \(number) " + String(repeating: "x", count: 80))
    }
    #expect(!writer.flush(atMost: .milliseconds(20)), "nobody has read it")
    // Every line is there in its order, or counted where it is missing.
    var (next, dropped) = (0, 0)
    var (rest, story): ([UInt8], [String]) = ([], [])
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while next < count {
      let got = read(reading, &buffer, buffer.count)
      try #require(got > 0)
      rest += buffer[..<got]
      while let end = rest.firstIndex(of: 0x0A) {
        let words = String(decoding: rest[..<end], as: UTF8.self).split(separator: " ")
        rest.removeSubrange(...end)
        story.append(words.prefix(3).joined(separator: " "))
        if words.first == "line" {
          try #require(Int(words[1]) == next, "\(story.suffix(5))")
          next += 1
        } else {
          let missing = try #require(Int(words[0]))
          next += missing
          dropped += missing
        }
      }
    }
    #expect(next == count && dropped > 0)
    #expect(writer.flush())
    writer.write("and on it goes")
    let more = read(reading, &buffer, buffer.count)
    #expect(
      more > 0 && String(decoding: buffer[..<max(0, more)], as: UTF8.self) == "and on it goes\n")
    #expect(writer.close(atMost: .seconds(60)))
    close(reading)
    close(writing)
  }

  @Test func aFileThatWasMovedAwayIsMadeAnew() throws {
    let path = temporary()
    defer { for end in ["", ".1"] { unlink(path + end) } }
    let writer = LogWriter(.file(path))
    writer.write("first")
    #expect(writer.flush())
    try #require(rename(path, path + ".1") == 0)
    writer.write("second")
    writer.close()
    #expect(lines(of: path + ".1") == ["first"])
    #expect(lines(of: path) == ["second"])
  }

  @Test func whatCannotBeWrittenIsReportedOnceAndCounted() throws {
    let folder = temporary()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let problems = NIOLockedValueBox<[String]>([])
    let writer = LogWriter(
      .file(folder + "/log"), failed: { problem in problems.withLockedValue { $0.append(problem) } }
    )
    for number in 0..<3 {
      writer.write("lost \(number)")
      #expect(writer.flush())
    }
    #expect(problems.withLockedValue { $0 } == ["No such file or directory"])
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    writer.write("kept")
    writer.close()
    #expect(lines(of: folder + "/log") == ["3 lines were dropped", "kept"])
  }

  @Test func aReaderThatIsGoneIsNoSignal() throws {
    let (reading, writing) = try pipe()
    close(reading)
    let writer = LogWriter(.descriptor(writing))
    writer.write("nobody hears this")
    #expect(writer.close(atMost: .seconds(60)))
    close(writing)
  }
}
