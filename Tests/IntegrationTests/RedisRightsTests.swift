// The user of Redis with the least rights that docs/operations.md gives is enough for all that Fairlead does, and less
// is said to be too little (promise P9).

import Foundation
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(4 * patience))) struct RedisRightsTests {
  /// The words of the page's line for an ACL file that begin so, with this password.
  private func user(_ beginning: String, password: String) throws -> [String] {
    let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "docs/operations.md")
    let lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
    let line = try #require(
      lines.first { $0.trimmingCharacters(in: .whitespaces).hasPrefix(beginning) })
    return line.replacing("PASSWORD", with: password).split(separator: " ").dropFirst()
      .map(String.init)
  }

  private func denied(_ port: Int) async throws -> String {
    try await redisCLI(port, ["ACL", "LOG"])
  }

  /// All that an operator does.
  private func exercise(_ ground: RedisGround) async throws {
    #expect(try await ground.run("new", "--session", "s", "--detached", "--", "cat").code == 0)
    #expect(try await ground.run("new", "--session", "t", "--detached", "--", "true").code == 0)
    for words in [
      ["nodes"], ["routers"], ["sessions"], ["where", "s"], ["explain", "s"], ["doctor"],
      ["events"], ["check", "redis"], ["drain", "a"], ["drain", "a", "--undo"],
      ["kill", "s"],
    ] {
      let (code, output) = try await Fairlead.run(words + ground.front.options)
      #expect(code == 0, "\(words): \(output)")
      #expect(!output.contains("NOPERM"), "\(words): \(output)")
    }
    ground.nodes[1].process.signal(SIGTERM)
    try await ground.nodes[1].process.waitForExit()
    for process in ground.nodes.map(\.process) + [ground.router.process] {
      #expect(!process.output.contains("NOPERM"), "\(process.output)")
      #expect(!process.output.contains("allow INFO"), "\(process.output)")
    }
  }

  @Test func theUserOfTheOperatorsPageIsEnough() async throws {
    let redis = try await RedisServer.start()
    let rights = try user("user fairlead ", password: "pw")
    #expect(try await redisCLI(redis.port, ["ACL", "SETUSER"] + rights) == "OK")
    try await RedisGround.with("redis://fairlead:pw@127.0.0.1:\(redis.port)") { ground in
      try await exercise(ground)
      #expect(try await denied(redis.port) == "", "nothing was denied")
    }
  }

  @Test func itIsEnoughWithSentinelsToo() async throws {
    let redis = try await SentinelRedis.start()
    let rights = try user("user fairlead ", password: "pw")
    for server in redis.servers {
      #expect(try await redisCLI(server.port, ["ACL", "SETUSER"] + rights) == "OK")
    }
    let watching = try user("user fairlead-sentinel ", password: "sw")
    for sentinel in redis.sentinels {
      #expect(try await redisCLI(sentinel.port, ["ACL", "SETUSER"] + watching) == "OK")
    }
    let url = redis.url(
      login: "fairlead:pw@", query: "?sentinel-user=fairlead-sentinel&sentinel-password=sw")
    try await RedisGround.with(url) { ground in
      let ids = try await ground.create(1, "s")
      try await redis.failOver()
      try await ground.takesNewSessions()
      try await ground.checkWhole(ids)
      for port in (redis.servers + redis.sentinels).map(\.port) {
        #expect(try await denied(port) == "", "nothing was denied")
      }
    }
  }

  @Test func itIsEnoughInARedisClusterToo() async throws {
    let redis = try await ClusterRedis.start()
    let rights = try user("user fairlead ", password: "pw")
    for server in redis.servers {
      #expect(try await redisCLI(server.port, ["ACL", "SETUSER"] + rights) == "OK")
    }
    try await RedisGround.with(redis.url(login: "fairlead:pw@")) { ground in
      try await exercise(ground)
      for server in redis.servers { #expect(try await denied(server.port) == "") }
    }
  }

  @Test func aRightThatIsMissingIsNamed() async throws {
    let redis = try await RedisServer.start()
    let rights = try user("user fairlead ", password: "pw").filter { $0 != "+evalsha" }
    #expect(try await redisCLI(redis.port, ["ACL", "SETUSER"] + rights) == "OK")
    let node = try Fairlead.start([
      "node", "--id", "n", "--redis", "redis://fairlead:pw@127.0.0.1:\(redis.port)", "--listen",
      "127.0.0.1:0",
    ])
    #expect(try await node.waitForExit() != 0)
    #expect(
      node.output.contains("evalsha") && node.output.contains("docs/operations.md"),
      "\(node.output)")
  }
}
