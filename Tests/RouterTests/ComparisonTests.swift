// What the registry's records and the nodes say is compared session by session, and what differs is named by its kind.

import API
import Registry
import Testing
import Wire

@testable import Router

@Suite struct ComparisonTests {
  private let a = NodeID(unchecked: "a")
  private let b = NodeID(unchecked: "b")
  private let first = Incarnation(rawValue: 1)

  private func entry(_ id: NodeID, lease: Int = 9_000) -> NodeEntry {
    NodeEntry(
      record: NodeRecord(
        id: id, incarnation: first, loops: [NodeAddress(host: "::1", port: 1)], capacity: 10),
      leaseMilliseconds: lease)
  }

  private func record(_ node: NodeID, _ epoch: UInt64 = 1, holder: String? = nil) -> SessionRecord {
    SessionRecord(node: node, incarnation: first, epoch: Epoch(epoch), holder: holder)
  }

  private func summary(_ id: String, _ node: NodeID, _ epoch: UInt64 = 1, ended: Bool = false)
    -> SessionSummary
  {
    SessionSummary(
      session: SessionID(unchecked: id), node: node.rawValue, life: Life(rawValue: 1),
      epoch: Epoch(epoch), target: "pty", command: [], state: ended ? .ended : .running,
      status: nil, size: .standard, title: nil, created: 0, idle: 0, output: 0, input: 0,
      viewers: [])
  }

  private func kinds(
    _ records: [String: SessionRecord], _ answers: [NodeID: [SessionSummary]],
    nodes: [NodeEntry]? = nil
  ) -> [String] {
    let byID = Dictionary(records.map { (SessionID(unchecked: $0), $1) }) { $1 }
    return Comparison(records: byID, answers: answers, nodes: nodes ?? [entry(a), entry(b)])
      .findings.map { "\($0.kind) \($0.session?.rawValue ?? "-") \($0.node?.rawValue ?? "-")" }
  }

  @Test func whatAgreesIsNoFinding() {
    #expect(kinds(["s": record(a)], [a: [summary("s", a)], b: []]).isEmpty)
    #expect(
      kinds([:], [a: [summary("s", a, ended: true)], b: []]).isEmpty, "it is released by now")
    // A node that did not answer may have what its records say.
    #expect(kinds(["s": record(a)], [b: []]).isEmpty)
    // What nobody has while its holder keeps it is waited for.
    var free = record(a, holder: "container:E.K/c")
    free.isFree = true
    #expect(kinds(["s": free], [a: [], b: []]).isEmpty)
    #expect(
      kinds(
        ["s": record(a, holder: "boot/h")], [b: []], nodes: [entry(a, lease: -60_000), entry(b)]
      )
      .isEmpty)
  }

  @Test func whatDiffersIsNamed() {
    #expect(kinds(["s": record(a)], [a: [], b: []]) == ["ghost s a"])
    #expect(kinds([:], [a: [summary("s", a)], b: []]) == ["orphan s a"])
    #expect(
      kinds(["s": record(a, 2)], [a: [summary("s", a, 2)], b: [summary("s", b)]]) == ["double s -"])
    #expect(kinds(["s": record(b, 2)], [a: [summary("s", a)], b: []]) == ["stranger s a"])
    #expect(kinds(["s": record(a, 1)], [a: [summary("s", a, 2)], b: []]) == ["stranger s a"])
    #expect(
      kinds(["s": record(a)], [b: []], nodes: [entry(a, lease: -60_000), entry(b)]) == ["lost s a"])
    #expect(kinds(["s": record(a)], [b: []], nodes: [entry(b)]) == ["lost s a"])
  }
}
