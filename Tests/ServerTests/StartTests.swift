// What keeps a server from starting is said in a line, with the exit code that scripts expect.

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

  @Test func aPortInUseIsSaidAndHarmsNobody() async throws {
    let first = try Fairlead.start(["serve", "--listen", "127.0.0.1:0"])
    let port = try port(in: try await first.line(with: "http://"))
    let (code, output) = try await Fairlead.run(["serve", "--listen", "127.0.0.1:\(port)"])
    #expect(code == 1, "\(output)")
    #expect(output.contains("\(port)"), "\(output)")
    #expect(output.lowercased().contains("in use"), "\(output)")
    #expect(await answers("http://127.0.0.1:\(port)/readyz"))
    first.signal(15)
    #expect(try await first.waitForExit() == 0)
  }
}
