// `fairlead kill --all`: what an operator ends, with a server or without one, is ended, and nothing else is (promise
// P10).

import Foundation
import Judge
import TestSupport
import Testing
import Wire

@Suite(.serialized, .timeLimit(.minutes(3 * patience))) struct KillAllTests {
  /// Shells that run until they are ended.
  private func shells(_ count: Int, on url: String) async throws -> [(viewer: Viewer, pid: Int32)] {
    var shells: [(Viewer, Int32)] = []
    for _ in 0..<count {
      shells.append(try await countedCat(on: url))
    }
    return shells
  }

  private func kill(_ more: String...) async throws -> (code: Int, output: String) {
    try await Fairlead.run(["kill", "--all"] + more)
  }

  @Test func allThatRunAreEndedAndNobodyIsAskedTwice() async throws {
    try await withHeldServe { server in
      let shells = try await shells(3, on: server.url)
      let unasked = try await kill("--api", server.url)
      #expect(unasked.code == 64 && unasked.output.contains("--yes to end 3 sessions"))
      #expect(shells.allSatisfy { Glibc.kill($0.pid, 0) == 0 }, "nobody has said yes")
      let killed = try await kill("--api", server.url, "--yes")
      #expect(killed.code == 0 && killed.output.contains("3 sessions are being ended"))
      for shell in shells {
        try await shell.viewer.until("it is told") { $0.ended?.reason == .killed }
      }
      let again = try await kill("--api", server.url, "--yes")
      #expect(again.code == 0 && again.output.contains("no session runs"))
    }
  }

  @Test func whatAStoppedServerLeftIsEndedThroughItsHolder() async throws {
    try await withHeldServe { server in
      let shells = try await shells(2, on: server.url)
      let directory = ["--state-directory", server.directory]
      let refused = try await kill(directory[0], directory[1], "--yes")
      #expect(refused.code != 0 && refused.output.contains("stop it first"), "it runs")
      try await server.end(with: SIGTERM)
      #expect(server.process.output.contains("2 terminals go on"))
      #expect(server.process.output.contains("fairlead kill --all"))
      let killed = try await kill(directory[0], directory[1], "--yes")
      #expect(killed.code == 0 && killed.output.contains("2 of 2 terminals"), "\(killed.output)")
      #expect(shells.allSatisfy { Glibc.kill($0.pid, 0) != 0 })
      // Its next start knows how they ended.
      try await server.start()
      for shell in shells {
        try await shell.viewer.until("it is told") { $0.ended != nil }
        #expect(shell.viewer.seen.ended?.reason != .lost)
      }
    }
  }

  @Test func theHolderOfAServeThatDoesNotRunIsFoundByItsPort() async throws {
    let port = try freePort()
    // As users start it.
    let usual = ["FAIRLEAD_HOLDER": ""]
    let server = try Fairlead.start(
      ["serve", "--listen", "127.0.0.1:\(port)", "--no-auth"], environment: usual)
    _ = try await server.line(with: "serves on")
    let url = "http://127.0.0.1:\(port)"
    let shell = try await shells(1, on: url)[0]
    // What was seen of it is no way to it.
    #expect(try await Fairlead.run(["nodes", "--api", url]).code == 0)
    server.signal(SIGKILL)
    try await server.waitForExit()
    // It looks for nothing on another machine, or on another port.
    #expect(try await kill("--api", "http://127.0.0.1:\(try freePort())", "--yes").code != 0)
    #expect(Glibc.kill(shell.pid, 0) == 0)
    let killed = try await kill("--api", url, "--yes")
    #expect(killed.code == 0 && killed.output.contains("1 of 1 terminal held"), "\(killed.output)")
    #expect(Glibc.kill(shell.pid, 0) != 0)
    let place = try #require(killed.output.split(separator: " ").first { $0.hasPrefix("/") })
    // It ends by itself a minute after who used it last.
    for pid in KeptProcess.holders(in: String(place)) { Glibc.kill(pid, SIGKILL) }
    try FileManager.default.removeItem(atPath: String(place))
    // On a port that its next start will not have, nobody would find them.
    let other = try Fairlead.start(
      ["serve", "--listen", "127.0.0.1:0", "--no-auth"], environment: usual)
    _ = try await other.line(with: "serves on")
    #expect(!other.output.contains("terminals are held"))
    #expect(server.output.contains("terminals are held"))
  }
}
