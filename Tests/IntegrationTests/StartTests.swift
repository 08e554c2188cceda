// Starting wrongly: each mistake has an error that says what to do, and an exit code (promise P10).

import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2 * patience))) struct StartTests {
  @Test(arguments: [
    (["node", "--listen", "nonsense"], "--listen"),
    (["node", "--weight", "0"], "--weight"),
    (["node", "--listen", "0.0.0.0:7080"], "--advertise"),
    (["node", "--redis", "http://h"], "redis://"),
    (["router", "--redis", "redis://h:port"], "port"),
    (["router", "--cluster", "no spaces"], "--cluster"),
    // With --api, since it is asked first which of the `serve` that may run here is meant.
    (["nodes", "--api", "http://127.0.0.1:1", "--redis", "redis://h/x"], "database"),
    (["router", "--nonsense"], "--nonsense"),
  ]) func misuseIsExplainedAndExits64(arguments: [String], word: String) async throws {
    let (code, output) = try await Fairlead.run(arguments)
    #expect(code == 64)
    #expect(output.contains(word), "\(output)")
  }

  @Test func aPortInUseIsNamed() async throws {
    let redis = try await RedisServer.start()
    let first = try await TestRouter.start("r", redis: redis.url)
    let taken = "127.0.0.1:\(first.port)"
    let waiting = try [["router", "--drain-delay", "0"], ["node"]].map {
      try Fairlead.start($0 + ["--id", "second", "--redis", redis.url, "--listen", taken])
    }
    for process in waiting {
      #expect(try await process.waitForExit() == 1)
      let output = process.output
      #expect(output.ranges(of: "waiting for who has it").count == 1, "\(output)")
      #expect(output.contains("\(taken) is in use by another process"), "\(output)")
    }
    #expect(await answers(first.url + "/readyz"), "who had it is not disturbed")
  }

  /// Promise P10: a router that leaves has its port for its `--drain-delay`; the next one waits for it.
  @Test func aRouterTakesOverFromTheOneThatLeaves() async throws {
    let redis = try await RedisServer.start()
    let first = try await TestRouter.start("r", redis: redis.url, ["--drain-delay", "2s"])
    first.process.signal(SIGTERM)
    _ = try await first.process.line(with: "not ready")
    let next = try Fairlead.start([
      "router", "--redis", redis.url, "--listen", "127.0.0.1:\(first.port)",
    ])
    _ = try await next.line(with: "the address is in use")
    _ = try await next.line(with: "serves on")
    #expect(try await first.process.waitForExit() == 0)
    for role in ["router", "node"] {
      let another = try Fairlead.start(
        [role, "--redis", redis.url, "--listen", "127.0.0.1:\(first.port)"])
      _ = try await another.line(with: "the address is in use")
      another.signal(SIGTERM)
      #expect(try await another.waitForExit() == 0, "\(another.output)")
    }
    next.signal(SIGTERM)
    #expect(try await next.waitForExit() == 0)
  }

  /// Promise P10: a node that is started while another process has its port waits for that one to leave.
  @Test func aNodeTakesOverFromTheOneThatLeaves() async throws {
    let redis = try await RedisServer.start()
    let address = "127.0.0.1:\(try freePort())"
    let first = try Fairlead.start(
      ["node", "--id", "a", "--redis", redis.url, "--listen", address])
    _ = try await first.line(with: "takes links on \(address)")
    let next = try Fairlead.start(
      ["node", "--id", "b", "--redis", redis.url, "--listen", address])
    _ = try await next.line(with: "the address is in use")
    first.signal(SIGTERM)
    #expect(try await first.waitForExit() == 0)
    _ = try await next.line(with: "takes links on \(address)")
    let router = try await TestRouter.start("r", redis: redis.url)
    let made = try await Fairlead.run(["new", "--api", router.url, "--", "echo", "taken over"])
    #expect(made.code == 0 && made.output.contains("taken over"), "\(made.output)")
    next.signal(SIGTERM)
    #expect(try await next.waitForExit() == 0)
  }

  @Test func aNodeWithoutARedisGivesUpAndSaysWhy() async throws {
    let port = try freePort()
    let (code, output) = try await Fairlead.run(
      ["node", "--id", "n", "--redis", "redis://127.0.0.1:\(port)", "--listen", "127.0.0.1:0"])
    #expect(code == 1)
    #expect(output.contains("trying again"))
    #expect(output.contains("cannot register node n"))
    #expect(output.contains("Connection refused"), "\(output)")
  }

  @Test func aWrongPasswordIsSaidAtOnce() async throws {
    let redis = try await RedisServer.start(["--requirepass", "right"])
    let wrong = "redis://:mistaken@127.0.0.1:\(redis.port)"
    for role in ["node", "router"] {
      let (code, output) = try await Fairlead.run(
        [role, "--redis", wrong, "--listen", "127.0.0.1:0"])
      #expect(code == 1)
      #expect(output.contains("WRONGPASS") && !output.contains("trying again"), "\(output)")
      #expect(!output.contains("mistaken"), "a password is never shown")
    }
  }

  @Test func aPasswordMayStandInAFile() async throws {
    let redis = try await RedisServer.start(["--requirepass", "a@b/c:d"])
    let file = FileManager.default.temporaryDirectory.path + "/fl-password-\(UUID())"
    try "a@b/c:d\n".write(toFile: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: file) }
    let node = try await TestNode.start(
      "n", redis: redis.url, ["--redis-password-file", file])
    #expect(node.process.isRunning)
    let (code, output) = try await Fairlead.run([
      "node", "--redis", redis.url, "--redis-password-file", file + "-none", "--listen",
      "127.0.0.1:0",
    ])
    #expect(code == 64)
    #expect(output.contains("--redis-password-file"), "\(output)")
  }

  /// Promise P5: a router may start before its Redis.
  @Test func aRouterIsReadyWhenItsRedisIs() async throws {
    let port = try freePort()
    let router = try await TestRouter.start("r", redis: "redis://127.0.0.1:\(port)")
    #expect(await answers(router.url + "/livez"))
    #expect(await !answers(router.url + "/readyz"))
    let redis = try await RedisServer.start(port: port)
    try await eventually("it is ready") { await answers(router.url + "/readyz") }
    try await redis.stop()
  }

  @Test func aNodeWaitsForARedisThatStartsWithIt() async throws {
    let port = try freePort()
    let process = try Fairlead.start([
      "node", "--id", "n", "--redis", "redis://127.0.0.1:\(port)", "--listen", "127.0.0.1:0",
    ])
    _ = try await process.line(with: "trying again")
    let redis = try await RedisServer.start(port: port)
    _ = try await process.line(with: "takes links on")
    withExtendedLifetime(redis) {}
  }

  @Test func aSecondNodeOfTheSameNameIsRefused() async throws {
    let redis = try await RedisServer.start()
    let first = try await TestNode.start("twin", redis: redis.url)
    let (code, output) = try await Fairlead.run(
      ["node", "--id", "twin", "--redis", redis.url, "--listen", "127.0.0.1:0"])
    #expect(code == 1)
    #expect(output.contains("another process runs as node twin"), "\(output)")
    #expect(first.process.isRunning)
  }

  @Test func aNodeThatWasKilledIsStartedAtOnce() async throws {
    let redis = try await RedisServer.start()
    let first = try await TestNode.start("a", redis: redis.url)
    first.process.signal(SIGKILL)
    let second = try await TestNode.start("a", redis: redis.url)
    #expect(second.process.output.contains("waiting for it"), "\(second.process.output)")
    let third = try Fairlead.start(
      ["node", "--id", "a", "--redis", redis.url, "--listen", "127.0.0.1:0"])
    third.signal(SIGTERM)
    try await third.waitForExit()
    second.process.signal(SIGTERM)
    #expect(try await second.process.waitForExit() == 0)
    for word in ["node starts", "node has registered", "node shuts down", "node has left"] {
      #expect(second.process.output.contains(word), "\(word): \(second.process.output)")
    }
  }

  /// What one `serve` left in containers is the next one's to end, and nobody else's.
  @Test func aServeIsTheSameRegistryAtEachStartOnItsPort() async throws {
    let home = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-home-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: home) }
    func serve(_ host: String, _ port: Int) async throws -> (ChildProcess, String) {
      let process = try Fairlead.start(
        ["serve", "--listen", "\(host):\(port)"], environment: ["XDG_RUNTIME_DIR": home])
      _ = try await process.line(with: "fairlead serves on")
      let line = try await process.line(with: "node has registered")
      return (process, try #require(line.firstMatch(of: /registry=([\w-]+)/)).1.description)
    }
    let port = try freePort()
    let (first, name) = try await serve("127.0.0.1", port)
    let (beside, other) = try await serve("127.0.0.2", port)
    #expect(other != name)
    first.signal(SIGKILL)
    try await first.waitForExit()
    let (again, same) = try await serve("127.0.0.1", port)
    #expect(same == name)
    withExtendedLifetime((beside, again)) {}
  }

  @Test func anOperatorCanAskRedisWhenNoRouterAnswers() async throws {
    let redis = try await RedisServer.start()
    let node = try await TestNode.start("a", redis: redis.url)
    let router = try await TestRouter.start("r", redis: redis.url)
    let created = try await Fairlead.run(
      ["new", "--session", "build-42", "--detached", "--api", router.url, "--", "sleep", "600"])
    #expect(created.code == 0, "\(created.output)")
    router.process.signal(SIGTERM)
    try await router.process.waitForExit()
    let straight = ["--api", router.url, "--redis", redis.url]
    for (command, words) in [
      (["nodes"], ["a", "live"]), (["sessions"], ["build-42", "a", "running"]),
      (["where", "build-42"], ["owned by a"]), (["where", "no-such"], ["does not exist", "a"]),
    ] {
      let (code, output) = try await Fairlead.run(command + straight)
      #expect(code == 0, "\(output)")
      for word in words { #expect(output.contains(word), "\(command): \(output)") }
    }
    #expect(node.process.isRunning)
  }
}
