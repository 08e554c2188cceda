// A cluster that is not as it should be is told to be so, and mended; what happened can be read afterwards; and what
// operators wish of a node holds.

import Foundation
import Logging
import NIOPosix
import Redis
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(4 * patience))) struct DoctorTests {
  private struct Cluster {
    let folder: TemporaryFolder
    let redis: RedisServer
    var nodes: [TestNode]
    let router: TestRouter

    static func start() async throws -> Cluster {
      let redis = try await RedisServer.start()
      let node = try await TestNode.start("a", redis: redis.url)
      let router = try await TestRouter.start("r", redis: redis.url)
      return Cluster(folder: try TemporaryFolder(), redis: redis, nodes: [node], router: router)
    }

    func run(_ words: String...) async throws -> (code: Int, output: String) {
      try await Fairlead.run(
        words,
        environment: [
          "FAIRLEAD_API": router.url, "HOME": folder.path, "XDG_RUNTIME_DIR": folder.path,
        ])
    }
  }

  @Test func aGhostIsFoundAndOnlyMendedIfThatIsAskedFor() async throws {
    let cluster = try await Cluster.start()
    #expect(try await cluster.run("new", "--session", "s", "--detached", "--", "cat").code == 0)
    let well = try await cluster.run("doctor")
    #expect(well.code == 0 && well.output.contains("1 records and 1 sessions agree"), "\(well)")
    #expect(well.output.contains("in Redis at 127.0.0.1:\(cluster.redis.port)"), "\(well)")
    // The record of another session, as if its node had it.
    let client = RedisClient(
      try RedisEndpoint(cluster.redis.url), on: MultiThreadedEventLoopGroup.singleton.next(),
      logger: Logger(label: "test"))
    let record = try await client.send(["HGETALL", "{fl}:s:s"]).array?.compactMap(\.string) ?? []
    _ = try await client.send(["HSET", "{fl}:s:ghost"] + record)
    let owner = try await client.send(["HGET", "{fl}:owned", "s"]).string ?? ""
    _ = try await client.send(["HSET", "{fl}:owned", "ghost", owner])
    await client.shutdown()
    for words in [["doctor"], ["doctor", "--dry-run"]] {
      let (code, output) = try await Fairlead.run(words + ["--api", cluster.router.url])
      #expect(code == 1, "\(output)")
      #expect(output.contains("ghost  a     ghost    -       its record names node a"), "\(output)")
    }
    let mended = try await cluster.run("doctor", "--repair", "-o", "json")
    #expect(mended.code == 0 && mended.output.contains(#""isRepaired" : true"#), "\(mended)")
    #expect(try await cluster.run("doctor").code == 0)
    #expect(try await cluster.run("session", "s").code == 0, "what is well stays")
    let events = try await cluster.run("events", "--what", "repair,lost", "-o", "json")
    #expect(events.code == 0, "\(events)")
    let lines = events.output.split(separator: "\n")
    #expect(
      lines.count == 2 && lines.allSatisfy { $0.contains(#""session":"ghost""#) }, "\(events)")
  }

  @Test func aCordonedNodeIsPassedOverAndWhatHappenedCanBeRead() async throws {
    var cluster = try await Cluster.start()
    cluster.nodes.append(try await TestNode.start("b", redis: cluster.redis.url))
    try await eventually("it is said to have joined") {
      try await cluster.run("events", "--since", "1h").output.contains("  node b has joined")
    }
    let cordoned = try await cluster.run("cordon", "a")
    #expect(cordoned.code == 0 && cordoned.output.contains("until: fairlead uncordon a"))
    let nodes = try await cluster.run("nodes", "--state", "cordoned", "-o", "name")
    #expect(nodes.output == "a\n", "\(nodes)")
    for number in 0..<4 {
      let made = try await cluster.run("new", "--session", "n\(number)", "--detached", "--", "cat")
      #expect(made.code == 0, "\(made)")
    }
    let on = try await cluster.run("sessions", "--node", "b", "-o", "name")
    #expect(on.output == "n0\nn1\nn2\nn3\n", "\(on)")
    #expect(try await cluster.run("check", "cluster").code == 1)
    #expect(try await cluster.run("uncordon", "a").code == 0)
    #expect(try await cluster.run("nodes", "--state", "live", "-o", "name").output == "a\nb\n")
    let events = try await cluster.run("events", "--node", "a", "--no-headers")
    let told = events.output.split(separator: "\n").map { $0.split(separator: " ")[1] }
    #expect(told == ["cordon", "undrain"], "\(events)")
    let top = try await cluster.run("top", "--every", "1s")
    #expect(top.code == 0 && top.output.contains("nodes     2 live of 2"), "\(top)")
    #expect(top.output.contains("sessions  4 running of 4"))
  }

  @Test func aContextSaysWhereToAskAndGoesNowhereElse() async throws {
    let cluster = try await Cluster.start()
    let home = ["HOME": cluster.folder.path, "XDG_RUNTIME_DIR": cluster.folder.path]
    func run(_ words: String...) async throws -> (code: Int, output: String) {
      try await Fairlead.run(words, environment: home)
    }
    let made = try await run(
      "context", "set", "lab", "--api", cluster.router.url, "--value", "output=name")
    #expect(made.code == 0 && made.output.contains("context lab is used"), "\(made)")
    #expect(try await run("nodes").output == "a\n")
    let shown = try await run("config", "show", "-o", "table")
    #expect(
      shown.output.contains(cluster.router.url) && shown.output.contains("context"), "\(shown)")
    let elsewhere = try await run("nodes", "--api", "http://127.0.0.1:1")
    #expect(elsewhere.code == 2)
    #expect(try await run("nodes", "--api", cluster.router.url).output.hasPrefix("NODE"))
    #expect(try await run("--context", "none", "nodes").code == 64)
    let bad = try await run("context", "set", "lab", "--api", "nonsense")
    #expect(bad.code == 64 && bad.output.contains("--api: "), "\(bad)")
    #expect(try await run("context", "use", "--none").code == 0)
    // Who names it on the command line means it.
    var elsewhereToo = home
    elsewhereToo["FAIRLEAD_API"] = "http://127.0.0.1:1"
    let meant = try await Fairlead.run(["nodes", "--context", "lab"], environment: elsewhereToo)
    #expect(meant.code == 0 && meant.output == "a\n", "\(meant)")
    let told = try await Fairlead.run(
      ["config", "show", "--context", "lab", "-o", "wide"], environment: elsewhereToo)
    #expect(told.output.contains(cluster.router.url), "\(told)")
    #expect(told.output.contains("context") && told.output.contains("--context"), "\(told)")
    #expect(!told.output.contains("http://127.0.0.1:1\n"), "\(told)")
    let named = try await run("--context", "lab", "node", "a", "-o", "name")
    #expect(named.code == 0 && named.output == "a\n", "\(named)")
    #expect(try await run("context", "list", "-o", "name").output == "lab\n")
    #expect(try await run("context", "remove", "lab").code == 0)
    let role = try await run("router", "--context", "lab")
    #expect(role.code == 64 && role.output.contains("a role takes no --context"), "\(role)")
  }

  /// The name of another cluster, or of another database.
  @Test func aClusterWithoutNodesIsSaidToBeSo() async throws {
    let cluster = try await Cluster.start()
    let router = try await TestRouter.start("z", redis: cluster.redis.url, ["--cluster", "zz"])
    for words in [["nodes"], ["doctor"]] {
      let (code, output) = try await Fairlead.run(words + ["--api", router.url])
      #expect(code == 1 && output.contains("no node is registered in "), "\(words) \(output)")
      #expect(!output.contains("nothing is wrong"), "\(output)")
    }
    let check = try await Fairlead.run(["check", "node", "--api", router.url])
    #expect(check.code == 2 && check.output.contains("no node is registered in "), "\(check)")
    let asked = try await Fairlead.run([
      "nodes", "--api", "http://127.0.0.1:1", "--redis", cluster.redis.url, "--cluster", "zy",
    ])
    #expect(asked.code == 1 && asked.output.contains("in cluster zy at redis://"), "\(asked)")
  }

  @Test func whatAnEventMayBeIsSaid() async throws {
    let cluster = try await Cluster.start()
    let wrong = try await cluster.run("events", "--what", "died,bogus")
    #expect(wrong.code == 64 && wrong.output.contains("there are joined, left,"), "\(wrong)")
    _ = try await cluster.run("cordon", "a")
    let events = try await cluster.run("events", "--since", "7d")
    #expect(events.code == 0 && events.output.contains("the record begins at "), "\(events)")
  }

  /// The node tells a Redis that has lost it, and so does a router that was told while it was away.
  @Test func aWishOutlivesWhatRedisHas() async throws {
    var cluster = try await Cluster.start()
    cluster.nodes.append(try await TestNode.start("b", redis: cluster.redis.url))
    #expect(try await cluster.run("cordon", "a").code == 0)
    _ = try await cluster.nodes[0].process.line(with: "the node is cordoned")
    try await cluster.redis.stop()
    try await eventually("the wish waits") {
      try await cluster.run("cordon", "b").output.contains("tells it once it does")
    }
    let redis = try await cluster.redis.restart()
    try await eventually("both are cordoned again") {
      try await cluster.run("nodes", "--state", "cordoned", "-o", "name").output == "a\nb\n"
    }
    withExtendedLifetime(redis) {}
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func aShellLearnsTheCommands(shell: String) async throws {
    let (code, output) = try await Fairlead.run(["completion", shell])
    #expect(code == 0 && output.contains("can-stop") && output.contains("uncordon"))
  }
}
