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
  // MARK: This machine

  /// A shell would read the answer as typed.
  @Test func aQueryThatNobodyAnsweredForLongIsNeverAnswered() async throws {
    try await withHeldServe { server in
      let files = server.directory
      let viewer = try server.shell(
        """
        stty raw -echo; echo ready; while [ ! -e \(files)/go ]; do sleep 0.1; done
        printf '\\033[c'; touch \(files)/asked; head -c 3 >\(files)/typed; echo done; sleep 600
        """)
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
    let hung: HungDirectory
    do { hung = try await HungDirectory.make() } catch { try Test.cancel("\(error)") }
    defer { hung.remove() }
    try await withHeldServe { server in
      let typist = try server.shell("exec cat")
      try await typist.goesOn("before")
      let late = try server.shell("pwd", directory: hung.path)
      var rounds = 0
      try await eventually("it is refused") {
        rounds += 1
        try await typist.goesOn("line \(rounds)")
        return late.seen.closed != nil
      }
      #expect(late.seen.closed == "start_failed")
      #expect(rounds > 1, "others type meanwhile")
    }
  }

  /// An end that was accepted comes, whoever is there when its holder goes on (promise P10).
  @Test func whatWasKilledWhileItsHolderStoodStillEndsAtTheNextStart() async throws {
    try await withHeldServe { server in
      let (viewer, pid) = try await countedCat(on: server.url)
      let holders = server.holders
      #expect(!holders.isEmpty)
      for holder in holders { kill(holder, SIGSTOP) }
      defer { for holder in holders { kill(holder, SIGCONT) } }
      let killed = try await Fairlead.run(
        ["kill", viewer.terminal.session.rawValue, "--api", server.url])
      #expect(killed.code == 0, "\(killed.output)")
      try await server.end()
      // It serves before the holder has answered, or after it.
      try await server.start(waits: false)
      _ = try await server.process.line(with: "node starts", atMost: .seconds(60))
      for holder in holders { kill(holder, SIGCONT) }
      try await viewer.until("it is told", atMost: .seconds(60)) {
        $0.ended != nil || $0.closed != nil
      }
      #expect(viewer.seen.ended?.reason == .killed)
      #expect(kill(pid, 0) != 0, "its process has ended")
      try await eventually("nothing is left to be done") {
        try FileManager.default.contentsOfDirectory(atPath: server.directory + "/endings").isEmpty
      }
    }
  }

  /// The screens of those that run come first: of the others nobody waits for the next line.
  @Test func whatRunsIsThereBeforeWhatHasEnded() async throws {
    try await withHeldServe(options: ["--loops", "1"]) { server in
      var ended: [SessionID] = []
      for _ in 0..<6 {
        let viewer = try server.shell("head -c 300000 /dev/zero | tr '\\0' x; printf '\\nover\\n'")
        try await viewer.until("it has ended") { $0.ended != nil }
        ended.append(viewer.terminal.session)
        try await viewer.close()
      }
      let (viewer, _) = try await countedCat(on: server.url)
      try await server.end()
      try await server.start()
      try await viewer.goesOn("after")
      // One that somebody asks for meanwhile waits for nobody.
      let late = try Viewer(server.url, session: ended[0])
      try await late.until("its last screen is there") { $0.text.contains("over") }
      func started() -> [String] {
        server.process.output.split(separator: "\n").filter { $0.contains("session goes on") }
          .map(String.init)
      }
      try await eventually("all are there again") { started().count == ended.count + 1 }
      let first = try #require(started().first)
      #expect(first.contains("session=\(viewer.terminal.session)"), "\(first)")
    }
  }

  /// Promise P10.
  @Test func whoLooksAtATerminalWhoseHolderStandsStillIsToldSo() async throws {
    try await withHeldServe { server in
      let viewer = try server.shell("exec cat")
      try await viewer.goesOn("before")
      let holders = server.holders
      for holder in holders { kill(holder, SIGSTOP) }
      defer { for holder in holders { kill(holder, SIGCONT) } }
      try await viewer.until("it is told") {
        $0.stalls == ["the process that holds this terminal does not answer"]
      }
      let late = try Viewer(server.url, session: viewer.terminal.session)
      try await late.until("so is who comes then") { $0.stalls.count == 1 }
      let listed = try await Fairlead.run(["sessions", "--api", server.url])
      #expect(listed.output.contains("running,stalled"), "\(listed.output)")
      for holder in holders { kill(holder, SIGCONT) }
      try await viewer.until("it goes on") { $0.stalls.last == "" && $0.stalls.count == 2 }
      try await viewer.goesOn("after")
    }
  }

  // MARK: Containers

  private func docker(_ engine: DockerEngine) -> [String] {
    ["--docker", "unix://\(engine.socket)"]
  }

  @Test func anEngineThatHangsHoldsUpItsOwnSessionsAlone() async throws {
    try await withContainer { engine, name in
      let relay = try await Relay.start(to: engine.socket)
      try await withHeldServe(options: ["--docker", "tcp://127.0.0.1:\(relay.port)"]) { server in
        let here = try server.shell("exec cat")
        let there = try server.shell("exec cat", in: name)
        try await here.goesOn("here")
        try await there.goesOn("there")
        relay.holdUp(true)
        try await server.end()
        try await server.start()
        try await here.goesOn("still here")
        there.type("meanwhile\n")
        relay.holdUp(false)
        try await there.until(ending: "meanwhile\r\nmeanwhile\r\n")
        #expect(there.seen.ended == nil && there.seen.closed == nil)
      }
      try await relay.stop()
    }
  }

  @Test func aSessionInAContainerThatTakesNoMoreProcessesGoesOnOnceItDoes() async throws {
    try await withContainer(["--pids-limit", "24"]) { engine, name in
      try await withHeldServe(options: docker(engine)) { server in
        let typist = try server.shell("exec cat", in: name)
        try await typist.goesOn("before")
        let filler = try server.shell(
          "i=0; while [ $i -lt 40 ]; do sleep 12 & i=$((i+1)); done", in: name)
        try await filler.until("it is full") { $0.text.contains("temporarily unavailable") }
        try await server.end()
        try await server.start()
        try await typist.goesOn("after")
      }
    }
  }

  @Test func theSessionsOfAContainerThatIsRemovedAreLost() async throws {
    try await withContainer { engine, name in
      try await withHeldServe(options: docker(engine)) { server in
        let here = try server.shell("exec cat")
        let watched = try server.shell("exec cat", in: name)
        try await watched.goesOn("before")
        // Once with the node there, once while it is away.
        try await server.end()
        try await engine.docker("rm", "-f", name)
        try await server.start()
        try await watched.until("it is told") { $0.ended != nil || $0.closed != nil }
        try await here.goesOn("here")
      }
    }
  }

  @Test func whatIsKilledForItsMemoryTakesNobodyWithIt() async throws {
    try await withContainer(["--memory", "96m", "--memory-swap", "96m"]) { engine, name in
      try await withHeldServe(options: docker(engine)) { server in
        let typist = try server.shell("exec cat", in: name)
        try await typist.goesOn("before")
        let glutton = try server.shell("exec tail /dev/zero", in: name)
        try await glutton.until("it is killed") { $0.ended != nil || $0.closed != nil }
        #expect(glutton.seen.ended?.reason != .lost)
        try await typist.goesOn("after")
        try await server.end()
        try await server.start()
        try await typist.goesOn("after a kill")
      }
    }
  }
}
