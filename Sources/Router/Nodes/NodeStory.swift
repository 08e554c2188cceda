// What becomes of the nodes, as a router sees it from one list of them to the next: the lines of its log by which an
// operator learns that a node has died, with how much, that it is back, or that it has left in order. Pure.

import FoundationEssentials
import Logging
import Registry
import Wire

struct NodeStory: Sendable {
  struct Line: Equatable {
    var level: Logger.Level
    var text: String
    var metadata: Logger.Metadata
    var event: Event

    /// For who reads it the next morning.
    struct Event: Equatable {
      var what: ClusterEvent.What
      var node: NodeID
      var incarnation: Incarnation
    }
  }

  private struct Known {
    var record: NodeRecord
    var isDead: Bool
    /// When its lease was first seen to have ended.
    var silentSince: Date?
  }

  private var known: [NodeID: Known] = [:]
  private var hasBegun = false
  private var lastAsked: ContinuousClock.Instant?

  /// Whether a node that lived is in the list no more: it has left, unless the registry has lost its data.
  func misses(_ nodes: [NodeEntry]) -> Bool {
    let ids = Set(nodes.map(\.record.id))
    return known.contains { !ids.contains($0.key) && !$0.value.isDead }
  }

  /// - Parameters:
  ///   - nodes: all that are registered. What the first list has is no news.
  ///   - asked: when the list was asked for: one that comes after a later one is old.
  ///   - isSettled: false: the registry has lost data, and who is not in the list may have yet to come back to it.
  mutating func hear(
    _ nodes: [NodeEntry], at now: Date, asked: ContinuousClock.Instant,
    isSettled: Bool
  ) -> [Line] {
    if let lastAsked, asked < lastAsked { return [] }
    lastAsked = asked
    var lines: [Line] = []
    var next: [NodeID: Known] = [:]
    for entry in nodes {
      let before = known[entry.record.id]
      let isSame = before?.record.incarnation == entry.record.incarnation
      let since = isSame ? before?.silentSince : nil
      let current = Known(
        record: entry.record, isDead: entry.isDead,
        silentSince: entry.isLive ? nil : since ?? now)
      if hasBegun, let line = Self.line(from: before, to: current) { lines.append(line) }
      next[entry.record.id] = current
    }
    // A node that died is forgotten after a time.
    for (id, gone) in known.sorted(by: { $0.key.rawValue < $1.key.rawValue })
    where next[id] == nil && !gone.isDead {
      guard isSettled else {
        next[id] = gone
        continue
      }
      lines.append(
        Line(
          level: .notice, text: "a node has left", metadata: ["node": "\(id)"],
          event: Line.Event(what: .left, node: id, incarnation: gone.record.incarnation)))
    }
    known = next
    hasBegun = true
    return lines
  }

  private static func line(from before: Known?, to current: Known) -> Line? {
    let record = current.record
    func line(
      _ what: ClusterEvent.What, _ level: Logger.Level, _ text: String,
      _ more: Logger.Metadata = [:]
    ) -> Line {
      Line(
        level: level, text: text, metadata: more.merging(["node": "\(record.id)"]) { $1 },
        event: Line.Event(what: what, node: record.id, incarnation: record.incarnation))
    }
    guard let before else {
      return current.isDead
        ? nil : line(.joined, .info, "a node has joined", ["capacity": "\(record.capacity)"])
    }
    if before.record.incarnation != record.incarnation {
      let lost = before.record.sessions
      if record.holder != nil, record.holder == before.record.holder {
        return line(
          .restarted, .notice, "a node was started anew, and restores what its holder kept",
          ["sessions": "\(lost)"])
      }
      return line(
        .restarted, lost > 0 ? .warning : .notice,
        "a node was started anew; what its last run had is gone", ["sessions": "\(lost)"])
    }
    if current.isDead, !before.isDead {
      return line(
        .died, .warning,
        record.holder == nil
          ? "a node has died: its sessions count as lost, unless it comes back"
          : "a node has died: its sessions are held, and go on if it is started again within the hour",
        [
          "sessions": "\(record.sessions)",
          "first_noticed": "\((current.silentSince ?? Date()).ISO8601Format())",
        ])
    }
    if before.isDead, !current.isDead {
      return line(
        .back, .warning, "a node that counted as dead is back, and its sessions with it",
        ["sessions": "\(record.sessions)"])
    }
    return nil
  }
}
