// A node whose terminals a holder keeps is killed and started again while its Redis is away: its sessions go on, its
// routers find it, and Redis has the truth again once it is back (promises P4, P5, P11).

import Client
import Foundation
import Judge
import TestSupport
import Testing
import Wire

@Suite(.serialized, .timeLimit(.minutes(5 * patience))) struct AbsentRegistryTests {
  enum Absence: CaseIterable {
    /// It answers nobody, and has all it knew when it goes on.
    case stopped
    /// Another one in its place knows nothing.
    case emptied
  }

  private struct Cluster {
    var redis: RedisServer
    var node: KeptProcess
    var routers: [TestRouter]

    func location(of session: SessionID, by router: Int = 0) async throws -> Location? {
      let (code, output) = try await Fairlead.run(
        ["where", session.rawValue, "--api", routers[router].url, "-o", "json"])
      guard code == 0 else { return nil }
      return try JSONDecoder().decode(Location.self, from: Data(output.utf8))
    }
  }

  private struct Location: Decodable {
    var node: String
    var why: String
    var epoch: UInt64?
    var holder: String?
  }

  private struct Told: Decodable {
    var history: [Tenure]
  }

  private func with(_ body: (inout Cluster) async throws -> Void) async throws {
    let redis = try await RedisServer.start()
    let node = try await KeptProcess.node("n0", redis: redis.url, port: try freePort())
    var cluster = Cluster(redis: redis, node: node, routers: [])
    for number in 0..<2 {
      cluster.routers.append(try await TestRouter.start("r\(number)", redis: redis.url))
    }
    var failure: (any Error)?
    do { try await body(&cluster) } catch { failure = error }
    cluster.redis.process.signal(SIGCONT)
    try await node.remove()
    if let failure { throw failure }
  }

  private func take(_ absence: Absence, _ redis: RedisServer) async throws {
    switch absence {
    case .stopped: redis.process.signal(SIGSTOP)
    case .emptied: try await redis.stop()
    }
  }

  private func giveBack(_ absence: Absence, _ redis: RedisServer) async throws -> RedisServer {
    guard absence == .stopped else { return try await redis.restart() }
    redis.process.signal(SIGCONT)
    return redis
  }

  @Test(arguments: Absence.allCases)
  func aNodeThatIsKilledWhileRedisIsAwayGoesOnExactly(_ absence: Absence) async throws {
    try await with { cluster in
      let url = cluster.routers[0].url
      let viewer = try Viewer(url, create: Creation(command: ["sh", "-c", "echo $$; exec cat"]))
      try await viewer.until(ending: "\r\n")
      let session = viewer.terminal.session
      let first = try #require(try await cluster.location(of: session)?.epoch)
      // Two kills with Redis away take some 20 s, and the judged session lasts longer than they.
      var trial = Trial(url: url, seed: 15, output: 3_000_000, input: 40_000, pace: 60_000)
      trial.limit = .seconds(400) * patience
      let judged = Task { [trial] in await trial.run() }
      try await eventually("the judged session runs") {
        try await Fairlead.run(["sessions", "-o", "json", "--api", url])
          .output.contains("generator")
      }
      try await take(absence, cluster.redis)
      for kill in 1...2 {
        try await cluster.node.end()
        try await cluster.node.start()
        viewer.type("without Redis \(kill)\n")
        try await viewer.until(ending: "without Redis \(kill)\r\nwithout Redis \(kill)\r\n")
      }
      cluster.redis = try await giveBack(absence, cluster.redis)
      for router in cluster.routers.indices {
        try await eventually("its record is right again") {
          let location = try await cluster.location(of: session, by: router)
          return location?.why == "owner" && location?.node == "n0" && location?.holder != nil
            && location?.epoch == first + 2
        }
      }
      for command in ["where", "session"] {
        let output = try await Fairlead.run(
          [command, session.rawValue, "--api", url, "-o", "json"]
        ).output
        let told = try JSONDecoder().decode(Told.self, from: Data(output.utf8)).history
        #expect(told.map(\.why) == [.started, .restarted, .restarted], "\(command)")
        #expect(told.map(\.epoch.rawValue) == [first, first + 1, first + 2])
        #expect(told.allSatisfy { $0.node == "n0" && $0.since != nil })
      }
      // What is new goes there, too, and a cold router finds what was kept.
      let late = try Viewer(cluster.routers[1].url, session: session)
      try await late.until("it is open") { !$0.opened.isEmpty }
      late.type("with Redis\n")
      try await viewer.until(ending: "with Redis\r\nwith Redis\r\n")
      let fresh = try Viewer(url, create: Creation(command: ["echo", "new"]))
      try await fresh.until("it has ended") { $0.ended != nil }
      let verdict = await judged.value
      #expect(verdict.differences.isEmpty, "\(verdict.differences)\n\(cluster.node.remarks)")
      #expect(viewer.seen.opened.map(\.life).allSatisfy { $0 == viewer.seen.opened[0].life })
    }
  }

  /// P10: what ended meanwhile is told how, and not that it is lost.
  @Test func howASessionEndedWhileRedisWasAwayIsKnownAfterwards() async throws {
    try await with { cluster in
      let url = cluster.routers[0].url
      let viewer = try Viewer(url, create: Creation(command: ["sh", "-c", "read x; exit 7"]))
      try await viewer.until("it is open") { !$0.opened.isEmpty }
      try await take(.stopped, cluster.redis)
      try await cluster.node.end()
      try await cluster.node.start()
      viewer.type("\n")
      try await viewer.until("it is told") { $0.ended?.status == .exited(code: 7) }
      let session = viewer.terminal.session
      // Forgotten before Redis is back.
      try await eventually("it is forgotten") {
        try await Fairlead.run(["kill", session.rawValue, "--api", url]).code == 0
      }
      cluster.redis = try await giveBack(.stopped, cluster.redis)
      try await eventually("its end is known") {
        try await Fairlead.run(["where", session.rawValue, "--api", url]).output.contains("exit 7")
      }
    }
  }

  /// Without kept sessions there is nothing to serve: an operator who mistyped an address soon knows.
  @Test func aNodeThatHasNothingEndsWhereRedisIsAway() async throws {
    try await with { cluster in
      try await take(.emptied, cluster.redis)
      try await cluster.node.end()
      try await cluster.node.start(waits: false)
      #expect(try await cluster.node.process.waitForExit(atMost: .seconds(60)) != 0)
      cluster.redis = try await giveBack(.emptied, cluster.redis)
      try await cluster.node.start()
    }
  }
}
