// A new version of the holder's program takes new terminals; an old one's go on, whatever is upgraded around them, and it
// ends with the last of them (promise P11).

import Client
import Foundation
import Glibc
import Judge
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(5 * patience))) struct HolderUpgradeTests {
  /// The only holder that there is becomes one of another version: its folder is called as that would be.
  private func age(_ server: KeptProcess) throws {
    let state = URL(filePath: server.directory)
    let names = try FileManager.default.contentsOfDirectory(atPath: state.path)
    let own = try #require(names.first { $0.hasPrefix("holder-") })
    try FileManager.default.moveItem(
      at: state.appending(path: own), to: state.appending(path: "holder-0000older"))
  }

  private func holder(of pid: Int32) throws -> Int32 {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("PPid:") })
    return try #require(Int32(line.filter(\.isNumber)))
  }

  @Test func anOldHolderKeepsItsTerminalsAndANewOneTakesTheNext() async throws {
    try await withHeldServe { server in
      let (old, oldPID) = try await countedCat(on: server.url)
      let oldHolder = try holder(of: oldPID)
      try await server.end(with: SIGTERM)
      try age(server)
      try await server.start()
      let (new, newPID) = try await countedCat(on: server.url)
      #expect(try holder(of: newPID) != oldHolder)
      #expect(try holder(of: oldPID) == oldHolder)
      old.type("old\n")
      try await old.until(ending: "old\r\nold\r\n")
      new.type("new\n")
      try await new.until(ending: "new\r\nnew\r\n")
      // A kill brings both back.
      try await server.end()
      try await server.start()
      for viewer in [old, new] {
        viewer.type("again\n")
        try await viewer.until(ending: "again\r\nagain\r\n")
      }
      // What an operator ends is of both.
      try await server.end(with: SIGTERM)
      let ended = try await Fairlead.run([
        "kill", "--all", "--state-directory", server.directory, "--yes",
      ])
      #expect(ended.output.contains("2 of 2 terminals"), "\(ended.output)")
      #expect(Glibc.kill(oldPID, 0) != 0 && Glibc.kill(newPID, 0) != 0)
    }
  }

  @Test func whatADeadHolderOfAnotherVersionLeftIsRemoved() async throws {
    try await withHeldServe { server in
      let (viewer, _) = try await countedCat(on: server.url)
      try await server.end()
      try await server.killHolder()
      try age(server)
      try await server.start()
      try await viewer.until("it is told to be lost") { $0.closed == "lost" }
      let names = try FileManager.default.contentsOfDirectory(atPath: server.directory)
      #expect(!names.contains("holder-0000older"), "\(names)")
    }
  }
}
