// Sessions whose terminals a holder keeps outlive the process that serves them, killed or stopped: each byte passes
// once in both directions, and nobody sees a difference (promises P1, P2, P3).

import Client
import Foundation
import Judge
import TestSupport
import Testing
import Wire

@Suite(.serialized, .timeLimit(.minutes(5 * patience))) struct KeptSessionTests {
  @Test func outputAndInputAreExactHoweverOftenTheNodeIsKilled() async throws {
    let seed = SeededGenerator.announcedSeed()
    try await Fleet.kept(seed: seed, pause: 0.1...1) { fleet, servers in
      _ = await judge(fleet, seed, servers)
    }
  }

  @Test func outputAndInputAreExactHoweverOftenNodesOfAClusterAreKilled() async throws {
    let seed = SeededGenerator.announcedSeed()
    try await Fleet.keptCluster(.faithful, seed: seed, pause: 0.3...2) { fleet, nodes in
      _ = await judge(fleet, seed, nodes)
    }
  }

  /// Promise P10: a terminal that is gone is told to be, and nothing else is wrong.
  @Test func sessionsWhoseHolderIsKilledAreToldToBeLostAtOnce() async throws {
    let seed = SeededGenerator.announcedSeed()
    try await Fleet.kept(seed: seed, victim: .holder, pause: 0.2...1) { fleet, servers in
      let verdict = await judge(fleet, seed, servers)
      let slowest = try #require(verdict.slowestLoss(after: servers.flatMap(\.holderDeaths)))
      print("\(verdict.losses.count) clients were told of a loss, the last after \(slowest)")
      #expect(slowest < .seconds(3) * patience)
    }
  }

  private func judge(_ fleet: Fleet, _ seed: UInt64, _ processes: [KeptProcess]) async -> Verdict {
    var court = Court(fleet, seed: seed)
    court.atATime = 6
    let verdict = await court.sit { _ in processes.reduce(0) { $0 + $1.kills } >= 20 }
    let kills = processes.reduce(0) { $0 + $1.kills }
    #expect(
      verdict.differences.isEmpty, "\(verdict.differences)\n\(processes.flatMap(\.remarks))")
    print("\(kills) kills, \(verdict.sessions) sessions, \(verdict.resumed) resumed")
    return verdict
  }

  @Test func aProcessThatEndsWhileTheNodeIsAwayIsToldOf() async throws {
    try await withHeldServe { server in
      let go = server.directory + "/go"
      let viewer = try server.shell(
        "echo $$; while [ ! -e \(go) ]; do sleep 0.1; done; echo last; exit 5")
      try await viewer.until(ending: "\r\n")
      let pid = try #require(Int32(viewer.seen.text.filter(\.isNumber)))
      try await server.end()
      try Data().write(to: URL(fileURLWithPath: go))
      try await eventually("it has ended") { kill(pid, 0) != 0 }
      try await server.start()
      try await viewer.until("it is told") { $0.ended?.status == .exited(code: 5) }
      #expect(viewer.seen.text.hasSuffix("last\r\n"))
    }
  }

  @Test func aSizeThatWasChangedRightBeforeTheKillIsTheTerminals() async throws {
    try await withHeldServe { server in
      let viewer = try server.shell("while read x; do stty size; done")
      try await viewer.until("it is open") { !$0.opened.isEmpty }
      for columns in 90..<95 {
        viewer.terminal.resize(TerminalSize(columns: columns, rows: 30))
        try await server.end()
        try await server.start()
        try await eventually("its process sees the size") {
          viewer.type("\n")
          try await Task.sleep(for: .milliseconds(200))
          return viewer.seen.text.hasSuffix("30 \(columns)\r\n")
        }
        #expect(viewer.seen.sizes.last == TerminalSize(columns: columns, rows: 30))
      }
    }
  }

  @Test func aFullScreenProgramLooksTheSameAfterAKill() async throws {
    try await withHeldServe { server in
      let draw =
        #"printf '\033[?1049h\033[2J\033[5;20r\033[3;4H\033[1;31mred\033[0m\033[10;10Hmiddle\033[?25l'; "#
        + #"read x; printf '\033[?1049l'; exec cat"#
      let viewer = try server.shell("echo before; \(draw)")
      try await viewer.until("it is drawn") { $0.text.contains("middle") }
      let before = viewer.seen.text
      try await server.end()
      try await server.start()
      let late = try Viewer(server.url, session: viewer.terminal.session, mode: .watcher)
      try await late.until("it is drawn") { $0.text == before }
      viewer.type("\n")
      try await late.until("the screen before is back") { $0.text.contains("before") }
    }
  }

  @Test func aNodeThatIsStoppedLeavesItsSessionsToItsNextStart() async throws {
    try await withHeldServe { server in
      let viewer = try server.shell("echo $$; exec cat")
      try await viewer.until(ending: "\r\n")
      try await server.end(with: SIGTERM)
      try await server.start()
      let late = try Viewer(server.url, session: viewer.terminal.session)
      try await late.until("it is open") { !$0.opened.isEmpty }
      late.type("still here\n")
      try await late.until(ending: "still here\r\nstill here\r\n")
    }
  }

  @Test func anInterruptOvertakesAPasteAtAProgramThatDoesNotRead() async throws {
    try await withHeldServe { server in
      let viewer = try server.shell(
        #"trap "echo INT" INT; echo ready; while :; do sleep 0.1; done"#)
      try await viewer.until("it is ready") { $0.text.contains("ready") }
      // As much as may be under way, and more than a terminal holds.
      viewer.type(String(repeating: "echo no\n", count: 8_000))
      viewer.type("\u{3}")
      try await viewer.until(ending: "INT\r\n")
    }
  }

  @Test func aPasteThatIsUnderWayAtAKillIsNeitherLostNorDoubled() async throws {
    try await withHeldServe { server in
      let file = server.directory + "/pasted"
      let viewer = try server.shell(
        "stty raw -echo; echo ready; sleep 2; exec head -c 1000000 >\(file)")
      try await viewer.until("it is ready") { $0.text.contains("ready") }
      let pasted = (0..<125_000).map { String(format: "%07d\n", $0) }.joined()
      viewer.type(pasted)
      try await Task.sleep(for: .milliseconds(500))
      try await server.end()
      try await server.start()
      try await viewer.until("it has read all") { $0.ended != nil }
      let read = FileManager.default.contents(atPath: file) ?? Data()
      #expect(read == Data(pasted.utf8), "\(read.count) bytes")
    }
  }
}
