// Package.swift, as far as its targets go: read as text, since asking the package manager takes long and waits
// for builds. What it does not understand makes the tests fail.

import Foundation

struct Manifest {
  struct Target {
    enum Kind: String { case target, executableTarget, testTarget, systemLibrary }
    var name: String
    var kind: Kind
    /// From the package's folder.
    var folder: String
    /// Modules and products.
    var dependencies: Set<String>
  }

  var targets: [Target] = []

  subscript(name: String) -> Target? { targets.first { $0.name == name } }

  init(_ text: String) throws {
    let text = text.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined(separator: "\n")
    var named: [Substring: String] = [:]
    for match in text.matches(
      of: /let (\w+) = Target\.Dependency\.product\(\s*name: "(\w+)"/)
    {
      named[match.1] = String(match.2)
    }
    for match in text.matches(
      of: /\.(target|executableTarget|testTarget|systemLibrary)\(\s*name: "([\w-]+)"/)
    {
      guard let kind = Target.Kind(rawValue: String(match.1)) else { continue }
      let name = String(match.2)
      let body = Self.balanced(text[match.range.lowerBound...], "(", ")")
      let path = body.firstMatch(of: /path: "([\w\/]+)"/).map { String($0.1) }
      let folder = path ?? (kind == .testTarget ? "Tests/" : "Sources/") + name
      var target = Target(name: name, kind: kind, folder: folder, dependencies: [])
      if let start = body.firstMatch(of: /dependencies:/)?.range.upperBound {
        target.dependencies = try Self.names(
          in: Self.balanced(body[start...], "[", "]"), named: named)
      }
      targets.append(target)
    }
  }

  /// From the first opening bracket to the one that closes it.
  private static func balanced(
    _ text: Substring, _ opening: Character, _ closing: Character
  ) -> Substring {
    let text = text.drop { $0 != opening }
    var depth = 0
    for index in text.indices {
      if text[index] == opening { depth += 1 }
      if text[index] == closing {
        depth -= 1
        if depth == 0 { return text[...index] }
      }
    }
    return text
  }

  struct NotUnderstood: Error { var word: String }

  private static func names(in list: Substring, named: [Substring: String]) throws -> Set<String> {
    var names: Set<String> = []
    var rest = String(list.dropFirst().dropLast())
    let product = /\.product\(\s*name: "(\w+)", package: "[\w-]+"\)|nio\("(\w+)"\)/
    for match in rest.matches(of: product) {
      names.insert(String(match.1 ?? match.2 ?? ""))
    }
    rest.replace(product, with: "")
    for word in rest.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
      if word.first == "\"", word.last == "\"" {
        names.insert(String(word.dropFirst().dropLast()))
      } else if let name = named[word] {
        names.insert(name)
      } else {
        throw NotUnderstood(word: String(word))
      }
    }
    return names
  }
}
