// What operators ask is answered by whoever still can, and what is missing is said (promise P10): with Redis away, with
// the router away that is usually asked, and with all of them away.

import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(4 * patience))) struct InquiryTests {
  private struct Cluster {
    let folder: TemporaryFolder
    let redis: RedisServer
    var nodes: [TestNode]
    var routers: [TestRouter]

    static func start() async throws -> Cluster {
      let redis = try await RedisServer.start()
      var nodes: [TestNode] = []
      for id in ["a", "b"] { nodes.append(try await TestNode.start(id, redis: redis.url)) }
      var routers: [TestRouter] = []
      for id in ["r1", "r2"] { routers.append(try await TestRouter.start(id, redis: redis.url)) }
      let cluster = Cluster(
        folder: try TemporaryFolder(), redis: redis, nodes: nodes, routers: routers)
      for session in ["s1", "s2", "s3", "s4"] {
        let made = try await cluster.run("new", "--session", session, "--detached", "--", "cat")
        #expect(made.code == 0, "\(made.output)")
      }
      try await eventually("all routers are listed") {
        try await cluster.run("routers", "-o", "name").output == "r1\nr2\n"
      }
      return cluster
    }

    /// By the first router, with a place of its own for what is remembered.
    func run(_ words: String...) async throws -> (code: Int, output: String) {
      try await Fairlead.run(
        words,
        environment: [
          "FAIRLEAD_API": routers[0].url, "HOME": folder.path, "XDG_RUNTIME_DIR": folder.path,
        ])
    }
  }

  @Test func whatIsAskedIsAnswered() async throws {
    let cluster = try await Cluster.start()
    let nodes = try await cluster.run("nodes", "--sort", "node", "--no-headers")
    #expect(nodes.code == 0 && nodes.output.split(separator: "\n").count == 2, "\(nodes)")
    let node = try await cluster.run("node", "a")
    #expect(node.code == 0 && node.output.contains("sessions") && node.output.contains("running"))
    #expect(try await cluster.run("node", "nobody").output.contains("`fairlead nodes` lists"))
    let filtered = try await cluster.run(
      "sessions", "--node", "a", "--state", "running", "-o", "name")
    let others = try await cluster.run("sessions", "--node", "b", "-o", "name")
    let all = (filtered.output + others.output).split(separator: "\n").sorted()
    #expect(all == ["s1", "s2", "s3", "s4"], "\(filtered) \(others)")
    #expect(try await cluster.run("sessions", "--target", "docker", "-o", "name").output == "")
    #expect(try await cluster.run("sessions", "--state", "asleep").code == 64)
    #expect(
      try await cluster.run("sessions", "--label", "pty=true", "-o", "name").output
        == "s1\ns2\ns3\ns4\n")

    let router = try await cluster.run("router", "r2")
    #expect(router.code == 0 && router.output.contains(cluster.routers[1].url), "\(router)")
    let explained = try await cluster.run("explain", "s1")
    #expect(explained.code == 0, "\(explained)")
    for words in ["remembers it on node", "record   owned by node", "left", "SCORE", "is chosen"] {
      #expect(explained.output.contains(words), "\(words): \(explained.output)")
    }
    let fresh = try await cluster.run("explain", "nobody")
    #expect(fresh.output.contains("none: the registry does not know it"), "\(fresh)")
    #expect(fresh.output.contains("would be created on node"))
    let ring = try await cluster.run("ring", "--simulate", "add=c", "--samples", "2000")
    #expect(ring.code == 0 && ring.output.contains("of new names would be placed elsewhere"))

    let stop = try await cluster.run("can-stop", "a")
    #expect(stop.output.contains("paused"), "\(stop)")
    for words in [
      ["check", "cluster"], ["check", "node", "a"], ["check", "redis"], ["check", "router"],
    ] {
      let (code, output) = try await Fairlead.run(
        words, environment: ["FAIRLEAD_API": cluster.routers[0].url])
      #expect(code == 0 && output.hasPrefix("OK - "), "\(words): \(output)")
      #expect(output.split(separator: "\n").count == 1)
    }
  }

  @Test func whoIsAttachedIsListedAtEveryRouterAndCanBeSentAway() async throws {
    let cluster = try await Cluster.start()
    let attached = try Fairlead.start(
      ["attach", "s1", "--api", cluster.routers[1].url, "--watch"],
      environment: ["HOME": cluster.folder.path])
    var client = ""
    try await eventually("it is listed, by the other router") {
      let (code, output) = try await cluster.run("clients", "--session", "s1", "-o", "json")
      guard code == 0,
        let list = try? JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[String: Any]],
        let found = list.first
      else { return false }
      #expect(found["router"] as? String == "r2" && found["sessions"] as? [String] == ["s1"])
      client = found["client"] as? String ?? ""
      return !client.isEmpty
    }
    let kicked = try await cluster.run("kick", client)
    #expect(kicked.code == 0 && kicked.output.contains("1 connection was ended"), "\(kicked)")
    #expect(try await attached.waitForExit() == 255)
    #expect(attached.output.contains("an operator has ended this connection"), "\(attached.output)")
    let again = try await cluster.run("kick", client)
    #expect(again.code == 1 && again.output.contains("`fairlead clients` lists"), "\(again)")
  }

  @Test func aNodeThatIsAwayIsNotSaidToHaveNothing() async throws {
    let cluster = try await Cluster.start()
    cluster.nodes[1].process.signal(SIGSTOP)
    defer { cluster.nodes[1].process.signal(SIGKILL) }
    let stop = try await cluster.run("can-stop", "b")
    #expect(stop.code == 1 && stop.output.contains("node b: "), "\(stop)")
  }

  /// A router that hangs costs a command its time once.
  @Test func aRouterThatHangsIsAskedOnce() async throws {
    let cluster = try await Cluster.start()
    cluster.routers[0].process.signal(SIGSTOP)
    defer { cluster.routers[0].process.signal(SIGKILL) }
    let checked = try await cluster.run("check", "cluster", "--timeout", "2s")
    #expect(checked.code == 1 && checked.output.contains("router r1 is silent"), "\(checked)")
    let said = checked.output.split(separator: "\n").filter { $0.contains("answers instead") }
    #expect(said.count == 1, "\(checked)")
  }

  @Test func withoutRedisTheNodesAreAsked() async throws {
    let cluster = try await Cluster.start()
    #expect(try await cluster.run("nodes").code == 0)
    try await cluster.redis.stop()
    let nodes = try await cluster.run("nodes", "--no-headers")
    #expect(nodes.code == 1 && nodes.output.contains("the nodes are those of"), "\(nodes)")
    #expect(nodes.output.contains("a  ") && nodes.output.contains("b  "))
    let sessions = try await cluster.run("sessions", "-o", "name")
    #expect(sessions.code == 1 && sessions.output.contains("s1\ns2\ns3\ns4\n"), "\(sessions)")
    #expect(sessions.output.contains("sessions whose node is away are not shown"))
    // Of a router that remembers nothing, too.
    for router in cluster.routers {
      let found = try await Fairlead.run(["where", "s1", "--api", router.url])
      #expect(found.code == 0 && found.output.contains("says that it has it"), "\(found)")
      let shown = try await Fairlead.run(["session", "s1", "--api", router.url])
      #expect(shown.code == 0, "\(shown)")
    }
    let killed = try await Fairlead.run(["kill", "s1", "--api", cluster.routers[1].url])
    #expect(killed.code == 0 && killed.output.contains("is being ended"), "\(killed)")
    let drained = try await cluster.run("drain", "a")
    #expect(drained.code == 1 && drained.output.contains("tells it once it does"), "\(drained)")
    #expect(try await cluster.run("check", "redis").code == 2)
    let explained = try await cluster.run("explain", "s2")
    #expect(explained.code == 1 && explained.output.contains("says that it has it"), "\(explained)")
  }

  @Test func withoutTheUsualRouterAnotherIsAskedAndWithoutAnyTheNodes() async throws {
    var cluster = try await Cluster.start()
    #expect(try await cluster.run("nodes").code == 0)
    cluster.routers[0].process.signal(SIGKILL)
    _ = try await cluster.routers[0].process.waitForExit()
    let other = try await cluster.run("sessions", "-o", "name")
    #expect(other.code == 0 && other.output.contains("s1\ns2\ns3\ns4\n"), "\(other)")
    #expect(other.output.contains("router r2 at \(cluster.routers[1].url) answers instead"))
    let checked = try await cluster.run("check", "cluster")
    #expect(checked.code == 1 && checked.output.contains("router r1 is silent"), "\(checked)")
    let clients = try await cluster.run("clients")
    #expect(clients.code == 1 && clients.output.contains("router r1 at "), "\(clients)")

    cluster.routers[1].process.signal(SIGKILL)
    _ = try await cluster.routers[1].process.waitForExit()
    let byRedis = try await cluster.run("sessions", "-o", "name", "--redis", cluster.redis.url)
    #expect(byRedis.code == 0 && byRedis.output.contains("s1\ns2\ns3\ns4\n"), "\(byRedis)")
    let listed = try await cluster.run("routers", "--redis", cluster.redis.url)
    #expect(listed.output.contains("r1") && !listed.output.contains("command"), "\(listed)")
    let dead = try await cluster.run("check", "router", "--redis", cluster.redis.url)
    #expect(dead.code == 2 && dead.output.contains("CRITICAL - no router is live"), "\(dead)")
    let redis = try await cluster.run("check", "redis")
    #expect(redis.code == 2 && redis.output.contains("UNKNOWN - Redis was not asked"), "\(redis)")
    #expect(redis.output.contains("give --redis URL"))
    let asked = try await cluster.run("check", "redis", "--redis", cluster.redis.url)
    #expect(asked.code == 0, "\(asked)")
    let byList = try await cluster.run("sessions", "-o", "name")
    #expect(byList.code == 1 && byList.output.contains("s1\ns2\ns3\ns4\n"), "\(byList)")
    #expect(byList.output.contains("by a list of"), "\(byList)")
    #expect(try await cluster.run("kill", "s2").code == 0)
    // A wish that nobody could remember is not taken.
    #expect(try await cluster.run("drain", "a").code == 2)

    for node in cluster.nodes { node.process.signal(SIGKILL) }
    let nothing = try await Fairlead.run([
      "sessions", "--api", "http://127.0.0.1:\(try freePort())",
    ])
    #expect(nothing.code == 2 && nothing.output.contains("--redis URL"), "\(nothing)")
    cluster.nodes = []
  }
}
