// Nodes that die, hang, or have another key: what is new goes elsewhere, what is listed says what is missing, and
// the reason is where an operator looks for it (promises P4 and P10).

import API
import APIClient
import Foundation
import NIOCore
import Registry
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(3 * patience))) struct AbsentNodeTests {
  private func cluster(_ nodes: [String]) async throws -> (RedisServer, [TestNode], TestRouter) {
    let redis = try await RedisServer.start()
    var running: [TestNode] = []
    for node in nodes { running.append(try await TestNode.start(node, redis: redis.url)) }
    return (redis, running, try await TestRouter.start("r", redis: redis.url))
  }

  private func create(at router: TestRouter) async throws -> (code: Int, output: String) {
    try await Fairlead.run(["new", "--detached", "--api", router.url, "--", "cat"])
  }

  @Test func afterTheEndOfANodeNewSessionsGoToTheOthers() async throws {
    let (redis, nodes, router) = try await cluster(["a", "b", "c"])
    let admin = try Front(router.url, nil).admin
    try await eventually("all nodes are there") { try await admin.nodes().count == 3 }
    nodes[0].process.signal(9)
    _ = try await nodes[0].process.waitForExit()
    for _ in 0..<15 {
      let open = Open(session: nil, create: Creation(command: ["cat"]), size: .standard)
      #expect(try await admin.create(open).created)
    }
    #expect(redis.url != "" && nodes[1].process.isRunning)
  }

  @Test func aNodeThatHangsIsSaidAndTheRestIsListed() async throws {
    let (redis, nodes, router) = try await cluster(["a", "b"])
    let admin = try Front(router.url, nil).admin
    try await eventually("all nodes are there") { try await admin.nodes().count == 2 }
    try await eventually("both have sessions, and the registry knows") {
      let (code, output) = try await create(at: router)
      #expect(code == 0, "\(output)")
      try await Task.sleep(for: .milliseconds(300))
      return try await admin.nodes().allSatisfy { $0.sessions > 0 }
    }
    nodes[1].process.signal(SIGSTOP)
    defer { nodes[1].process.signal(SIGCONT) }
    // On a slow machine the other one may miss the time of a list, too.
    try await eventually("b's sessions are told by their records, and a's as they are") {
      let list = try await admin.sessionList()
      // If b counts as dead by now, what it had is told as lost.
      #expect(list.sessions.allSatisfy { $0.node == "a" || $0.state != .running })
      return Set(list.sessions.map(\.node)) == ["a", "b"]
        && list.unanswered.contains { $0.node.rawValue == "b" && $0.sessions == 0 }
    }
    let (code, output) = try await Fairlead.run(["sessions", "--api", router.url])
    #expect(code == 1)
    #expect(output.contains("node b: ") && output.contains("told by their records"), "\(output)")
    #expect(output.contains(" a "), "\(output)")
    // And no new session waits for it longer than it takes to see.
    for _ in 0..<8 {
      let (code, output) = try await create(at: router)
      #expect(code == 0, "\(output)")
    }
    nodes[1].process.signal(SIGCONT)
    try await eventually("it answers again") {
      try await admin.nodes().allSatisfy { $0.link == "ok" }
    }
    #expect(try await admin.sessionList().unanswered.isEmpty)
    #expect(redis.url != "")
  }

  @Test func aNodeThatLeavesInOrderIsSaidToHaveLeft() async throws {
    let (redis, nodes, router) = try await cluster(["a", "b"])
    let admin = try Front(router.url, nil).admin
    try await eventually("there are links to both") {
      let nodes = try await admin.nodes()
      return nodes.count == 2 && nodes.allSatisfy { $0.link == "ok" }
    }
    nodes[0].process.signal(SIGTERM)
    _ = try await nodes[0].process.waitForExit()
    try await eventually("its end is said") {
      router.process.output.contains("a node has left")
    }
    #expect(!router.process.output.contains("does not answer"), "\(router.process.output)")
    #expect(!router.process.output.contains("has died"))
    nodes[1].process.signal(SIGKILL)
    try await eventually("what is no order is said to be none") {
      router.process.output.contains("a node does not answer")
    }
    #expect(redis.url != "")
  }

  @Test func aSessionThatNoNodeWillTakeIsGivenUpAndWhy() async throws {
    let redis = try await RedisServer.start()
    let router = try await TestRouter.start("r", redis: redis.url)
    let (code, output) = try await Fairlead.run(
      ["new", "--wait", "1s", "--api", router.url, "--", "true"])
    #expect(code == 255, "\(output)")
    #expect(output.contains("in vain: the registry is empty"), "\(output)")
  }

  enum Mismatch: CaseIterable { case otherKey, noKeyHere, noKeyThere, tlsHere, tlsThere }

  @Test(arguments: Mismatch.allCases)
  func aKeyThatDoesNotFitIsSaidWhereOneLooks(mismatch: Mismatch) async throws {
    let certificates = try await ClusterCertificates()
    try await certificates.addNode("a")
    func key(_ text: String) throws -> [String] {
      let path = "\(certificates.folder)/\(text).key"
      try String(repeating: text, count: 40).write(toFile: path, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      return ["--cluster-key-file", path]
    }
    func link(_ name: String) -> [String] {
      [
        "--link-cert", certificates.file(name), "--link-key", certificates.file(name + "-key"),
        "--link-ca", certificates.ca,
      ]
    }
    let (here, there, word): ([String], [String], String) =
      switch mismatch {
      case .otherKey: (try key("a"), try key("b"), "key")
      case .noKeyHere: ([], try key("b"), "key")
      case .noKeyThere: (try key("a"), [], "key")
      case .tlsHere: (link("router"), [], "TLS")
      case .tlsThere: ([], link("node-a"), "TLS")
      }
    let redis = try await RedisServer.start()
    let node = try await TestNode.start("a", redis: redis.url, there)
    let router = try await TestRouter.start("r", redis: redis.url, here)
    let (code, output) = try await create(at: router)
    #expect(code != 0)
    #expect(
      output.contains("node a refuses this router's link: ") && output.contains(word), "\(output)")
    // Waiting brings no keys: who wants a terminal is not kept waiting.
    let waited = try await Fairlead.run(
      ["new", "--wait", "1h", "--api", router.url, "--", "true"])
    #expect(waited.code == 255)
    #expect(
      waited.output.contains("waiting does not help: node a refuses this router's link: "),
      "\(waited.output)")
    let nodes = try await Fairlead.run(["nodes", "--api", router.url]).output
    #expect(nodes.contains("refused: ") && nodes.contains("live"), "\(nodes)")
    try await eventually("both say it in their logs") {
      router.process.output.contains("warning")
        && router.process.output.contains("link was refused")
        && node.process.output.contains("warning")
        && node.process.output.contains("link was refused")
    }
    if mismatch == .otherKey || mismatch == .noKeyHere {
      let line = try await node.process.line(with: "link was refused")
      #expect(line.contains("router=r") && line.contains("address=127.0.0.1:"), "\(line)")
    }
    // Not once for each try.
    #expect(router.process.output.ranges(of: "link was refused").count <= 2)
  }

  @Test func aRouterThatStopsSaysSoBeforeItClosesItsPort() async throws {
    let redis = try await RedisServer.start()
    let node = try await TestNode.start("a", redis: redis.url)
    let router = try await TestRouter.start("r", redis: redis.url, ["--drain-delay", "1h"])
    let front = Front(router.url, nil)
    #expect(await front.isReady())
    var terminal = try await LiveTerminal.create(SessionID(unchecked: "on"), at: front)
    router.process.signal(15)
    try await eventually("it is not ready") { await !front.isReady() }
    // Whoever comes is served still.
    #expect(await answers(router.url + "/livez"))
    try await terminal.echo("still here")
    var another = try await LiveTerminal.create(SessionID(unchecked: "new"), at: front)
    try await another.echo("here too")
    #expect(router.process.isRunning && node.process.isRunning)
  }
}
