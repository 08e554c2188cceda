// What fuzzers found, kept: each input of Tests/Fuzz/Corpus/screen is run again.

import Foundation
import Screen
import ScreenOperations
import Testing

@Suite struct CorpusTests {
  @Test func survivesWhatTheFuzzerFound() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Fuzz/Corpus/screen").standardized
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(!names.isEmpty)
    for name in names.sorted() {
      let bytes = [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
      #expect(throws: Never.self, "\(name)") { try ScreenOperations.run(bytes) }
    }
  }
}
