// Sessions in containers of podman, which speaks Docker's API, are held as those of a Docker engine are (promises P1, P2,
// P3, P10). Skipped where podman is not installed.

import Client
import Foundation
import Judge
import Pipes
import TestSupport
import Testing
import Wire

@Suite(.serialized, .timeLimit(.minutes(5 * patience))) struct PodmanTests {
  private func kept(
    _ options: [String] = [], mode: String = "require",
    _ body: (DockerEngine, String, KeptProcess) async throws -> Void
  ) async throws {
    try await withContainer(options, onPodman: true) { engine, name in
      try await withHeldServe(
        options: ["--docker", "unix://\(engine.socket)", "--holder", mode]
      ) { server in try await body(engine, name, server) }
    }
  }

  @Test(arguments: KeptContainerTests.kinds)
  func aSessionGoesOnInEveryKindOfContainer(_ options: [String]) async throws {
    try await kept(options) { engine, name, server in
      let viewer = try server.shell("echo $$; exec cat", in: name)
      try await viewer.until(ending: "\r\n")
      try await viewer.goesOnOverStarts(of: server)
      let processes = try await engine.docker("top", name)
      #expect(
        processes.split(separator: "\n").filter { $0.contains("fairlead-holder serve") }.count == 1,
        "\(processes)")
    }
  }

  @Test(arguments: ["require", "off"])
  func anExitStatusIsTold(_ mode: String) async throws {
    try await kept(mode: mode) { _, name, server in
      let viewer = try server.shell("stty size; read line; echo got $line; exit 7", in: name)
      try await viewer.until("it has started") { $0.text.contains("\r\n") }
      viewer.type("this\r")
      try await viewer.until("it has ended") { $0.ended != nil }
      #expect(viewer.seen.text.contains("got this"))
      #expect(viewer.seen.ended?.status == .exited(code: 7))
    }
  }

  @Test func whatDoesNotStartIsRefused() async throws {
    try await kept { _, name, server in
      let viewer = try server.program("/no-such-program", in: name)
      try await viewer.until("it is refused") { $0.closed != nil }
      #expect(viewer.seen.closed == "start_failed")
    }
  }

  /// Podman lists no container that is paused unless it is told to.
  @Test func aPausedContainersSessionsWait() async throws {
    try await kept { engine, name, server in
      let viewer = try server.shell("echo $$; exec cat", in: name)
      try await viewer.until(ending: "\r\n")
      try await engine.docker("pause", name)
      try await server.end()
      try await server.start()
      // A session that is to start there is refused at once, and not when it goes on.
      let late = try server.program("/bin/cat", in: name)
      try await late.until("it is refused") { $0.closed != nil }
      try await engine.docker("unpause", name)
      try await viewer.goesOn("after the pause")
    }
  }

  @Test func aSessionGoesOnWhenPodmansServiceIsKilled() async throws {
    try await kept { engine, name, server in
      let viewer = try server.shell("echo $$; exec cat", in: name)
      try await viewer.goesOn("before")
      try engine.killService()
      try await viewer.goesOn("after")
      #expect(viewer.seen.ended == nil && viewer.seen.closed == nil)
    }
  }

  @Test func anIdleSessionIsEndedAndAContainersEndIsTold() async throws {
    try await kept { engine, name, server in
      let idle = try Viewer(
        server.url,
        create: Creation(target: .docker(container: name), command: ["sh"], idle: .seconds(3)))
      try await idle.until("it prompts") { $0.text.contains("#") }
      idle.terminal.close()
      try await eventually("the idle one is ended", atMost: .seconds(60)) {
        try await Fairlead.run(["sessions", "--api", server.url]).output.contains("ended:idle")
      }
      let other = try server.shell("echo $$; exec cat", in: name)
      try await other.until(ending: "\r\n")
      try await engine.docker("kill", name)
      try await other.until("it has ended") { $0.ended != nil || $0.closed != nil }
    }
  }
}
