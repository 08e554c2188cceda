// What only a container's pipe has to promise.

import Foundation
import HTTPClient
import NIOCore
import NIOPosix
import Pipes
import TestSupport
import Testing
import Transport
import Wire

@Suite("A pipe into a container", .timeLimit(.minutes(3 * patience))) struct DockerPipeTests {
  private func starter(
    _ endpoint: Address, scope: String = "test/\(UUID())", registry: String = "one"
  ) -> DockerStarter {
    let starter = DockerStarter(endpoint, scope: scope, logger: Backend.quiet)
    starter.enter(registry: registry)
    return starter
  }

  private func request(
    _ container: String, _ command: [String], as user: UserName? = nil
  ) -> PipeRequest {
    PipeRequest(
      session: .random(),
      creation: Creation(target: .docker(container: container), command: command, user: user),
      size: .standard)
  }

  private func error(
    of starter: DockerStarter, _ container: String, _ command: [String] = ["sh"]
  ) async throws -> PipeError {
    try await #require(throws: PipeError.self) {
      _ = try await RunningPipe.start(starter, request(container, command))
    }
  }

  // MARK: Targets and engines

  @Test("needs a container that exists and runs, and says so")
  func containers() async throws {
    let engine = try await requireDocker()
    let starter = starter(.unix(path: engine.socket))
    let missing = try await error(of: starter, "no-such-container")
    #expect(missing.code == .noTarget)
    #expect(missing.message.contains("no container no-such-container"))

    let name = "c-\(UUID())"
    try await engine.docker("create", "--name", name, "--network", "none", "local/base:1")
    let stopped = try await error(of: starter, name)
    #expect(stopped.code == .noTarget)
    #expect(stopped.message.contains("docker start \(name)"))

    try await engine.docker("start", name)
    try await engine.docker("pause", name)
    let paused = try await error(of: starter, name)
    #expect(paused.code == .noTarget)
    #expect(paused.message.contains("docker unpause \(name)"))
    try await engine.docker("unpause", name)

    let pipe = try await RunningPipe.start(starter, request(name, ["sh", "-c", "exit 3"]))
    #expect(try await pipe.end().status == .exited(code: 3))
    try await engine.docker("rm", "-f", name)
  }

  @Test("ends when its container does", arguments: ["stop", "rm"])
  func containerEnds(_ how: String) async throws {
    let engine = try await requireDocker()
    let name = "c-\(UUID())"
    try await engine.docker("run", "-d", "--name", name, "--network", "none", "local/base:1")
    let pipe = try await RunningPipe.start(
      starter(.unix(path: engine.socket)), request(name, ["sh", "-c", "echo up; sleep 600"]))
    try await pipe.wait(for: "up")
    if how == "stop" {
      try await engine.docker("kill", name)
    } else {
      try await engine.docker("rm", "-f", name)
    }
    try await pipe.end()
    if how == "stop" { try await engine.docker("rm", "-f", name) }
  }

  @Test("says how to reach an engine that cannot be reached")
  func unreachable() async throws {
    let places: [Address] = [
      .unix(path: "/tmp/no-engine-\(UUID())"), .tcp(host: "127.0.0.1", port: try freePort()),
    ]
    for endpoint in places {
      let error = try await error(of: starter(endpoint), "base")
      #expect(error.code == .unavailable)
      #expect(error.message.contains("\(endpoint)"))
      #expect(error.message.contains("--docker"))
      #expect(await !starter(endpoint).sweep())  // reports it, and is over
    }
  }

  @Test("does not mistake another server for an engine")
  func otherServer() async throws {
    for answer in [
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "SSH-2.0-OpenSSH_9.2\r\n", "",
      "HTTP/1.1 200 OK\r\nApi-Version: 1.12\r\nContent-Length: 0\r\n\r\n",
    ] {
      try await withServer(answering: answer) { port in
        let error = try await error(of: starter(.tcp(host: "127.0.0.1", port: port)), "base")
        #expect(error.code == .unavailable, "\(answer)")
      }
    }
  }

  @Test("reaches an engine over TCP as over its socket")
  func tcp() async throws {
    let relay = try await Relay.start(to: try await requireDocker().socket)
    let pipe = try await RunningPipe.start(
      starter(.tcp(host: "127.0.0.1", port: relay.port)),
      request("base", ["sh", "-c", "read x; echo got $x; exit 9"]))
    try await pipe.type("this\n")
    #expect(try await pipe.end().status == .exited(code: 9))
    #expect(try await pipe.text.contains("got this"))
    try await relay.stop()
  }

  // MARK: Ends (P10)

  @Test("whose connection is cut ends its process and says why")
  func cut() async throws {
    let relay = try await Relay.start(to: try await requireDocker().socket)
    let pipe = try await RunningPipe.start(
      starter(.tcp(host: "127.0.0.1", port: relay.port)),
      request("base", ["sh", "-c", "trap '' HUP; echo pid=$$; while :; do sleep 1; done"]))
    let pid = try await pipe.line(after: "pid=")
    try await relay.cut()
    let end = try await pipe.end()
    #expect(end.reason?.contains("connection") == true)
    try await eventually("its process has gone") { try await !Backend.docker.isAlive(pid) }
    try await relay.stop()
  }

  /// As an engine does that is restarted and leaves its containers alone: the process runs on.
  @Test("whose engine went away ends its process where it sees it, and says what it knows")
  func engineGone() async throws {
    let relay = try await Relay.start(to: try await requireDocker().socket)
    let pipe = try await RunningPipe.start(
      starter(.tcp(host: "127.0.0.1", port: relay.port)),
      request("base", ["sh", "-c", "echo pid=$$; exec sleep 600"]))
    let pid = try await pipe.line(after: "pid=")
    try await eventually("it is seen") { try await pipe.hasForegroundJob == true }
    try await relay.stop()
    let end = try await pipe.end()
    #expect(end.status == nil)
    #expect(end.reason?.contains("was lost") == true, "\(end)")
    #expect(end.reason?.contains("was ended") == true, "\(end)")
    try await eventually("its process has gone") { try await !Backend.docker.isAlive(pid) }
  }

  /// As a machine does whose disk is full of others' work.
  @Test("whose engine is held up tells how a killed process ended, once the engine goes on")
  func engineHeldUp() async throws {
    let relay = try await Relay.start(to: try await requireDocker().socket)
    let pipe = try await RunningPipe.start(
      starter(.tcp(host: "127.0.0.1", port: relay.port)),
      request("base", ["sh", "-c", "trap '' HUP; echo pid=$$; while :; do sleep 1; done"]))
    let pid = try await pipe.line(after: "pid=")
    try await eventually("it is seen") { try await pipe.hasForegroundJob == true }
    relay.holdUp(true)
    try await pipe.terminate()
    try await eventually("its process has gone") { try await !Backend.docker.isAlive(pid) }
    let connections = relay.connectionCount
    try await eventually("the engine is asked") { relay.connectionCount > connections }
    relay.holdUp(false)
    #expect(try await pipe.end().status == .exited(code: 137))
    try await relay.stop()
  }

  @Test("whose process it cannot see says that it may run on, and ends it once the engine is back")
  func engineBack() async throws {
    let socket = try await requireDocker().socket
    let relay = try await Relay.start(to: socket)
    let starter = DockerStarter(
      .tcp(host: "127.0.0.1", port: relay.port), scope: "test/\(UUID())", seesProcesses: false,
      logger: Backend.quiet)
    let pipe = try await RunningPipe.start(
      starter, request("base", ["sh", "-c", "trap '' HUP; echo pid=$$; while :; do sleep 1; done"]))
    let pid = try await pipe.line(after: "pid=")
    let port = relay.port
    try await relay.stop()
    let end = try await pipe.end()
    #expect(end.status == nil)
    #expect(end.reason?.contains("may still run") == true, "\(end)")
    #expect(try await Backend.docker.isAlive(pid))
    let again = try await Relay.start(to: socket, port: port)
    let attending = Task { await starter.attend() }
    try await eventually("its process has gone") { try await !Backend.docker.isAlive(pid) }
    attending.cancel()
    await attending.value
    try await again.stop()
  }

  @Test("is advertised only while its engine answers")
  func availability() async throws {
    let socket = try await requireDocker().socket
    let port = try freePort()
    let starter = starter(.tcp(host: "127.0.0.1", port: port))
    await starter.check()
    #expect(!starter.isAvailable)
    let relay = try await Relay.start(to: socket, port: port)
    await starter.check()
    #expect(starter.isAvailable)
    try await relay.stop()
    await starter.check()
    #expect(starter.isAvailable, "it may be late once")
    await starter.check()
    #expect(!starter.isAvailable)
  }

  @Test("asks to be tried again while its container restarts")
  func restarting() async throws {
    let engine = try await requireDocker()
    let name = "c-\(UUID())"
    try await engine.docker(
      "run", "-d", "--restart", "always", "--name", name, "--network", "none", "local/base:1",
      "false")
    let starter = starter(.unix(path: engine.socket))
    // The engine waits longer each time before it starts it again.
    try await eventually("it is between two starts", atMost: .seconds(60)) {
      do {
        let pipe = try await RunningPipe.start(starter, request(name, ["true"]))
        try await pipe.end()
      } catch let error as PipeError {
        guard error.code == .notNow else { return false }
        #expect(error.message.contains("restarting"), "\(error)")
        return true
      }
      return false
    }
    try await engine.docker("rm", "-f", name)
  }

  // MARK: Keys and locale

  /// The engine's filter for detaching holds back what may begin its sequence. It has to begin with
  /// something below 0x80, all of which can be typed.
  @Test("brings every key at once but one, which shows with the next")
  func keys() async throws {
    let pipe = try await Backend.docker.start(shell: "stty raw -echo; echo ready; exec cat")
    try await pipe.wait(for: "ready\n")
    var expected = try await pipe.output.count
    for byte in UInt8.min...UInt8.max where byte != 0 {
      try await pipe.type([byte])
      expected += 1
      try await pipe.wait(forBytes: expected)
    }
    try await pipe.type([0x1E, 0x1E, 0x1E])
    try await pipe.wait(forBytes: expected + 3)
    try await pipe.type([0])
    try await pipe.type([0x61])
    try await pipe.wait(forBytes: expected + 5)
    #expect(try await Array(pipe.output.suffix(2)) == [0, 0x61])
    try await pipe.terminate()
    try await pipe.end()
  }

  @Test("has a locale that knows more than ASCII, unless its container has one")
  func locale() async throws {
    let engine = try await requireDocker()
    let plain = try await Backend.docker.start(shell: "echo \"[$LANG]\"")
    try await plain.end()
    #expect(try await plain.text == "[C.UTF-8]\r\n")
    let name = "c-\(UUID())"
    try await engine.docker(
      "run", "-d", "--env", "LC_ALL=C", "--name", name, "--network", "none", "local/base:1")
    let own = try await RunningPipe.start(
      starter(.unix(path: engine.socket)), request(name, ["sh", "-c", "echo \"[$LANG][$LC_ALL]\""]))
    try await own.end()
    #expect(try await own.text == "[][C]\r\n")
    try await engine.docker("rm", "-f", name)
  }

  @Test("ends a process that cleared its environment, where it is seen")
  func clearedEnvironment() async throws {
    let pipe = try await Backend.docker.start(
      shell: "echo pid=$$; read x; exec env -i sleep 600")
    let pid = try await pipe.line(after: "pid=")
    try await eventually("it is seen") { try await pipe.hasForegroundJob != nil }
    try await pipe.type("\n")
    try await eventually("it has no mark any more") {
      try await Backend.docker.run("grep -q FAIRLEAD /proc/\(pid)/environ").code != 0
    }
    try await pipe.terminate()
    try await pipe.end()
    #expect(try await !Backend.docker.isAlive(pid))
  }

  @Test("reports a process as orphaned that it cannot find", .timeLimit(.minutes(patience)))
  func orphan() async throws {
    let pipe = try await Backend.remoteDocker.start(
      shell: "echo pid=$$; read x; exec env -i sleep 600")
    let pid = try await pipe.line(after: "pid=")
    try await pipe.type("\n")
    try await eventually("it has no mark any more") {
      try await Backend.docker.run("grep -q FAIRLEAD /proc/\(pid)/environ").code != 0
    }
    try await pipe.terminate()
    let end = try await pipe.end()
    #expect(end.status == nil)
    #expect(end.reason?.contains("may still run") == true)
    _ = try await Backend.docker.run("kill -9 \(pid)")
  }

  @Test("ends the processes of its own session only", arguments: [Backend.docker, .remoteDocker])
  func onlyItsOwn(_ backend: Backend) async throws {
    let other = try await backend.start(shell: "echo ready; read x; echo still here")
    try await other.wait(for: "ready")
    let pipe = try await backend.start(shell: "echo ready; sleep 600")
    try await pipe.wait(for: "ready")
    try await pipe.terminate()
    try await pipe.end()
    try await other.type("\n")
    try await other.wait(for: "still here")
    #expect(try await other.end().status == .exited(code: 0))
  }

  // MARK: Users

  @Test("runs as the user that is named, in whom it looks for its processes too")
  func users() async throws {
    let socket = try await requireDocker().socket
    let starter = DockerStarter(
      .unix(path: socket), scope: "test/\(UUID())", seesProcesses: false, logger: Backend.quiet)
    let user = try #require(UserName("1234"))
    let script = ["sh", "-c", "trap '' HUP; echo pid=$$; id -u; while :; do sleep 1; done"]
    let pipe = try await RunningPipe.start(starter, request("base", script, as: user))
    let pid = try await pipe.line(after: "pid=")
    try await pipe.wait(for: "1234")
    try await pipe.terminate()
    let end = try await pipe.end()
    #expect(end.status != nil, "\(end)")
    #expect(try await !Backend.docker.isAlive(pid))
    let missing = try await #require(throws: PipeError.self) {
      _ = try await RunningPipe.start(
        starter, request("base", ["true"], as: UserName("no-such-user")))
    }
    #expect(missing.message.contains("no-such-user"), "\(missing)")
  }

  @Test("A sweep ends what was left as another user")
  func sweepOfUsers() async throws {
    let socket = try await requireDocker().socket
    let scope = "test/\(UUID())"
    func starter() -> DockerStarter {
      DockerStarter(.unix(path: socket), scope: scope, seesProcesses: false, logger: Backend.quiet)
    }
    let left = try await RunningPipe.start(
      starter(),
      request(
        "base", ["sh", "-c", "trap '' HUP; echo pid=$$; while :; do sleep 1; done"],
        as: UserName("1234")))
    let pid = try await left.line(after: "pid=")
    await starter().sweep()
    try await left.end()
    #expect(try await !Backend.docker.isAlive(pid))
  }

  // MARK: What earlier incarnations left

  @Test("A sweep ends what a dead incarnation left, and leaves the living alone")
  func sweep() async throws {
    let endpoint = Address.unix(path: try await requireDocker().socket)
    let scope = "test/\(UUID())"
    let script = ["sh", "-c", "trap '' HUP; sleep 600 & echo pid=$$; while :; do sleep 1; done"]
    let living = starter(endpoint, scope: scope)
    let kept = try await RunningPipe.start(living, request("base", script))
    let keptPid = try await kept.line(after: "pid=")
    let stranger = try await RunningPipe.start(starter(endpoint), request("base", script))
    let strangerPid = try await stranger.line(after: "pid=")
    // The incarnation dies with the last of its starter; its process is left.
    let left = try await RunningPipe.start(
      starter(endpoint, scope: scope), request("base", script))
    let leftPid = try await left.line(after: "pid=")

    // A node of this name, of a cluster of this name, but another one.
    await starter(endpoint, scope: scope, registry: "other").sweep()
    #expect(try await Backend.docker.isAlive(leftPid))

    await starter(endpoint, scope: scope).sweep()
    try await left.end()
    #expect(try await !Backend.docker.isAlive(leftPid))
    #expect(try await Backend.docker.isAlive(keptPid))
    #expect(try await Backend.docker.isAlive(strangerPid))
    for pipe in [kept, stranger] {
      try await pipe.terminate()
      try await pipe.end()
    }
    await living.shutdown()
  }

  /// The newest container is swept first.
  @Test("A container that cannot be asked holds up no other, and is swept once it can be")
  func sweepBesideAPausedContainer() async throws {
    let engine = try await requireDocker()
    let scope = "test/\(UUID())"
    func starter() -> DockerStarter {
      DockerStarter(
        .unix(path: engine.socket), scope: scope, seesProcesses: false, logger: Backend.quiet)
    }
    let name = "c-\(UUID())"
    try await engine.docker("run", "-d", "--name", name, "--network", "none", "local/base:1")
    let script = ["sh", "-c", "trap '' HUP; echo pid=$$; while :; do sleep 1; done"]
    let stuck = try await RunningPipe.start(starter(), request(name, script))
    _ = try await stuck.line(after: "pid=")
    let left = try await RunningPipe.start(starter(), request("base", script))
    let pid = try await left.line(after: "pid=")
    try await engine.docker("pause", name)
    let later = starter()
    let attending = Task { await later.attend() }
    try await left.end()
    #expect(try await !Backend.docker.isAlive(pid))
    try await engine.docker("unpause", name)
    try await stuck.end()
    attending.cancel()
    await attending.value
    try await engine.docker("rm", "-f", name)
  }

  /// An engine that was restarted since does not know them any more.
  @Test("A sweep ends what it sees on this machine though the engine does not answer")
  func sweepWithoutEngine() async throws {
    let endpoint = Address.unix(path: try await requireDocker().socket)
    let scope = "test/\(UUID())"
    let script = ["sh", "-c", "trap '' HUP; echo pid=$$; while :; do sleep 1; done"]
    let living = starter(endpoint, scope: scope)
    let kept = try await RunningPipe.start(living, request("base", script))
    let keptPid = try await kept.line(after: "pid=")
    let left = try await RunningPipe.start(starter(endpoint, scope: scope), request("base", script))
    let leftPid = try await left.line(after: "pid=")
    let blind = starter(.unix(path: "/tmp/no-engine-\(UUID())"), scope: scope)
    #expect(await !blind.sweep())
    try await left.end()
    #expect(try await !Backend.docker.isAlive(leftPid))
    #expect(try await Backend.docker.isAlive(keptPid))
    try await kept.terminate()
    try await kept.end()
    await living.shutdown()
  }
}
