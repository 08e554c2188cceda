// What fuzzers found, kept in Tests/Fuzz/Corpus: tests run each input again.

import Foundation

/// The inputs of one fuzzer, with their names; fails if there are none.
public func fuzzCorpus(_ target: String) throws -> [(name: String, bytes: [UInt8])] {
  let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../Fuzz/Corpus/\(target)").standardized
  let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  guard !names.isEmpty else { throw CocoaError(.fileNoSuchFile) }
  return try names.map {
    ($0, [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))))
  }
}
