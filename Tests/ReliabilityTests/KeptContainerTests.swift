// Sessions in containers that a holder there keeps outlive the process that serves them, as those of this machine do
// (promises P1, P2, P3); wherever a holder can be put, and where it cannot, that is said.

import Client
import Foundation
import Judge
import Pipes
import TestSupport
import Testing
import Wire

@Suite(.serialized, .timeLimit(.minutes(5 * patience))) struct KeptContainerTests {
  /// In which a holder can be put below the root, or by a shell elsewhere.
  static let kinds: [[String]] = [
    [], ["--user", "1234:1234", "--cap-drop", "ALL"],
    ["--read-only", "--tmpfs", "/tmp:exec"],
    ["--user", "1234:1234", "--read-only", "--tmpfs", "/tmp:exec,mode=1777"],
  ]

  private func kept(
    _ engine: DockerEngine, mode: String = "require", _ body: (KeptProcess) async throws -> Void
  ) async throws {
    try await withHeldServe(
      options: ["--docker", "unix://\(engine.socket)", "--holder", mode], body)
  }

  @Test func outputAndInputAreExactHoweverOftenTheNodeIsKilled() async throws {
    _ = try await DockerEngine.shared { try Test.cancel("\($0)") }
    let seed = SeededGenerator.announcedSeed()
    try await Fleet.withDocker { options, target in
      try await Fleet.kept(seed: seed, pause: 0.5...2, options: options, target: target) {
        fleet, servers in
        var court = Court(fleet, seed: seed)
        court.atATime = 6
        let verdict = await court.sit { _ in servers[0].kills >= 20 }
        #expect(verdict.differences.isEmpty, "\(verdict.differences)\n\(servers[0].remarks)")
        print("\(servers[0].kills) kills, \(verdict.sessions) sessions, \(verdict.resumed) resumed")
      }
    }
  }

  /// Of busybox alone, as Alpine is, and with bash and glibc.
  @Test(arguments: kinds, ["busybox", "base"])
  func aSessionGoesOnInEveryKindOfContainer(_ options: [String], _ image: String) async throws {
    try await withContainer(options, of: image) { engine, name in
      try await kept(engine) { server in
        let viewer = try server.shell("echo $$; exec cat", in: name)
        try await viewer.until(ending: "\r\n")
        try await viewer.goesOnOverStarts(of: server)
        // One holder for the container, however often its node started.
        let processes = try await engine.docker("top", name, "-eo", "pid,args")
        #expect(
          processes.split(separator: "\n").filter { $0.contains("fairlead-holder serve") }.count
            == 1)
      }
    }
  }

  /// One static program is all that is in it.
  @Test(arguments: [[], ["--user", "1234:1234", "--cap-drop", "ALL"]])
  func aSessionGoesOnWhereThereIsNoShell(_ options: [String]) async throws {
    try await withContainer(["--interactive"] + options, of: "scratch", command: ["/cat"]) {
      engine, name in
      try await kept(engine) { server in
        let viewer = try server.program("/cat", in: name)
        try await viewer.goesOn("before")
        try await viewer.goesOnOverStarts(of: server)
      }
    }
  }

  @Test func whereThereIsNoShellAndNothingCanBePutASessionIsStartedWithout() async throws {
    let options = ["--interactive", "--read-only", "--tmpfs", "/tmp:exec"]
    try await withContainer(options, of: "scratch", command: ["/cat"]) { engine, name in
      try await kept(engine, mode: "auto") { server in
        try await server.program("/cat", in: name).goesOn("unheld")
        #expect(server.process.output.contains("no holder can be had there"))
      }
    }
  }

  @Test func itsEnvironmentAndFolderAreThoseOfAnExec() async throws {
    try await withContainer(["--env", "GIVEN=by the container", "--workdir", "/tmp"]) {
      engine, name in
      try await kept(engine) { server in
        let viewer = try server.shell(
          "echo \"$GIVEN|$PWD|$HOME|$TERM|$FAIRLEAD_SESSION\"", in: name)
        try await viewer.until("it has ended") { $0.ended != nil }
        let session = viewer.terminal.session
        #expect(viewer.seen.text == "by the container|/tmp|/root|xterm-256color|\(session)\r\n")
      }
    }
  }

  @Test func whatDoesNotStartSaysWhy() async throws {
    try await withContainer { engine, name in
      try await kept(engine) { server in
        let viewer = try Viewer(
          server.url,
          create: Creation(target: .docker(container: name), command: ["no-such-program"]))
        try await viewer.until("it is refused") { $0.closed != nil }
        #expect(viewer.seen.closed == "start_failed")
      }
    }
  }

  @Test func aStoppedContainersSessionsAreLostAtOnce() async throws {
    try await withContainer { engine, name in
      try await kept(engine) { server in
        let viewer = try server.shell("echo $$; exec cat", in: name)
        try await viewer.until(ending: "\r\n")
        try await engine.docker("kill", name)
        try await viewer.until("it has ended") { $0.ended != nil || $0.closed != nil }
      }
    }
  }

  @Test func aPausedContainersSessionsWait() async throws {
    try await withContainer { engine, name in
      try await kept(engine) { server in
        let viewer = try server.shell("echo $$; exec cat", in: name)
        try await viewer.until(ending: "\r\n")
        try await engine.docker("pause", name)
        try await server.end()
        try await server.start()
        try await engine.docker("unpause", name)
        try await viewer.goesOn("after the pause")
      }
    }
  }

  @Test func whereNoHolderCanBeHadASessionIsStartedWithoutAndThatIsSaid() async throws {
    // Nothing can be written there.
    try await withContainer(["--read-only"]) { engine, name in
      try await kept(engine, mode: "auto") { server in
        let viewer = try server.shell("exec cat", in: name)
        try await viewer.goesOn("unheld")
        #expect(server.process.output.contains("no holder can be had there"))
      }
      try await kept(engine, mode: "require") { server in
        let viewer = try server.shell("exec cat", in: name)
        try await viewer.until("it is refused") { $0.closed != nil }
      }
    }
  }
}
