// What keeps a server from starting is said in a line, with the exit code that scripts expect (promise P10).

import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(patience))) struct StartTests {
  @Test(
    "a flag that cannot be is named, and the exit code is 64",
    arguments: [
      ["serve", "--no-such-flag"], ["serve", "--listen", "nowhere"],
      ["serve", "--listen", "127.0.0.1:99999"], ["serve", "--capacity", "many"],
      ["serve", "--idle-timeout", "soon"], ["serve", "--allow-origin", "example.com"],
      ["node", "--id", "a b", "--redis", "redis://127.0.0.1:1"], ["router", "--redis", "http://x"],
      ["no-such-command"],
    ])
  func flags(arguments: [String]) async throws {
    let (code, output) = try await Fairlead.run(arguments)
    #expect(code == 64, "\(output)")
    #expect(output.contains("Error: "), "\(output)")
    #expect(!output.contains("Fatal"), "\(output)")
  }

  /// Started while the one before it leaves: its port and its files are waited for.
  @Test func aServeTakesOverFromTheOneThatLeaves() async throws {
    let home = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-home-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: home) }
    let port = try freePort()
    func serve() throws -> ChildProcess {
      try Fairlead.start(
        ["serve", "--listen", "127.0.0.1:\(port)"], environment: ["XDG_RUNTIME_DIR": home])
    }
    func registry(of process: ChildProcess) async throws -> Substring {
      let line = try await process.line(with: "node has registered")
      return try #require(line.firstMatch(of: /registry=([\w-]+)/)).1
    }
    let first = try serve()
    let name = try await registry(of: first)
    _ = try await first.line(with: "http://")
    let second = try serve()
    _ = try await second.line(with: "the address is in use")
    first.signal(SIGTERM)
    _ = try await second.line(with: "http://")
    #expect(try await registry(of: second) == name)
    #expect(!second.output.contains("signing in holds"), "\(second.output)")
    #expect(try await first.waitForExit() == 0)
    // Who is ended while it waits has done nothing.
    let third = try serve()
    _ = try await third.line(with: "the address is in use")
    third.signal(SIGTERM)
    #expect(try await third.waitForExit() == 0, "\(third.output)")
    second.signal(SIGTERM)
    #expect(try await second.waitForExit() == 0)
  }

  @Test func aPortInUseIsSaidAndHarmsNobody() async throws {
    let first = try Fairlead.start(["serve", "--listen", "127.0.0.1:0"])
    let port = try port(in: try await first.line(with: "http://"))
    let (code, output) = try await Fairlead.run(["serve", "--listen", "127.0.0.1:\(port)"])
    #expect(code == 1, "\(output)")
    #expect(output.contains("\(port)"), "\(output)")
    #expect(output.contains("in use by another process"), "\(output)")
    #expect(!output.contains("signing in"), "nothing is said of what did not begin: \(output)")
    #expect(await answers("http://127.0.0.1:\(port)/readyz"))
    first.signal(15)
    #expect(try await first.waitForExit() == 0)
  }
}
