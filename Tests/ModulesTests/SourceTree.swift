// The files of this package, as the tests read them.

import Foundation
import Testing

struct SourceTree {
  private let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  func folders(in path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      at: root.appending(path: path), includingPropertiesForKeys: [.isDirectoryKey]
    ).filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
      .map(\.lastPathComponent).sorted()
  }

  /// Of Swift, from the package's folder.
  func files(in path: String) throws -> [String] {
    let folder = root.appending(path: path)
    let all = try #require(FileManager.default.enumerator(atPath: folder.path))
    return all.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }
      .map { path + "/" + $0 }.sorted()
  }

  /// Line by line, since expressions that search whole files take seconds in a debug build.
  func imports(in path: String) throws -> Set<String> {
    var names: Set<String> = []
    for file in try files(in: path) {
      for line in try text(file).utf8.split(separator: UInt8(ascii: "\n"))
      where line.count < 80 {
        let words = line.split(separator: UInt8(ascii: " ")).map { String(Substring($0)) }
        guard words.count > 1, words.dropLast().last == "import",
          words.dropLast(2).allSatisfy(Self.beforeImport.contains)
        else { continue }
        names.insert(words[words.count - 1])
      }
    }
    return names
  }

  private static let beforeImport: Set = ["@testable", "public", "internal", "package"]

  /// The drawing of the modules: each line begins with one, and an empty line ends a layer.
  func drawnLayers() throws -> [[String]] {
    let text = try text("docs/design.md")
    let section = try #require(text.firstRange(of: "## 9. Modules"))
    let parts = text[section.upperBound...].split(
      separator: "```", maxSplits: 2, omittingEmptySubsequences: false)
    try #require(parts.count == 3)
    var layers: [[String]] = [[]]
    for line in parts[1].split(separator: "\n", omittingEmptySubsequences: false).dropFirst() {
      if line.allSatisfy(\.isWhitespace) {
        layers.append([])
      } else if let name = line.prefixMatch(of: /[A-Za-z]\w*/) {
        layers[layers.count - 1].append(String(name.output))
      }
    }
    return layers.filter { !$0.isEmpty }
  }
}
