// Terminals of a machine on which two nodes run go on at the other one when theirs dies, is drained or stopped. Their
// router and their clients' connections stay (promises P1, P2, P3, P11).

import Client
import Foundation
import Judge
import Pipes
import TestSupport
import Testing
import Wire

@Suite(.serialized, .timeLimit(.minutes(5 * patience))) struct SiblingTests {
  /// Two nodes of a machine whose state directories lie beside each other, and a router.
  private struct Cluster {
    var redis: RedisServer
    var nodes: [TestNode]
    var router: TestRouter
    var directory: String

    static func startNode(_ index: Int, _ redis: RedisServer, _ directory: String) async throws
      -> TestNode
    {
      try await TestNode.start(
        "n\(index)", redis: redis.url,
        [
          "--holder", "require", "--takeover", "siblings", "--state-directory",
          "\(directory)/n\(index)",
        ])
    }

    mutating func restart(_ index: Int) async throws {
      nodes[index] = try await Self.startNode(index, redis, directory)
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
      let process = try Fairlead.start(arguments + ["--api", router.url])
      try await process.waitForExit(atMost: .seconds(60))
      return process.output
    }
  }

  private func withCluster(_ body: (inout Cluster) async throws -> Void) async throws {
    let redis = try await RedisServer.start()
    let directory = "/tmp/fl-siblings-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    var nodes: [TestNode] = []
    for index in 0..<2 { nodes.append(try await Cluster.startNode(index, redis, directory)) }
    let router = try await TestRouter.start("r0", redis: redis.url, ["--no-auth"])
    var cluster = Cluster(redis: redis, nodes: nodes, router: router, directory: directory)
    let api = router.url
    var failure: (any Error)?
    do {
      try await eventually("the nodes know of each other", atMost: .seconds(60)) {
        let told = try await cluster.fairlead("nodes", "-o", "wide")
        return told.split(separator: "\n").count {
          $0.split(separator: "holder.").count == 3 && $0.contains("live")
        } == 2
      }
      try await body(&cluster)
    } catch {
      for node in cluster.nodes { print(node.process.output) }
      print(router.process.output, api)
      failure = error
    }
    for process in cluster.nodes.map(\.process) + [router.process] where process.isRunning {
      process.signal(9)
    }
    for index in 0..<2 {
      for holder in KeptProcess.holders(in: "\(directory)/n\(index)") { kill(holder, SIGKILL) }
    }
    try? FileManager.default.removeItem(atPath: directory)
    if let failure { throw failure }
  }

  /// A session that counts, and echoes what is typed to the one that reads.
  private func counter(_ cluster: Cluster) async throws -> (Viewer, owner: Int) {
    let viewer = try Viewer(
      cluster.router.url,
      create: Creation(
        command: ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"]))
    try await viewer.until("it counts") { lastLine(of: $0) ?? 0 >= 5 }
    return (viewer, try await owner(of: viewer, in: cluster))
  }

  private func owner(of viewer: Viewer, in cluster: Cluster) async throws -> Int {
    let name = try await cluster.owner(of: viewer.terminal.session)
    return try #require(["n0", "n1"].firstIndex(of: name), "\(name)")
  }

  private func expect(_ viewer: Viewer, isOn index: Int, of cluster: Cluster) async throws {
    try await eventually("it is on n\(index)", atMost: .seconds(60)) {
      try await cluster.owner(of: viewer.terminal.session) == "n\(index)"
    }
  }

  @Test func aNodesDeathIsTakenOverByItsSibling() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      let (cat, pid) = try await countedCat(on: cluster.router.url)
      let before = viewer.seen.shown
      cluster.nodes[owner].process.signal(9)
      try await viewer.until("it goes on", atMost: .seconds(90)) { $0.shown > before + 1_000 }
      try await expectEachLineOnce(viewer, upTo: 400)
      try await expect(viewer, isOn: 1 - owner, of: cluster)
      try await cat.goesOn("one")
      #expect(kill(pid, 0) == 0, "the same process")
      // The dead one is started again, does not take it back, and has new ones.
      try await cluster.restart(owner)
      try await expectEachLineOnce(viewer, upTo: 500)
      try await expect(viewer, isOn: 1 - owner, of: cluster)
      try await eventually("new sessions go there", atMost: .seconds(60)) {
        let (new, on) = try await counter(cluster)
        try await new.close()
        return on == owner
      }
      // What has gone to the sibling stays there over that one's own restart, and comes back when it dies.
      cluster.nodes[1 - owner].process.signal(9)
      try await cluster.nodes[1 - owner].process.waitForExit(atMost: .seconds(30))
      try await cluster.restart(1 - owner)
      let shown = lastLine(of: viewer.seen) ?? 500
      try await expectEachLineOnce(viewer, upTo: shown + 40)
      try await expect(viewer, isOn: 1 - owner, of: cluster)
      cluster.nodes[1 - owner].process.signal(9)
      try await expect(viewer, isOn: owner, of: cluster)
      try await expectEachLineOnce(viewer, upTo: shown + 400)
    }
  }

  @Test func aDrainedNodesTerminalsMoveAndItIsSaid() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      let outcome = try await cluster.fairlead("can-stop", "n\(owner)", "--no-pause")
      #expect(outcome.contains("1 to other nodes"), "\(outcome)")
      let said = try await cluster.fairlead("drain", "n\(owner)", "--wait")
      #expect(said.contains("no sessions left"), "\(said)")
      try await expect(viewer, isOn: 1 - owner, of: cluster)
      try await expectEachLineOnce(viewer, upTo: 100)
      // And back, though it is that one's holder from the first.
      _ = try await cluster.fairlead("drain", "n\(owner)", "--undo")
      _ = try await cluster.fairlead("drain", "n\(1 - owner)", "--wait")
      try await expect(viewer, isOn: owner, of: cluster)
      try await expectEachLineOnce(viewer, upTo: 300)
    }
  }

  @Test func aStoppedNodesTerminalsGoOnAtItsSiblingAtOnce() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      cluster.nodes[owner].process.signal(SIGTERM)
      #expect(try await cluster.nodes[owner].process.waitForExit(atMost: .seconds(60)) == 0)
      try await expect(viewer, isOn: 1 - owner, of: cluster)
      try await expectEachLineOnce(viewer, upTo: 200)
    }
  }

  /// It was asleep while its sibling took over: it writes nothing to the terminal, ends nothing, and goes on.
  @Test func aNodeThatWakesUpLeavesItsTerminalsToItsSibling() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      let sleeper = cluster.nodes[owner].process
      sleeper.signal(SIGSTOP)
      try await expect(viewer, isOn: 1 - owner, of: cluster)
      try await expectEachLineOnce(viewer, upTo: 100)
      sleeper.signal(SIGCONT)
      try await eventually("it knows", atMost: .seconds(60)) {
        sleeper.output.contains("has taken a session over")
          || sleeper.output.contains("another node owns a session")
      }
      let shown = lastLine(of: viewer.seen) ?? 100
      try await expectEachLineOnce(viewer, upTo: shown + 100)
      try await expect(viewer, isOn: 1 - owner, of: cluster)
      #expect(sleeper.isRunning)
    }
  }

  /// A node that is killed and started again at once, as its service manager does, has its own again.
  @Test func aNodesRestartIsNoTakeover() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      cluster.nodes[owner].process.signal(9)
      try await cluster.nodes[owner].process.waitForExit(atMost: .seconds(30))
      try await cluster.restart(owner)
      try await expectEachLineOnce(viewer, upTo: 200)
      try await expect(viewer, isOn: owner, of: cluster)
      #expect(!cluster.nodes[1 - owner].process.output.contains("takes a session over"))
    }
  }

  @Test func whatWasLostWithItsHolderIsToldByTheSibling() async throws {
    try await withCluster { cluster in
      let (viewer, owner) = try await counter(cluster)
      let holders = KeptProcess.holders(in: "\(cluster.directory)/n\(owner)")
      cluster.nodes[owner].process.signal(9)
      for holder in holders { kill(holder, SIGKILL) }
      try await viewer.until("it is told as lost", atMost: .seconds(90)) {
        $0.closed != nil || $0.ended != nil
      }
      let seen = viewer.seen
      #expect(seen.closed?.contains("lost") == true || seen.ended?.reason == .lost, "\(seen)")
    }
  }
}
