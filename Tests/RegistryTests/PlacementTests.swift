// Placement is even, weighted, and moves only a joining or leaving node's own share.

import Testing
import Wire

@testable import Registry

@Suite struct PlacementTests {
  private func entry(
    _ id: String, weight: Double = 1, capacity: Int = 1_000_000, sessions: Int = 0,
    labels: [String: String] = [:], draining: Bool = false, lease: Int = 9_000
  ) -> NodeEntry {
    NodeEntry(
      record: NodeRecord(
        id: NodeID(unchecked: id), incarnation: Incarnation(rawValue: 1),
        loops: [NodeAddress(host: "h", port: 1)], labels: labels, weight: weight,
        capacity: capacity, sessions: sessions),
      wish: draining ? .drain : .serve, leaseMilliseconds: lease)
  }

  private func session(_ number: Int) -> SessionID { SessionID(unchecked: "session-\(number)") }

  /// Places `count` sessions as routers do, each on top of the earlier ones.
  private func place(_ count: Int, on nodes: [NodeEntry]) -> [NodeID: Int] {
    var nodes = nodes
    var placed: [NodeID: Int] = [:]
    for number in 0..<count {
      guard let chosen = Placement.choose(session(number), nodes: nodes) else { continue }
      placed[chosen, default: 0] += 1
      if let index = nodes.firstIndex(where: { $0.record.id == chosen }) {
        nodes[index].record.sessions += 1
      }
    }
    return placed
  }

  /// Promise P9: what a node says of itself, by mistake or on purpose, stops no router.
  @Test func aNodeThatSaysNonsenseHarmsNobody() {
    var nodes = [entry("a")]
    for (index, weight) in [-.infinity, -1, 1e308, .infinity].enumerated() {
      for count in [Int.min, -1, Int.max] {
        let lie = entry("lie-\(index)", weight: weight, capacity: count, sessions: count)
        for (deadline, now) in [(Int.min, 1), (Int.max, -1), (0, Int.min), (1_000, 0)] {
          nodes.append(
            NodeEntry(read: lie.record, wish: .serve, deadline: deadline, now: now))
        }
      }
    }
    #expect(nodes.filter(\.isLive).count > 1 && nodes.contains(where: \.isDead))
    let ranked = Placement.rank(session(1), nodes: nodes)
    #expect(ranked.count == nodes.count)
    #expect(Placement.choose(session(1), nodes: [entry("a")] + nodes.suffix(4)) != nil)
  }

  @Test func whatASessionAsksOfItsNodeIsAddedToWhatItsTargetNeeds() {
    let asked = Creation(labels: ["gpu": "true", "pty": "false"])
    #expect(asked.requirements == ["gpu": "true", "pty": "true"])
    #expect(Creation(target: Target(unchecked: "docker:c")).requirements == ["docker": "true"])
  }

  @Test func aSessionWithoutANameIsHeldWhereItsClientIs() {
    for loops in 1...8 {
      for index in 0..<loops {
        #expect(SessionID.random(onLoop: index, of: loops).loopIndex(of: loops) == index)
      }
    }
  }

  @Test func loadIsEven() {
    let placed = place(3_000, on: ["a", "b", "c"].map { entry($0) })
    #expect(placed.values.allSatisfy { (900...1_100).contains($0) }, "\(placed)")
  }

  @Test func loadFollowsWeights() {
    let placed = place(4_000, on: [entry("a", weight: 1), entry("b", weight: 3)])
    let share = Double(placed[NodeID(unchecked: "b")] ?? 0) / 4_000
    #expect((0.70...0.80).contains(share), "\(placed)")
  }

  @Test func noNodeGetsMoreThanItsBoundedShare() {
    // Everything else about these nodes is equal, and one is far ahead already.
    let nodes = [entry("a", sessions: 300), entry("b", sessions: 10), entry("c", sessions: 10)]
    for number in 0..<500 {
      #expect(Placement.choose(session(number), nodes: nodes) != NodeID(unchecked: "a"))
    }
  }

  @Test func aJoiningNodeTakesOnlyItsShareAndNothingElseMoves() {
    let before = ["a", "b", "c"].map { entry($0) }
    let after = before + [entry("d")]
    var moved = 0
    for number in 0..<4_000 {
      let old = Placement.choose(session(number), nodes: before)
      let new = Placement.choose(session(number), nodes: after)
      guard old != new else { continue }
      #expect(new == NodeID(unchecked: "d"))
      moved += 1
    }
    #expect((850...1_150).contains(moved), "a quarter of 4,000; moved: \(moved)")
  }

  @Test func aLeavingNodeMovesOnlyWhatItHad() {
    let before = ["a", "b", "c", "d"].map { entry($0) }
    let after = Array(before.dropLast())
    for number in 0..<2_000 {
      let old = Placement.choose(session(number), nodes: before)
      let new = Placement.choose(session(number), nodes: after)
      #expect(old == NodeID(unchecked: "d") || old == new)
    }
  }

  @Test func whoCannotTakeASessionIsPassedOverAndSaysWhy() {
    let nodes = [
      entry("dead", lease: -1), entry("drains", draining: true),
      entry("full", capacity: 5, sessions: 5), entry("plain"),
      entry("docker", labels: ["docker": "true"]), entry("none", weight: 0),
    ]
    for number in 0..<200 {
      let chosen = Placement.choose(
        session(number), nodes: nodes, requirements: ["docker": "true"])
      #expect(chosen == NodeID(unchecked: "docker"))
    }
    let ranked = Placement.rank(session(1), nodes: nodes, requirements: ["docker": "true"])
    let obstacles = Dictionary(uniqueKeysWithValues: ranked.map { ($0.node.rawValue, $0.obstacle) })
    #expect(obstacles["dead"] == "its lease has ended")
    #expect(obstacles["drains"] == "draining")
    #expect(obstacles["plain"] == "has no label docker=true")
    #expect(obstacles["none"] == "its weight is 0")
    #expect(ranked.first?.node.rawValue == "docker")
    #expect(Placement.choose(session(1), nodes: []) == nil)
  }

  @Test func whatARouterHasSentOnItsWayCounts() {
    let nodes = [entry("a"), entry("b")]
    let busy = NodeID(unchecked: "a")
    for number in 0..<100 {
      #expect(
        Placement.choose(session(number), nodes: nodes, inFlight: [busy: 50])
          == NodeID(unchecked: "b"))
    }
  }

  @Test func whatIsOnItsWayCountsUntilTheNodeHasReportedIt() {
    let start = ContinuousClock.now
    func report(_ heartbeat: Duration, at now: Duration) -> NodeEntry {
      var report = entry("a")
      report.leaseMilliseconds = Lease.length - Int((now - heartbeat) / .milliseconds(1))
      return report
    }
    let id = NodeID(unchecked: "a")
    var inFlight = InFlight()
    for _ in 0..<4 { inFlight.add(id, at: start + .seconds(10)) }
    inFlight.takeBack(id)
    inFlight.takeBack(NodeID(unchecked: "b"))
    inFlight.settle([report(.seconds(9), at: .seconds(11))], asked: start + .seconds(11))
    #expect(inFlight.counts == [id: 3], "that heartbeat was older")
    inFlight.add(id, at: start + .seconds(12))
    inFlight.settle([report(.seconds(12), at: .seconds(13))], asked: start + .seconds(13))
    #expect(inFlight.counts == [id: 1], "what came after it is not in it")
    inFlight.settle([report(.seconds(15), at: .seconds(15))], asked: start + .seconds(15))
    #expect(inFlight.counts.isEmpty)
    inFlight.add(id, at: start + .seconds(16))
    inFlight.settle([], asked: start + .seconds(17))
    #expect(inFlight.counts.isEmpty, "the node has left")
    for second in 0..<1_000 { inFlight.add(id, at: start + .seconds(20 + second)) }
    #expect(
      inFlight.counts[id, default: 0] < 100, "a node that never reports takes no more and more")
  }

  @Test func whoCannotPlaceASessionSaysWhy() {
    var full = entry("full")
    full.record.capacity = 3
    let ranked = Placement.rank(
      session(1), nodes: [full], inFlight: [full.record.id: 3])
    #expect(Placement.choose(ranked) == nil)
    #expect(Placement.obstacles(ranked) == "full: full (3 sessions)")
    #expect(Placement.lastResort(ranked)?.node == NodeID(unchecked: "full"), "some may have ended")
    #expect(Placement.obstacles([]) == "no node is registered")
  }
}

@Suite struct OwnerStateTests {
  private let record = SessionRecord(
    node: NodeID(unchecked: "a"), incarnation: Incarnation(rawValue: 1), epoch: Epoch(1))

  private func node(_ incarnation: UInt64 = 1, lease: Int = 9_000) -> NodeEntry {
    NodeEntry(
      record: NodeRecord(
        id: NodeID(unchecked: "a"), incarnation: Incarnation(rawValue: incarnation), loops: [],
        capacity: 1), leaseMilliseconds: lease)
  }

  /// Promise P10.
  @Test func anOwnerThatIsGoneIsSaidToBe() {
    for (nodes, state, isLost, word) in [
      ([node()], OwnerState.alive, false, "owned by a"),
      ([node(lease: -2_000)], .silent(milliseconds: 2_000), false, "ended 2 s ago"),
      ([node(lease: -40_000)], .dead(milliseconds: 40_000), true, "lost, unless"),
      ([node(2)], .replaced(by: Incarnation(rawValue: 2)), true, "started anew"),
      ([], .gone, true, "has left"),
    ] {
      #expect(record.ownerState(among: nodes) == state)
      #expect(state.isLost == isLost)
      #expect(record.explanation(state).contains(word))
    }
    #expect(record.ownerState(among: [node(lease: .min)]).isLost)
  }
}
