// What each kind of pipes says of itself holds for users: names become no paths (promise P9), options are checked
// before anything is started, and what a node announces it can do.

import NIOCore
import Pipes
import Testing
import Wire

@Suite struct PipeKindsTests {
  private let kinds = PipeKinds.standard

  private func problem(_ values: [String: String]) -> String? {
    var options = PipeOptions()
    for (name, value) in values { options[name] = value }
    return kinds.problem(with: options)
  }

  @Test(arguments: ["pty", "docker:ab", "docker:0a_b.c-d"])
  func aTargetIsOneOfItsKind(text: String) throws {
    #expect(kinds.targets.knows(try #require(Target(text))))
  }

  @Test(
    "a container's name cannot become a path, an option or a host",
    arguments: [
      "pty:", "pty:x", "docker", "docker:", "docker:a", "docker:_a", "docker:.a", "docker:-a",
      "docker:../x", "docker:a/b", "docker:a%2fb", "docker:a:b",
      "docker:" + String(repeating: "a", count: 129), "ssh:host",
    ])
  func badTargets(text: String) { #expect(!kinds.targets.knows(Target(unchecked: text))) }

  @Test func theKindsAreTheirNames() {
    #expect(kinds.targets.form == "pty, or docker:CONTAINER")
    let names = kinds.all.map(\.target.name) + kinds.options.map { "--\($0.name)" }
    #expect(Set(names).count == names.count)
    for kind in kinds.all {
      #expect(Target(kind.target.name)?.kind == kind.target.name)
      #expect(kind.target.form.split(separator: ":").first.map(String.init) == kind.target.name)
    }
  }

  @Test(
    arguments: [
      (["docker": "http://x"], "--docker is unix:///PATH or tcp://HOST:PORT"),
      (["docker-cert": "a"], "--docker-cert and --docker-key belong together"),
      (["docker-cert": "a", "docker-key": "b"], "--docker-cert needs --docker-ca"),
      (["pty-user": "no such"], "--pty-user: this machine has no user no such"),
      (["pty-users": "root,no such"], "--pty-users"),
    ] as [([String: String], String)])
  func whatIsWrongWithAnOptionIsSaid(values: [String: String], words: String) throws {
    #expect(try #require(problem(values)).hasPrefix(words))
  }

  @Test func whatIsGivenRightlyIsNoProblem() {
    #expect(problem([:]) == nil)
    #expect(problem(["docker": "unix:///var/run/docker.sock"]) == nil)
    #expect(problem(["docker-ca": "a", "docker-cert": "b", "docker-key": "c"]) == nil)
  }

  /// Its sessions are for other nodes until its backend answers.
  @Test func aKindWhoseBackendIsAwayIsNotAnnounced() {
    struct Away: PipeStarter {
      let isAvailable = false
      func start(_ request: PipeRequest, on eventLoop: any EventLoop)
        -> EventLoopFuture<NIOLoopBound<any Pipe>>
      {
        eventLoop.makeFailedFuture(PipeError(.unavailable, "it is away"))
      }
    }
    let starters = PipeStarters([
      (.pty, PTYStarter(environment: [:])), (.docker, Away()),
    ])
    #expect(starters.labels(beside: ["docker": "true", "a": "b"]) == ["pty": "true", "a": "b"])
    #expect(
      starters.labels(beside: ["pty": "false"]) == ["pty": "false"], "an operator's goes first")
    #expect(
      starters.starter(for: .pty) != nil && starters.starter(for: Target(unchecked: "pty:x")) == nil
    )
  }
}
