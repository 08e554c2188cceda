// What operators are told of a cluster before they change it: pure, from lists that a test makes.

import API
import Registry
import Testing
import Wire

@testable import fairlead

private func entry(
  _ id: String, weight: Double = 1, sessions: Int = 0, lease: Int = 9_000, isDraining: Bool = false,
  labels: [String: String] = [:]
) -> NodeEntry {
  NodeEntry(
    record: NodeRecord(
      id: NodeID(unchecked: id), incarnation: Incarnation(rawValue: 1),
      loops: [NodeAddress(host: "::1", port: 1)], labels: labels, weight: weight, capacity: 100,
      sessions: sessions, version: "1"),
    wish: isDraining ? .drain : .serve, leaseMilliseconds: lease)
}

private func session(_ id: String, holder: String? = nil, state: SessionState = .running)
  -> SessionSummary
{
  SessionSummary(
    session: SessionID(unchecked: id), node: "a", life: Life(rawValue: 1), epoch: Epoch(1),
    target: "pty", command: [], state: state, status: nil, size: .standard, title: nil, created: 0,
    idle: 0, output: 0, input: 0, holder: holder, viewers: [])
}

@Suite struct OperatorTests {
  @Test func aNodeMoreTakesItsShareOfNewNamesAndNoMore() throws {
    let before = ["a", "b", "c"].map { entry($0, sessions: 50) }
    var after = before
    try RingChange(formed: "add=d")?.apply(to: &after)
    let ring = Ring(before, after, samples: 4_000)
    #expect((0.21...0.29).contains(ring.moved), "\(ring.moved)")
    #expect(ring.shares.map(\.node.rawValue) == ["a", "b", "c", "d"])
    #expect(ring.shares.allSatisfy { (0.21...0.29).contains($0.after) })
    // Only names that the new one gets are placed elsewhere.
    #expect(ring.moved == ring.shares[3].after)
    var heavier = before
    try RingChange(formed: "weight=a:2")?.apply(to: &heavier)
    let share = Ring(before, heavier, samples: 4_000).shares[0].after
    #expect((0.46...0.54).contains(share), "\(share)")
    var fewer = before
    try RingChange(formed: "remove=a")?.apply(to: &fewer)
    let left = Ring(before, fewer, samples: 4_000)
    #expect(left.moved == left.shares[0].share && left.shares[0].after == 0)
    #expect(throws: (any Error).self) { try RingChange(formed: "remove=x")?.apply(to: &fewer) }
    for wrong in ["add", "add=", "add=a b", "remove=a:2", "weight=a", "weight=a:0", "weight=a:x"] {
      #expect(RingChange(formed: wrong) == nil, "\(wrong)")
    }
  }

  @Test func whatStoppingANodeWouldDoIsSaidOfEachSession() {
    let engine = "ENGINE.KEY"
    let held = "container:\(engine)/0123456789ab"
    let nodes = [entry("a"), entry("b", labels: ["engine": engine])].map { NodeView($0) }
    let sessions = [
      session("moves", holder: held), session("stays", holder: "boot/holder"), session("ends"),
      session("over", state: .ended), session("else", state: .lost),
    ]
    let outcome = StopOutcome(of: NodeID(unchecked: "a"), sessions, among: nodes)
    #expect(outcome.moved.map(\.rawValue) == ["moves"])
    #expect(outcome.paused.map(\.rawValue) == ["stays"])
    #expect(outcome.lost.map(\.rawValue) == ["ends"])
    #expect(outcome.ended.map(\.rawValue) == ["over"])
    #expect(outcome.text.contains("lost    1 since nothing holds their terminals: ends"))
    // Of a node that is away, what its records say.
    let away = StopOutcome(
      of: NodeID(unchecked: "a"),
      [session("held", holder: "boot/holder", state: .held), session("gone", state: .lost)],
      among: nodes)
    #expect(away.held.map(\.rawValue) == ["held"] && away.gone.map(\.rawValue) == ["gone"])
    #expect(away.text.contains("paused  1 already (held): held"), "\(away.text)")
    #expect(away.text.contains("lost    1 already, with the node: gone"), "\(away.text)")
    // Nobody else reaches the engine, or takes sessions.
    for other in [entry("b"), entry("b", isDraining: true, labels: ["engine": engine])] {
      let alone = StopOutcome(
        of: NodeID(unchecked: "a"), sessions, among: [NodeView(entry("a")), NodeView(other)])
      #expect(alone.moved.isEmpty && alone.paused.count == 2)
    }
  }

  @Test func aMonitorIsToldTheWorst() {
    func nodes(_ entries: NodeEntry..., link: String? = "ok") -> Verdict {
      .of(entries.map { NodeView($0, link: link) })
    }
    #expect(nodes(entry("a"), entry("b", sessions: 3)).grade == .good)
    #expect(nodes(entry("a", sessions: 90)).grade == .warning)
    #expect(nodes(entry("a"), entry("b", isDraining: true)).grade == .warning)
    #expect(nodes(entry("a", isDraining: true)).grade == .critical, "nobody takes new sessions")
    #expect(nodes(entry("a"), entry("b", lease: -1)).grade == .critical)
    #expect(nodes(entry("a"), link: "does not answer: x").words == "node a does not answer: x")
    #expect(nodes().grade == .critical)

    var health = RegistryHealth(kind: .redis)
    health.version = "7.0.15"
    health.latency = 0.42
    #expect(Verdict.of(health) == Verdict(.good, "Redis 7.0.15, answers in 0.4 ms"))
    health.latency = 500
    #expect(Verdict.of(health).grade == .warning)
    health.role = "slave"
    #expect(Verdict.of(health).grade == .critical)
    #expect(Verdict.of(RegistryHealth(kind: .memory)).grade == .good)
    #expect(Verdict.of([RouterView]()).grade == .critical)
    let unknown = Verdict.all([
      Verdict(.good, "x"), Verdict(.unknown, "y"), Verdict(.warning, "z"),
    ])
    #expect(unknown == Verdict(.unknown, "y; z") && unknown.grade.exitCode == 2)
  }

  private func router(_ id: String, _ incarnation: UInt64, lease: Int) -> RouterView {
    RouterView(
      RouterEntry(
        record: RouterRecord(
          id: NodeID(unchecked: id), incarnation: Incarnation(rawValue: incarnation),
          url: "http://h:\(incarnation)", version: "1", started: incarnation),
        leaseMilliseconds: lease))
  }

  @Test func aRouterThatLivesHidesItsEarlierStarts() {
    let routers = [
      router("r1", 1, lease: -1), router("r1", 2, lease: 1), router("r2", 3, lease: -1),
    ]
    #expect(routers.withoutPast.map(\.incarnation.rawValue) == [2, 3])
    #expect(Verdict.of(routers.withoutPast).words == "router r2 is silent")
    #expect(Verdict.of(Array(routers.withoutPast.prefix(1))).grade == .good)
  }
}
