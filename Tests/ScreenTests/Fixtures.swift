// Files beside the tests: recordings of real programs, and the conformance data of other terminals.

import Foundation

enum Fixtures {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

  static func bytes(_ path: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: folder.appendingPathComponent(path)))
  }

  static func text(_ path: String) throws -> String {
    try String(decoding: bytes(path), as: UTF8.self)
  }

  /// Names in a folder, sorted; hidden files and licences left out.
  static func names(_ path: String) -> [String] {
    let names =
      (try? FileManager.default.contentsOfDirectory(
        atPath: folder.appendingPathComponent(path).path)) ?? []
    return names.filter { !$0.hasPrefix(".") && $0 != "LICENSE" }.sorted()
  }

  /// Recordings of programs on 80 columns and 24 rows.
  static var recordings: [String] { names("Recordings") }
}
