// How sessions end: by themselves, killed, unwilling, idle, with jobs left behind; and who is told
// (promise P10).

import Chaos
import Client
import Glibc
import Judge
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct EndTests {
  /// The router that remembers where the session was asks what became of it.
  @Test func whoComesTooLateIsToldThatItEnded() async throws {
    try await Fleet.serve(options: ["--keep-ended", "3s"]) { fleet in
      let driver = try Viewer(fleet.url, create: Creation(command: ["sh", "-c", "read x; exit 3"]))
      try await driver.until("it is open") { !$0.opened.isEmpty }
      driver.type("\n")
      try await driver.until("it is told") { $0.ended?.status == .exited(code: 3) }
      try await eventually("nothing is kept of it") {
        let late = try Viewer(fleet.url, session: driver.terminal.session)
        try await late.until("it is told") { $0.ended != nil || $0.closed != nil }
        #expect(late.seen.ended?.status == .exited(code: 3) || late.seen.closed == "gone")
        return late.seen.closed != nil
      }
    }
  }

  @Test func theExitStatusIsToldToWhoIsThereAndToWhoComesLate() async throws {
    try await Fleet.serve { fleet in
      let creation = Creation(command: [
        "sh", "-c", "echo working; read x; echo last words; exit 3",
      ])
      let driver = try Viewer(fleet.url, create: creation)
      try await driver.until("it works") { $0.text.contains("working") }
      let watcher = try Viewer(fleet.url, session: driver.terminal.session, mode: .watcher)
      try await watcher.until("it is open") { !$0.opened.isEmpty }
      driver.type("\n")
      for viewer in [driver, watcher] {
        try await viewer.until("it is told") { $0.ended?.status == .exited(code: 3) }
        #expect(viewer.seen.text.hasSuffix("last words\r\n"))
      }
      let late = try Viewer(fleet.url, session: driver.terminal.session)
      try await late.until("it is told, late") { $0.ended?.status == .exited(code: 3) }
      #expect(late.seen.text.hasSuffix("last words\r\n"))
    }
  }

  @Test func aProcessThatEndsWhileNobodyIsAttachedIsToldOfToo() async throws {
    try await Fleet.serve { fleet in
      let creation = Creation(command: ["sh", "-c", "echo $$; sleep 0.3; exit 5"])
      let first = try Viewer(fleet.url, create: creation)
      try await first.until(ending: "\r\n")
      let pid = try #require(Int32(first.seen.text.filter(\.isNumber)))
      try await first.close()
      try await eventually("it has ended") { kill(pid, 0) != 0 }
      let late = try Viewer(fleet.url, session: first.terminal.session)
      try await late.until("it is told, late") { $0.ended?.status == .exited(code: 5) }
    }
  }

  @Test func killEndsAProcessThatIgnoresHangupAndTheJobsItLeftBehind() async throws {
    try await Fleet.serve { fleet in
      let script = "trap '' HUP; sleep 1000 & echo $! $$; while :; do sleep 1; done"
      let viewer = try Viewer(fleet.url, create: Creation(command: ["sh", "-c", script]))
      try await viewer.until(ending: "\r\n")
      let pids = viewer.seen.text.split { !$0.isNumber }.compactMap { Int32($0) }
      #expect(pids.count == 2)
      viewer.terminal.kill()
      try await viewer.until("the end") {
        $0.ended?.reason == .killed && $0.ended?.status == .signalled(number: 9)
      }
      try await eventually("nothing is left") { pids.allSatisfy { kill($0, 0) != 0 } }
    }
  }

  @Test func anIdleSessionIsEndedAndASilentJobIsNot() async throws {
    try await Fleet.serve(options: ["--idle-timeout", "1s"]) { fleet in
      func start(_ command: String) async throws -> (SessionID, Int32) {
        let viewer = try Viewer(
          fleet.url, create: Creation(command: ["sh", "-i"], environment: ["PS1": "ready> "]))
        try await viewer.until(ending: "ready> ")
        viewer.type("echo pid=$$ ; \(command)\n")
        try await viewer.until("its pid") { $0.text.contains(/pid=\d+\r\n/) }
        let pid = viewer.seen.text.firstMatch(of: /pid=(\d+)\r\n/).flatMap { Int32($0.1) }
        try await viewer.close()
        return (viewer.terminal.session, try #require(pid))
      }
      let (_, busy) = try await start("sleep 1000")
      let (idle, pid) = try await start("true")
      try await eventually("the idle one is ended") { kill(pid, 0) != 0 }
      #expect(kill(busy, 0) == 0, "a silent job is not idle")
      let late = try Viewer(fleet.url, session: idle)
      try await late.until("why") { $0.ended?.reason == .idle }
    }
  }
}
