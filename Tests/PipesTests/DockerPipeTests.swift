// What only a container's pipe has to promise.

import Foundation
import HTTPClient
import NIOCore
import NIOPosix
import Pipes
import TestSupport
import Testing
import Wire

@Suite("A pipe into a container", .timeLimit(.minutes(3 * patience))) struct DockerPipeTests {
  private func starter(
    _ endpoint: HTTPEndpoint, scope: String = "test/\(UUID())", registry: String = "one"
  ) -> DockerStarter {
    let starter = DockerStarter(endpoint, scope: scope, logger: Backend.quiet)
    starter.enter(registry: registry)
    return starter
  }

  private func request(_ container: String, _ command: [String]) -> PipeRequest {
    PipeRequest(
      session: .random(),
      creation: Creation(target: .docker(container: container), command: command),
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
    let places: [HTTPEndpoint] = [
      .unix(path: "/tmp/no-engine-\(UUID())"), .tcp(host: "127.0.0.1", port: try freePort()),
    ]
    for endpoint in places {
      let error = try await error(of: starter(endpoint), "base")
      #expect(error.code == .unavailable)
      #expect(error.message.contains("\(endpoint)"))
      #expect(error.message.contains("--docker"))
      await starter(endpoint).sweep()  // reports it, and is over
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

  @Test("whose engine went away ends, and says that it does not know more")
  func engineGone() async throws {
    let relay = try await Relay.start(to: try await requireDocker().socket)
    let pipe = try await RunningPipe.start(
      starter(.tcp(host: "127.0.0.1", port: relay.port)),
      request("base", ["sh", "-c", "echo pid=$$; exec sleep 600"]))
    let pid = try await pipe.line(after: "pid=")
    try await relay.stop()
    let end = try await pipe.end()
    #expect(end.status == nil)
    #expect(end.reason?.contains("not known") == true)
    _ = try await Backend.docker.run("kill -9 \(pid)")
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

  // MARK: What earlier incarnations left

  @Test("A sweep ends what a dead incarnation left, and leaves the living alone")
  func sweep() async throws {
    let endpoint = HTTPEndpoint.unix(path: try await requireDocker().socket)
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
}
