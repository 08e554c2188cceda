// A session in a container goes on at another node that reaches its engine: when its node dies, is drained, or is stopped.
// Its router and its clients' connections stay (promises P1, P2, P3, P11).

import Chaos
import Client
import Foundation
import Judge
import Pipes
import TestSupport
import Testing
import Wire

@Suite(.serialized, .timeLimit(.minutes(5 * patience))) struct TakeoverTests {
  /// Two nodes that know one key and reach one engine, and a router.
  private struct Cluster {
    var redis: RedisServer
    var nodes: [TestNode]
    var router: TestRouter
    var engine: DockerEngine
    var container: String
    var directory: String
    var options: [String]

    func restart(_ index: Int) async throws -> TestNode {
      try await TestNode.start(
        "n\(index)", redis: redis.url, options + ["--state-directory", "\(directory)/n\(index)"])
    }

    /// Which node has the session, as the registry tells: no router answers at that address, nor at the usual one.
    func owner(of session: SessionID) async throws -> String {
      let process = try Fairlead.start(
        [
          "where", session.rawValue, "--redis", redis.url, "--api", "http://127.0.0.1:9", "-o",
          "json",
        ])
      try await process.waitForExit(atMost: .seconds(30))
      // Behind the word that no router was asked.
      let json = process.output.drop { $0 != "{" }
      let told = try? JSONSerialization.jsonObject(with: Data(json.utf8))
      return (told as? [String: Any])?["node"] as? String ?? process.output
    }

    func fairlead(_ arguments: String...) async throws -> String {
      let process = try Fairlead.start(arguments)
      try await process.waitForExit(atMost: .seconds(60))
      return process.output
    }
  }

  private func withCluster(
    onPodman: Bool = false, _ body: (Cluster) async throws -> Void
  ) async throws {
    let engine =
      onPodman
      ? try await DockerEngine.podman { try Test.cancel("\($0)") }
      : try await DockerEngine.shared { try Test.cancel("\($0)") }
    let redis = try await RedisServer.start()
    let directory = "/tmp/fl-takeover-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    let key = directory + "/key"
    try Data(String(repeating: "k", count: 64).utf8).write(to: URL(fileURLWithPath: key))
    let options = [
      "--docker", "unix://\(engine.socket)", "--holder", "require", "--cluster-key-file", key,
    ]
    let name = "taken-\(UUID().uuidString.prefix(8).lowercased())"
    try await engine.run(name)
    var nodes: [TestNode] = []
    for index in 0..<2 {
      nodes.append(
        try await TestNode.start(
          "n\(index)", redis: redis.url, options + ["--state-directory", "\(directory)/n\(index)"]))
    }
    let router = try await TestRouter.start(
      "r0", redis: redis.url, ["--no-auth", "--cluster-key-file", key])
    let cluster = Cluster(
      redis: redis, nodes: nodes, router: router, engine: engine, container: name,
      directory: directory, options: options)
    var failure: (any Error)?
    do { try await body(cluster) } catch {
      for node in nodes { print(node.process.output) }
      print(router.process.output)
      failure = error
    }
    for process in nodes.map(\.process) + [router.process] where process.isRunning {
      process.signal(9)
    }
    _ = try? await engine.docker("rm", "-f", name)
    for index in 0..<2 {
      for holder in KeptProcess.holders(in: "\(directory)/n\(index)") { kill(holder, SIGKILL) }
    }
    try? FileManager.default.removeItem(atPath: directory)
    if let failure { throw failure }
  }

  /// A session that counts, and what it has shown is held against what it must have.
  private func counter(_ cluster: Cluster) async throws -> (Viewer, owner: Int) {
    let viewer = try Viewer(
      cluster.router.url,
      create: Creation(
        target: .docker(container: cluster.container),
        command: ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"]))
    try await viewer.until("it counts") { lastLine(of: $0) ?? 0 >= 5 }
    let session = viewer.terminal.session
    let owner = try await cluster.owner(of: session) == "n0" ? 0 : 1
    return (viewer, owner)
  }

  @Test(arguments: [false, true]) func aNodesDeathIsTakenOverByAnother(onPodman: Bool) async throws
  {
    try await withCluster(onPodman: onPodman) { cluster in
      let (viewer, owner) = try await counter(cluster)
      let before = viewer.seen.shown
      cluster.nodes[owner].process.signal(9)
      try await viewer.until("it goes on", atMost: .seconds(90)) { $0.shown > before + 1_000 }
      try await expectEachLineOnce(viewer, upTo: 400)
      let session = viewer.terminal.session
      try await eventually("it is the other's", atMost: .seconds(60)) {
        try await cluster.owner(of: session) == "n\(1 - owner)"
      }
      // The dead one is started again, and does not take it back.
      let again = try await cluster.restart(owner)
      defer { again.process.signal(9) }
      try await expectEachLineOnce(viewer, upTo: 500)
      let found = try await cluster.owner(of: session)
      #expect(found == "n\(1 - owner)")
    }
  }

  /// It had made the session its own in the registry, under a higher epoch than the holder has heard of.
  @Test func aNodeThatDiesWithinATakeoverHasTheSessionOnceItIsBack() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      let session = viewer.terminal.session
      cluster.nodes[owner].process.signal(9)
      try await cluster.nodes[owner].process.waitForExit()
      let claim = try ChildProcess(
        "/usr/bin/env",
        [
          "redis-cli", "-p", "\(cluster.redis.port)", "HINCRBY", "{fl}:s:\(session)", "epoch", "10",
        ])
      #expect(try await claim.waitForExit() == 0, "\(claim.output)")
      let again = try await cluster.restart(owner)
      defer { again.process.signal(9) }
      let before = viewer.seen.shown
      try await viewer.until("it goes on", atMost: .seconds(60)) { $0.shown > before + 1_000 }
      // As long as it takes until the node looks through its records again.
      try await expectEachLineOnce(viewer, upTo: 300)
      let found = try await cluster.owner(of: session)
      #expect(found == "n\(owner)")
      #expect(!again.process.output.contains("another node owns a session"))
    }
  }

  @Test func aDrainedNodesSessionsMove() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      _ = try await cluster.fairlead(
        "drain", "n\(owner)", "--api", cluster.router.url)
      let session = viewer.terminal.session
      try await eventually("it has moved", atMost: .seconds(60)) {
        try await cluster.owner(of: session) == "n\(1 - owner)"
      }
      try await expectEachLineOnce(viewer, upTo: 300)
    }
  }

  /// An operator who has waited for a drain finds every session served, also those that nobody looks at.
  @Test func whatNobodyLooksAtIsServedOnceItsDrainIsSaidToBeOver() async throws {
    try await withCluster { cluster in
      var sessions: Set<String> = []
      for _ in 0..<6 {
        let (viewer, _) = try await counter(cluster)
        sessions.insert(viewer.terminal.session.rawValue)
        try await viewer.close()
      }
      let api = cluster.router.url
      for owner in 0..<2 {
        let said = try await cluster.fairlead("drain", "n\(owner)", "--wait", "--api", api)
        let found = try await cluster.fairlead("sessions", "-o", "json", "--api", api)
        #expect(said.contains("no sessions left"), "\(said)")
        let json = try JSONSerialization.jsonObject(with: Data(found.drop { $0 != "[" }.utf8))
        let listed = try #require(json as? [[String: Any]], "\(found)")
        #expect(Set(listed.compactMap { $0["session"] as? String }) == sessions)
        #expect(listed.allSatisfy { $0["node"] as? String == "n\(1 - owner)" })
        #expect(listed.allSatisfy { $0["state"] as? String == "running" }, "\(found)")
        _ = try await cluster.fairlead("drain", "n\(owner)", "--undo", "--api", api)
      }
    }
  }

  /// The node that was to have its sessions has died, and counts as living for some seconds yet.
  @Test func aDrainedNodeServesOnWhatNobodyElseCanHave() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      cluster.nodes[1 - owner].process.signal(9)
      _ = try await cluster.fairlead("drain", "n\(owner)", "--api", cluster.router.url)
      // For longer than it waits for an answer: 300 lines take 15 s.
      let start = ContinuousClock.now
      try await expectEachLineOnce(viewer, upTo: 300)
      #expect(ContinuousClock.now - start > .seconds(10))
      #expect(viewer.seen.opened.count == 1, "its stream was never closed")
      let again = try await cluster.restart(1 - owner)
      defer { again.process.signal(9) }
      let session = viewer.terminal.session
      try await eventually("it has moved", atMost: .seconds(60)) {
        try await cluster.owner(of: session) == "n\(1 - owner)"
      }
      try await expectEachLineOnce(viewer, upTo: 500)
    }
  }

  /// Its node is in sight of the registry, and out of sight of a router.
  @Test func aLinkThatIsCutMovesNothing() async throws {
    try await withCluster { cluster in
      cluster.nodes[0].process.signal(SIGTERM)
      try await cluster.nodes[0].process.waitForExit()
      let port = try freePort()
      let link = try await ChaosProxy.start(
        before: ("127.0.0.1", port), framing: .link, profile: .faithful, seed: 1)
      let node = try Fairlead.start(
        [
          "node", "--id", "n0", "--redis", cluster.redis.url, "--loops", "1", "--listen",
          "127.0.0.1:\(port)", "--advertise", "127.0.0.1:\(link.port)", "--state-directory",
          "\(cluster.directory)/n0",
        ] + cluster.options)
      _ = try await node.line(with: "takes links on")
      let api = cluster.router.url
      _ = try await cluster.fairlead("drain", "n1", "--api", api)
      let (viewer, owner) = try await counter(cluster)
      #expect(owner == 0)
      _ = try await cluster.fairlead("drain", "n1", "--undo", "--api", api)
      var cutting = ChaosProfile()
      (cutting.cutShare, cutting.cutAfter) = (1, 0...1)
      link.setProfile(cutting)
      link.cutAll()
      // So long that a node which is away counts as dead, and others look for what it had.
      try await Task.sleep(for: .seconds(22))
      let session = viewer.terminal.session
      let found = try await cluster.owner(of: session)
      #expect(found == "n0")
      #expect(!cluster.nodes[1].process.output.contains("takes a session over"))
      link.setProfile(.faithful)
      try await expectEachLineOnce(viewer, upTo: 600)
      #expect(!node.output.contains("has taken a session over"))
      try await link.stop()
    }
  }

  @Test func aStoppedNodesSessionsGoOnElsewhereAtOnce() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      cluster.nodes[owner].process.signal(SIGTERM)
      let session = viewer.terminal.session
      try await eventually("it has moved", atMost: .seconds(60)) {
        try await cluster.owner(of: session) == "n\(1 - owner)"
      }
      try await expectEachLineOnce(viewer, upTo: 300)
    }
  }

  @Test func aContainersSessionsAreItsOwnWhateverItIsCalled() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      let renamed = cluster.container + "-before"
      try await cluster.engine.docker("rename", cluster.container, renamed)
      // Another one has its name by now, and none of its sessions.
      try await cluster.engine.run(cluster.container)
      let before = viewer.seen.shown
      cluster.nodes[owner].process.signal(9)
      try await viewer.until("it goes on", atMost: .seconds(90)) { $0.shown > before + 1_000 }
      try await expectEachLineOnce(viewer, upTo: 300)
      try await cluster.engine.docker("rm", "-f", renamed)
    }
  }

  @Test func whatNobodyAsksForIsTakenOverToo() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      let session = viewer.terminal.session
      viewer.terminal.close()
      cluster.nodes[owner].process.signal(9)
      try await eventually("it is taken over", atMost: .seconds(90)) {
        try await cluster.owner(of: session) == "n\(1 - owner)"
      }
    }
  }

  /// An operator's mistake: it has neither that node's name nor its sessions.
  @Test func aSecondProcessOfALivingNodesNameTakesNothingFromIt() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      let port = try freePort()
      let second = try Fairlead.start(
        [
          "node", "--id", "n\(owner)", "--redis", cluster.redis.url, "--listen",
          "127.0.0.1:\(port)", "--advertise", "127.0.0.1:\(port)",
        ] + cluster.options + ["--state-directory", "\(cluster.directory)/second"])
      #expect(try await second.waitForExit(atMost: .seconds(60)) != 0)
      for holder in KeptProcess.holders(in: "\(cluster.directory)/second") { kill(holder, SIGKILL) }
      #expect(second.output.contains("another process runs as node n\(owner)"), "\(second.output)")
      #expect(!second.output.contains("session goes on"))
      try await expectEachLineOnce(viewer, upTo: 200)
      #expect(viewer.seen.opened.count == 1, "its stream was never closed")
      #expect(!cluster.nodes[owner].process.output.contains("has taken a session over"))
    }
  }
}
