// What sessions and streams cost (promise P6). The figures are printed; docs/reliability.md quotes
// them.

import Chaos
import Client
import Foundation
import Judge
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(3 * patience)), .serialized) struct MemoryTests {
  /// Resident bytes of a process.
  private func resident(_ process: ChildProcess?) throws -> Int {
    let pid = try #require(process?.pid)
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    return (Int(line.filter(\.isNumber)) ?? 0) * 1024
  }

  private func idle(_ fleet: Fleet, _ count: Int) async throws {
    let command = ["sh", "-c", "echo ready; exec sleep 1000"]
    let viewers = try (0..<count).map { _ in
      try Viewer(fleet.url, create: Creation(command: command))
    }
    for viewer in viewers { try await viewer.until(ending: "ready\r\n") }
    for viewer in viewers { try await viewer.close() }
  }

  @Test func aThousandIdleSessionsAreCheap() async throws {
    try await Fleet.serve { fleet in
      try await idle(fleet, 50)
      let before = try resident(fleet.server)
      for _ in 0..<10 { try await idle(fleet, 100) }
      let each = (try resident(fleet.server) - before) / 1_000
      print("an idle session takes \(each) bytes of the node's memory")
      #expect(each < 64 * 1024)
    }
  }

  @Test func aSessionHoldsItsLogAndAStuckStreamItsWindow() async throws {
    try await Fleet.serve { fleet in
      try await idle(fleet, 5)
      let flood = Creation(command: [
        "sh", "-c", "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo done; exec sleep 1000",
      ])
      let before = try resident(fleet.server)
      var watchers: [Viewer] = []
      var stuck: [Viewer] = []
      for _ in 0..<10 {
        let watcher = try Viewer(fleet.url, create: flood)
        try await watcher.until("it is open") { !$0.opened.isEmpty }
        watchers.append(watcher)
        stuck.append(try Viewer(fleet.url, session: watcher.terminal.session, reads: false))
      }
      // A debug build's screens take in some megabytes a second.
      for watcher in watchers {
        try await watcher.until("the flood is over", atMost: .seconds(150)) {
          $0.text.hasSuffix("done\r\n")
        }
      }
      let each = (try resident(fleet.server) - before) / 10
      print("a session of 10 MB of output with a stuck and a live client takes \(each) bytes")
      // A log of 1 MiB; a window in the router and one in its socket; slack of the allocator.
      #expect(each < 4 * 1024 * 1024)
      for viewer in watchers + stuck { try await viewer.close() }
    }
  }

  @Test func whatSessionsHeldGoesBackOnceTheyAreForgotten() async throws {
    try await Fleet.serve(options: ["--keep-ended", "1s"]) { fleet in
      let flood = Creation(command: [
        "sh", "-c", "head -c 1200000 /dev/zero | tr '\\0' x; echo; echo done; exec sleep 1000",
      ])
      let viewers = try (0..<16).map { _ in try Viewer(fleet.url, create: flood) }
      for viewer in viewers {
        try await viewer.until("the flood is over", atMost: .seconds(150)) {
          $0.text.hasSuffix("done\r\n")
        }
      }
      let full = try resident(fleet.server)
      for viewer in viewers {
        viewer.terminal.kill()
        try await viewer.until("the end") { $0.ended != nil }
      }
      // Half of what their logs held, at least: 1 MiB each.
      try await eventually("it goes back", atMost: .seconds(60)) {
        try resident(fleet.server) < full - 8 * 1024 * 1024
      }
    }
  }
}
