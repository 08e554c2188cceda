// `fairlead hold`: what holds terminals is a service of its own, which the node finds, waits for, and does not replace
// (promise P11).

import Client
import Foundation
import Judge
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct HoldTests {
  private func withDirectory(_ body: (String) async throws -> Void) async throws {
    let directory =
      FileManager.default.temporaryDirectory.path + "/hold-\(UUID().uuidString.prefix(8))"
    var failure: (any Error)?
    do { try await body(directory) } catch { failure = error }
    for holder in KeptProcess.holders(in: directory) { kill(holder, SIGKILL) }
    try? FileManager.default.removeItem(atPath: directory)
    if let failure { throw failure }
  }

  private func serve(_ port: Int, in directory: String) throws -> ChildProcess {
    try Fairlead.start(
      [
        "serve", "--no-auth", "--listen", "127.0.0.1:\(port)", "--holder", "require",
        "--state-directory", directory,
      ])
  }

  @Test func aServiceHoldsTerminalsWhileTheirServerIsReplaced() async throws {
    try await withDirectory { directory in
      let service = try Fairlead.start(["hold", "--state-directory", directory])
      _ = try await service.line(with: "ready")
      let port = try freePort()
      let first = try serve(port, in: directory)
      _ = try await first.line(with: "serves on")
      #expect(first.output.contains("found=true"))
      let viewer = try Viewer(
        "http://127.0.0.1:\(port)", create: Creation(command: ["sh", "-c", "echo $$; exec cat"]))
      try await viewer.until(ending: "\r\n")
      let shell = try #require(Int32(viewer.seen.text.filter(\.isNumber)))
      first.signal(SIGKILL)
      try await first.waitForExit()
      let second = try serve(port, in: directory)
      _ = try await second.line(with: "serves on")
      viewer.type("still here\n")
      try await viewer.until(ending: "still here\r\nstill here\r\n")
      // Its end is that of its terminals.
      service.signal(SIGTERM)
      try await eventually("the shell is gone") { kill(shell, 0) != 0 }
      try await viewer.until("it is told") { $0.ended != nil || $0.closed != nil }
    }
  }

  @Test func aServerWaitsForTheServiceAndStartsNoneInItsPlace() async throws {
    try await withDirectory { directory in
      let before = try Fairlead.start(["hold", "--state-directory", directory])
      _ = try await before.line(with: "ready")
      before.signal(SIGTERM)
      try await before.waitForExit()
      let server = try serve(try freePort(), in: directory)
      _ = try await server.line(with: "waiting for the service that holds terminals")
      #expect(KeptProcess.holders(in: directory).isEmpty)
      let detached = try Fairlead.start(["hold", "--state-directory", directory, "--detach"])
      #expect(try await detached.waitForExit() == 0)
      _ = try await server.line(with: "serves on")
      // The key is the one of before, though another process made it.
      let again = try Fairlead.start(["hold", "--state-directory", directory])
      #expect(try await again.waitForExit() == 75, "another holder listens there")
    }
  }

  @Test func aDirectoryHasToBeNamed() async throws {
    let (code, output) = try await Fairlead.run(["hold", "--state-directory", "here"])
    #expect(code == 64 && output.contains("absolute path"))
  }
}
