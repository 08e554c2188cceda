// What else may happen to a session that a holder has: a query that nobody was there to answer, a directory that does not
// answer, an engine that hangs, a container that takes no more processes, or that is removed (promises P3, P10, P11).

import Client
import Foundation
import Judge
import Pipes
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(5 * patience))) struct KeptScenarioTests {
  private func kept(
    options: [String] = [], _ body: (KeptProcess) async throws -> Void
  ) async throws {
    let server = try await KeptProcess.serve(options: options)
    do { try await body(server) } catch {
      print(server.process.output)
      try? await server.remove()
      throw error
    }
    try await server.remove()
  }

  private func shell(
    _ script: String, _ server: KeptProcess, in container: String? = nil, directory: String? = nil
  ) throws -> Viewer {
    try Viewer(
      server.url,
      create: Creation(
        target: container.map { .docker(container: $0) } ?? .pty, command: ["sh", "-c", script],
        workingDirectory: directory))
  }

  /// Types a line, which `cat` and its terminal both show.
  private func goesOn(_ viewer: Viewer, _ line: String) async throws {
    viewer.type("\(line)\n")
    try await viewer.until(ending: "\(line)\r\n\(line)\r\n")
  }

  // MARK: This machine

  /// A shell would read the answer as typed.
  @Test func aQueryThatNobodyAnsweredForLongIsNeverAnswered() async throws {
    try await kept { server in
      let files = server.directory
      let viewer = try shell(
        """
        stty raw -echo; echo ready; while [ ! -e \(files)/go ]; do sleep 0.1; done
        printf '\\033[c'; touch \(files)/asked; head -c 3 >\(files)/typed; echo done; sleep 600
        """, server)
      try await viewer.until("it is ready") { $0.text.contains("ready") }
      try await server.end()
      try Data().write(to: URL(filePath: files + "/go"))
      try await eventually("it has asked") {
        FileManager.default.fileExists(atPath: files + "/asked")
      }
      // So long a program may wait for its answer.
      try await Task.sleep(for: .milliseconds(2_500))
      try await server.start()
      viewer.type("abc")
      try await viewer.until("it has read") { $0.text.contains("done") }
      #expect(FileManager.default.contents(atPath: files + "/typed") == Data("abc".utf8))
    }
  }

  /// As a network's file system does whose server has gone.
  @Test func aDirectoryThatDoesNotAnswerHoldsUpNobodyElse() async throws {
    let server = try await KeptProcess.serve()
    let hung: HungDirectory
    do { hung = try await HungDirectory.make() } catch {
      try await server.remove()
      try Test.cancel("\(error)")
    }
    do {
      let typist = try shell("exec cat", server)
      try await goesOn(typist, "before")
      let late = try shell("pwd", server, directory: hung.path)
      var rounds = 0
      try await eventually("it is refused") {
        rounds += 1
        try await goesOn(typist, "line \(rounds)")
        return late.seen.closed != nil
      }
      #expect(late.seen.closed == "start_failed")
      #expect(rounds > 1, "others type meanwhile")
    } catch {
      await hung.remove()
      try? await server.remove()
      throw error
    }
    await hung.remove()
    try await server.remove()
  }

  // MARK: Containers

  private func container(
    _ options: [String] = [], _ body: (DockerEngine, String) async throws -> Void
  ) async throws {
    let engine = try await DockerEngine.shared { try Test.cancel("\($0)") }
    let name = "scene-\(UUID().uuidString.prefix(8).lowercased())"
    try await engine.docker(
      arguments: ["run", "-d", "--init", "--network", "none", "--name", name] + options
        + ["local/base:1", "sleep", "100000"])
    do { try await body(engine, name) } catch {
      _ = try? await engine.docker("rm", "-f", name)
      throw error
    }
    _ = try? await engine.docker("rm", "-f", name)
  }

  private func docker(_ engine: DockerEngine) -> [String] {
    ["--docker", "unix://\(engine.socket)"]
  }

  @Test func anEngineThatHangsHoldsUpItsOwnSessionsAlone() async throws {
    try await container { engine, name in
      let relay = try await Relay.start(to: engine.socket)
      try await kept(options: ["--docker", "tcp://127.0.0.1:\(relay.port)"]) { server in
        let here = try shell("exec cat", server)
        let there = try shell("exec cat", server, in: name)
        try await goesOn(here, "here")
        try await goesOn(there, "there")
        relay.holdUp(true)
        try await server.end()
        try await server.start()
        try await goesOn(here, "still here")
        there.type("meanwhile\n")
        relay.holdUp(false)
        try await there.until(ending: "meanwhile\r\nmeanwhile\r\n")
        #expect(there.seen.ended == nil && there.seen.closed == nil)
      }
      try await relay.stop()
    }
  }

  @Test func aSessionInAContainerThatTakesNoMoreProcessesGoesOnOnceItDoes() async throws {
    try await container(["--pids-limit", "24"]) { engine, name in
      try await kept(options: docker(engine)) { server in
        let typist = try shell("exec cat", server, in: name)
        try await goesOn(typist, "before")
        let filler = try shell(
          "i=0; while [ $i -lt 40 ]; do sleep 12 & i=$((i+1)); done 2>/dev/null; echo full; wait",
          server,
          in: name)
        try await filler.until("it is full") { $0.shown > 0 || $0.ended != nil }
        try await server.end()
        try await server.start()
        try await goesOn(typist, "after")
      }
    }
  }

  @Test func theSessionsOfAContainerThatIsRemovedAreLost() async throws {
    try await container { engine, name in
      try await kept(options: docker(engine)) { server in
        let here = try shell("exec cat", server)
        let watched = try shell("exec cat", server, in: name)
        try await goesOn(watched, "before")
        // Once with the node there, once while it is away.
        try await server.end()
        try await engine.docker("rm", "-f", name)
        try await server.start()
        try await watched.until("it is told") { $0.ended != nil || $0.closed != nil }
        try await goesOn(here, "here")
      }
    }
  }

  @Test func whatIsKilledForItsMemoryTakesNobodyWithIt() async throws {
    try await container(["--memory", "96m", "--memory-swap", "96m"]) { engine, name in
      try await kept(options: docker(engine)) { server in
        let typist = try shell("exec cat", server, in: name)
        try await goesOn(typist, "before")
        let glutton = try shell("exec tail /dev/zero", server, in: name)
        try await glutton.until("it is killed") { $0.ended != nil || $0.closed != nil }
        #expect(glutton.seen.ended?.reason != .lost)
        try await goesOn(typist, "after")
        try await server.end()
        try await server.start()
        try await goesOn(typist, "after a kill")
      }
    }
  }
}
