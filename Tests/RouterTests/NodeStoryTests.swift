// An operator's log tells what became of a node, once (promise P10).

import FoundationEssentials
import Logging
import Registry
import Testing
import Wire

@testable import Router

@Suite struct NodeStoryTests {
  private func entry(
    _ id: String, run: UInt64 = 1, lease: Int = 9_000, sessions: Int = 3, holder: String? = nil
  ) -> NodeEntry {
    NodeEntry(
      record: NodeRecord(
        id: NodeID(unchecked: id), incarnation: Incarnation(rawValue: run),
        loops: [NodeAddress(host: "127.0.0.1", port: 1)], capacity: 10, sessions: sessions,
        holder: holder),
      leaseMilliseconds: lease)
  }

  private func hear(
    _ story: inout NodeStory, _ nodes: [NodeEntry], at now: Date, isSettled: Bool = true
  ) -> [NodeStory.Line] {
    story.hear(nodes, at: now, asked: .now, isSettled: isSettled)
  }

  private let start = Date(timeIntervalSince1970: 1_795_532_120)

  @Test func aNodeThatDiesIsSaidOnceWithItsSessionsAndWhenItWasNoticed() throws {
    var story = NodeStory()
    #expect(hear(&story, [entry("a"), entry("b", lease: -90_000)], at: start).isEmpty, "no news")
    #expect(hear(&story, [entry("a", lease: -1), entry("b", lease: -92_000)], at: start).isEmpty)
    let dead = hear(&story, [entry("a", lease: -6_000), entry("b", lease: -98_000)], at: start + 6)
    let line = try #require(dead.first)
    #expect(dead.count == 1 && line.level == .warning && line.text.contains("has died"))
    #expect(
      line.metadata == [
        "node": "a", "sessions": "3", "first_noticed": "\(start.ISO8601Format())",
      ])
    #expect(hear(&story, [entry("a", lease: -8_000)], at: start + 8).isEmpty)
    let back = hear(&story, [entry("a")], at: start + 10)
    #expect(back.count == 1 && back[0].text.contains("is back") && back[0].level == .warning)
    #expect(hear(&story, [entry("a")], at: start + 12).isEmpty)
  }

  @Test func whoLeavesInOrderHasNotDied() {
    var story = NodeStory()
    _ = hear(&story, [entry("a"), entry("b")], at: start)
    let left = hear(&story, [entry("b")], at: start)
    #expect(left.map(\.text) == ["a node has left"] && left[0].metadata == ["node": "a"])
    #expect(left[0].level == .notice)
    let joined = hear(&story, [entry("a", run: 2), entry("b")], at: start)
    #expect(joined.map(\.text) == ["a node has joined"])
  }

  @Test func aNewRunTellsWhatTheLastOneHad() {
    var story = NodeStory()
    _ = hear(&story, [entry("a")], at: start)
    let anew = hear(&story, [entry("a", run: 2, sessions: 0)], at: start)
    #expect(anew.count == 1 && anew[0].level == .warning)
    #expect(anew[0].metadata == ["node": "a", "sessions": "3"])
    _ = hear(&story, [entry("a", run: 2, lease: -6_000)], at: start)
    #expect(hear(&story, [], at: start).isEmpty, "a dead one is forgotten without a word")
  }

  @Test func whatAHolderKeepsIsNotSaidToBeLost() {
    var story = NodeStory()
    _ = hear(&story, [entry("a", holder: "boot/h")], at: start)
    let dead = hear(&story, [entry("a", lease: -6_000, holder: "boot/h")], at: start)
    #expect(dead.count == 1 && dead[0].level == .warning && dead[0].text.contains("are held"))
    let anew = hear(&story, [entry("a", run: 2, holder: "boot/h")], at: start)
    #expect(anew.count == 1 && anew[0].level == .notice && anew[0].text.contains("restores"))
    let other = hear(&story, [entry("a", run: 3, holder: "boot/other")], at: start)
    #expect(other.count == 1 && other[0].level == .warning && other[0].text.contains("is gone"))
  }

  @Test func aListThatComesLateIsOfThePast() {
    var story = NodeStory()
    let asked = ContinuousClock.now
    _ = hear(&story, [entry("a"), entry("b")], at: start)
    #expect(hear(&story, [entry("b")], at: start).map(\.text) == ["a node has left"])
    let late = story.hear([entry("a"), entry("b")], at: start, asked: asked, isSettled: true)
    #expect(late.isEmpty)
    #expect(hear(&story, [entry("b")], at: start).isEmpty)
  }

  /// Its nodes register again within seconds.
  @Test func nobodyHasLeftARegistryThatWasEmptied() {
    var story = NodeStory()
    _ = hear(&story, [entry("a"), entry("b"), entry("c")], at: start)
    #expect(!story.misses([entry("a"), entry("b"), entry("c")]) && story.misses([entry("a")]))
    #expect(hear(&story, [], at: start, isSettled: false).isEmpty)
    #expect(hear(&story, [entry("a")], at: start, isSettled: false).isEmpty)
    let settled = hear(&story, [entry("a"), entry("b")], at: start)
    #expect(settled.map(\.text) == ["a node has left"] && settled[0].metadata == ["node": "c"])
  }
}
