// A file of Sources is read in one sitting, and a function on one screen. What is larger stands here with its reason,
// and leaves the list once it has become small.

import Testing

@Suite struct SizeTests {
  private static let lines = 400
  private static let linesOfFunction = 60

  private struct Exception {
    var most: Int
    var why: String
  }

  private static let files: [String: Exception] = [:]

  private static let functions: [String: Exception] = [:]

  @Test func filesAreSmallOrHaveAReason() throws {
    let tree = SourceTree()
    var sizes: [String: Int] = [:]
    for file in try tree.files(in: "Sources") {
      sizes[name(of: file)] = try tree.text(file).count { $0 == "\n" }
    }
    check(sizes, Self.lines, Self.files)
  }

  @Test func functionsAreSmallOrHaveAReason() throws {
    let tree = SourceTree()
    var sizes: [String: Int] = [:]
    for file in try tree.files(in: "Sources") {
      for (function, count) in functions(in: try tree.text(file)) {
        let name = "\(name(of: file)) \(function)"
        sizes[name] = max(count, sizes[name] ?? 0)
      }
    }
    #expect(sizes.count > 1_000)
    check(sizes, Self.linesOfFunction, Self.functions)
  }

  private func name(of file: String) -> String { String(file.dropFirst("Sources/".count)) }

  private func check(_ sizes: [String: Int], _ limit: Int, _ exceptions: [String: Exception]) {
    for (name, count) in sizes.sorted(by: { $0.key < $1.key }) {
      let most = exceptions[name]?.most ?? limit
      #expect(count <= most, "\(name) has \(count) lines")
    }
    for (name, exception) in exceptions {
      #expect((sizes[name] ?? 0) > limit, "\(name) needs no exception (\(exception.why))")
    }
  }

  private static let beginnings = ["func ", "init", "deinit", "subscript"]

  /// A function ends at the brace that stands under its beginning: that is how all of them are formatted.
  private func functions(in text: String) -> [(name: String, lines: Int)] {
    let beginning = /^( *)(?:@?[\w.()]+ )*(?:func ([\w]+|[^\w ]+)|(init|deinit|subscript)\b).*$/
    var open: (name: String, indent: Substring, start: Int)?
    var found: [(name: String, lines: Int)] = []
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      if let current = open {
        if line.hasPrefix(current.indent + "}") {
          found.append((current.name, number - current.start + 1))
          open = nil
        } else if number > current.start, line.hasPrefix(current.indent),
          let first = line.dropFirst(current.indent.count).first, first != " ", first != ")"
        {
          // A protocol's requirement, or one on a single line.
          open = nil
        }
      }
      // The expression alone would take seconds in a debug build.
      if open == nil, !line.hasSuffix(" }"), Self.beginnings.contains(where: line.contains),
        let match = line.wholeMatch(of: beginning)
      {
        open = (String(match.2 ?? match.3 ?? ""), match.1, number)
      }
    }
    return found
  }
}
