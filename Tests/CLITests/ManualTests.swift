// The manual is what the commands say of themselves (P10: it is true), and contexts are what they say.

import ArgumentParser
import Foundation
import Testing

@testable import fairlead

@Suite struct ManualTests {
  private static var page: String {
    get throws {
      let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      return try String(contentsOf: root.appending(path: "docs/cli.md"), encoding: .utf8)
    }
  }

  @Test func thePageOfCommandsIsWhatTheySay() throws {
    let isSame = try Self.page == Manual(of: Fairlead.self).markdown
    #expect(isSame, "run: fairlead manual > docs/cli.md")
  }

  @Test func everyCommandHasAPageThatManCanRead() {
    let pages = Manual(of: Fairlead.self).pages
    let names = Set(pages.map(\.name))
    #expect(names.count == pages.count && names.contains("fairlead-can-stop"))
    #expect(names.contains("fairlead-context-use") && names.contains("fairlead"))
    for page in pages {
      #expect(page.text.hasPrefix(".TH \"\(page.name.uppercased())\" \"1\""))
      // No line is taken for a request but those that are.
      let requests = page.text.split(separator: "\n").filter {
        $0.hasPrefix(".") || $0.hasPrefix("'")
      }
      #expect(requests.count == 6, "\(page.name): \(requests)")
    }
  }

  @Test func aContextIsTakenOutOfTheWordsThatAreTheCommands() throws {
    var words = ["--context", "lab", "nodes"]
    #expect(try ContextFile.taken(from: &words) == "lab" && words == ["nodes"])
    words = ["new", "--context=lab", "--", "x", "--context", "y"]
    #expect(try ContextFile.taken(from: &words) == "lab")
    #expect(words == ["new", "--", "x", "--context", "y"])
    #expect(try ContextFile.taken(from: &words) == nil)
    words = ["nodes", "--context"]
    #expect(throws: (any Error).self) { try ContextFile.taken(from: &words) }
  }
}
