// An operator's log tells what became of a node, once.

import FoundationEssentials
import Logging
import Registry
import Testing
import Wire

@testable import Router

@Suite struct NodeStoryTests {
  private func entry(_ id: String, run: UInt64 = 1, lease: Int = 9_000, sessions: Int = 3)
    -> NodeEntry
  {
    NodeEntry(
      record: NodeRecord(
        id: NodeID(unchecked: id), incarnation: Incarnation(rawValue: run),
        loops: [NodeAddress(host: "127.0.0.1", port: 1)], capacity: 10, sessions: sessions),
      isDraining: false, leaseMilliseconds: lease)
  }

  private let start = Date(timeIntervalSince1970: 1_795_532_120)

  @Test func aNodeThatDiesIsSaidOnceWithItsSessionsAndWhenItWasNoticed() throws {
    var story = NodeStory()
    #expect(story.hear([entry("a"), entry("b", lease: -90_000)], at: start).isEmpty, "no news")
    #expect(story.hear([entry("a", lease: -1), entry("b", lease: -92_000)], at: start).isEmpty)
    let dead = story.hear([entry("a", lease: -6_000), entry("b", lease: -98_000)], at: start + 6)
    let line = try #require(dead.first)
    #expect(dead.count == 1 && line.level == .warning && line.text.contains("has died"))
    #expect(
      line.metadata == [
        "node": "a", "sessions": "3", "first_noticed": "\(start.ISO8601Format())",
      ])
    #expect(story.hear([entry("a", lease: -8_000)], at: start + 8).isEmpty)
    let back = story.hear([entry("a")], at: start + 10)
    #expect(back.count == 1 && back[0].text.contains("is back") && back[0].level == .warning)
    #expect(story.hear([entry("a")], at: start + 12).isEmpty)
  }

  @Test func whoLeavesInOrderHasNotDied() {
    var story = NodeStory()
    _ = story.hear([entry("a"), entry("b")], at: start)
    let left = story.hear([entry("b")], at: start)
    #expect(left.map(\.text) == ["a node has left"] && left[0].metadata == ["node": "a"])
    #expect(left[0].level == .notice)
    let joined = story.hear([entry("a", run: 2), entry("b")], at: start)
    #expect(joined.map(\.text) == ["a node has joined"])
  }

  @Test func aNewRunTellsWhatTheLastOneHad() {
    var story = NodeStory()
    _ = story.hear([entry("a")], at: start)
    let anew = story.hear([entry("a", run: 2, sessions: 0)], at: start)
    #expect(anew.count == 1 && anew[0].level == .warning)
    #expect(anew[0].metadata == ["node": "a", "sessions": "3"])
    _ = story.hear([entry("a", run: 2, lease: -6_000)], at: start)
    #expect(story.hear([], at: start).isEmpty, "a dead one is forgotten without a word")
  }
}
