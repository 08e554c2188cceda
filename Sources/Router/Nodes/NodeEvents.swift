// What this router tells of the cluster for who asks later.

import Logging
import NIOConcurrencyHelpers
import Registry
import Wire

extension RouterContext {
  /// What every router notices is noted by the first.
  func note(_ line: NodeStory.Line) async {
    guard isListed else { return }
    let (what, node) = (line.event.what, line.event.node)
    let count = line.metadata["sessions"].map { " (\($0) sessions)" } ?? ""
    let text = line.text.replacing("a node", with: "node \(node)", maxReplacements: 1)
    let event = ClusterEvent(what, node: node, text: text + count)
    // Routers notice it within seconds of each other; one that dies again later is told again.
    let minute = WallClock.milliseconds / RouterLimits.refusalsTold
    try? await registry.note(event, once: "\(what) \(node) \(line.event.incarnation) \(minute)")
  }

  /// That no node can take a session, once a minute.
  func noteRefusal(_ reason: String) {
    guard isListed else { return }
    let minute = WallClock.milliseconds / RouterLimits.refusalsTold
    let isFirst = refusalTold.withLockedValue { last in
      defer { last = minute }
      return last != minute
    }
    guard isFirst else { return }
    let event = ClusterEvent(.refused, text: "a new session was refused: \(reason)")
    Task { [registry] in try? await registry.note(event, once: "refused \(minute)") }
  }
}
