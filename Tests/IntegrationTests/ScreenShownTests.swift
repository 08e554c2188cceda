// What the API shows of a session, through a router that does not hold it (promise P1).

import API
import APIClient
import Foundation
import TestSupport
import Testing
import Wire

@Suite struct ScreenShownTests {
  @Test func theScreenIsShownWithAsMuchScrollbackAsAsked() async throws {
    let cluster = try await RunningCluster.start(.plain, routers: 1, nodes: ["a"])
    let id = SessionID.random()
    let lines = "for i in $(seq 1 90); do printf '\\033[3%dmline %d\\033[m\\n' $((i % 8)) $i; done"
    _ = try await cluster.admin.create(
      Open(
        session: id, create: Creation(command: ["/bin/sh", "-c", lines + "; sleep 1000"]),
        size: TerminalSize(columns: 40, rows: 10)))
    try await eventually("the last line is shown") {
      try await cluster.admin.screen(id, format: .text).contains("line 90")
    }
    let screen = try await cluster.admin.screen(id, format: .text)
    #expect(screen == (82...90).map { "line \($0)\n" }.joined() + "\n")
    let more = try await cluster.admin.screen(id, format: .text, scrollback: 2)
    #expect(more == "line 80\nline 81\n" + screen)
    let all = try await cluster.admin.screen(id, format: .ansi, scrollback: .max)
    #expect(all.hasPrefix("\u{1B}[31mline 1\u{1B}[m\n\u{1B}[32mline 2\u{1B}[m\n"))
    #expect(all.split(separator: "\n", omittingEmptySubsequences: false).count == 92)
    let json = try await cluster.admin.screen(id, format: .json, scrollback: 3)
    let values = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
    #expect(values?["scrollback"] as? Int == 3)
    #expect((values?["lines"] as? [String])?.count == 13)
    let tail = try await cluster.admin.screen(id, format: .text, tail: 20)
    #expect(tail == (71...90).map { "line \($0)\n" }.joined())
    let tailed = try await cluster.admin.screen(id, format: .json, tail: 2)
    let last = try JSONSerialization.jsonObject(with: Data(tailed.utf8)) as? [String: Any]
    #expect(last?["lines"] as? [String] == ["line 89", "line 90"])
    try await cluster.admin.kill(id)
  }
}
