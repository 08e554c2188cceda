// What happened is kept, in order, the last ones, and once where several notice it: the same by both registries.

import Logging
import Redis
import Registry
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct EventTests {
  private let a = NodeID(unchecked: "a")
  private let b = NodeID(unchecked: "b")

  private func check(_ registry: any Registry) async throws {
    #expect(try await registry.events(after: "0-0", limit: 10).isEmpty)
    for number in 0..<3 {
      try await registry.note(ClusterEvent(.joined, node: a, text: "\(number)"), once: nil)
    }
    for _ in 0..<2 {
      try await registry.note(ClusterEvent(.died, node: b, text: "died"), once: "died b 1")
    }
    let all = try await registry.events(after: "0-0", limit: 10)
    #expect(all.map(\.event.text) == ["0", "1", "2", "died"])
    #expect(all.allSatisfy { ListedEvent.isID($0.id) })
    #expect(try await registry.events(after: "0-0", limit: 2) == Array(all.prefix(2)))
    #expect(try await registry.events(after: all[1].id, limit: 10) == Array(all.dropFirst(2)))
    // What becomes of sessions is noted by the registry itself.
    let session = SessionID(unchecked: "s")
    let record = NodeRecord(
      id: a, incarnation: Incarnation(rawValue: 1), loops: [], capacity: 1,
      holder: "container:E.K/c")
    _ = try await registry.heartbeat(record)
    let claimed = try await registry.claim(
      session, node: a, incarnation: Incarnation(rawValue: 1), creator: nil,
      holder: "container:E.K/c")
    guard case .claimed = claimed, let owned = try await registry.lookUp(session) else {
      Issue.record("\(claimed)")
      return
    }
    let epoch = try #require(
      try await registry.takeOver(
        session, from: owned, node: b, incarnation: Incarnation(rawValue: 2)))
    #expect(
      try await registry.release(
        session, node: b, incarnation: Incarnation(rawValue: 2), epoch: epoch,
        tombstone: Tombstone(status: nil, reason: .lost)))
    let told = try await registry.events(after: all[3].id, limit: 10).map(\.event)
    #expect(told.map(\.what) == [.moved, .lost] && told.allSatisfy { $0.session == session })
    #expect(told.first?.text == "session s has gone from node a to node b")
  }

  @Test func eventsAreKeptInMemory() async throws { try await check(MemoryRegistry()) }

  @Test func eventsAreKeptInRedis() async throws {
    let server = try await RedisServer.start()
    let registry = try RedisRegistry(
      url: server.url, cluster: "test", logger: Logger(label: "test"))
    try await check(registry)
    await registry.shutdown()
  }

  @Test func aNodeThatIsCordonedKeepsWhatItHasAndIsPassedOver() async throws {
    let registry = MemoryRegistry()
    let record = NodeRecord(
      id: a, incarnation: Incarnation(rawValue: 1), loops: [], capacity: 10)
    _ = await registry.heartbeat(record, isRenewal: false)
    #expect(await registry.setWish(a, .cordon))
    #expect(await registry.heartbeat(record, isRenewal: true) == .alive(.cordon))
    let nodes = await registry.nodes()
    #expect(nodes.allSatisfy { $0.wish == .cordon && $0.isLive && !$0.takesNew })
    let ranked = Placement.rank(SessionID(unchecked: "s"), nodes: nodes)
    #expect(ranked.map(\.obstacle) == ["cordoned"])
    #expect(await registry.setWish(a, .serve))
    #expect(await registry.nodes().allSatisfy(\.takesNew))
  }

  @Test(arguments: [
    ("1-0", true), ("", false), ("1", false), ("-", false), ("1-x", false), ("1-2-3", false),
  ])
  func anIDIsTwoNumbers(text: String, isOne: Bool) { #expect(ListedEvent.isID(text) == isOne) }
}
