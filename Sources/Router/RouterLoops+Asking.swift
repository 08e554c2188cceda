// A question to the nodes, over the links of all loops: which of them has a session that has no record in the registry
// (Routes/LostRecords.swift says when that is asked).

import NIOCore
import Registry
import Wire

extension RouterLoops {
  /// Asks all nodes at the same time. The session's hash names the loop on both sides, so that the same links are used each time.
  func ask(_ nodes: [NodeEntry], for session: SessionID) async -> NodesReport {
    var answer = NodesReport()
    var asked: [(entry: NodeEntry, route: Route)] = []
    for entry in nodes
    where (!entry.isDead || entry.mayComeBack) && !entry.record.loops.isEmpty {
      let loop = session.loopIndex(of: entry.record.loops.count)
      if !entry.isDead, context.health.trouble(of: entry.record) == nil,
        let route = NodeDirectory.route(to: entry, loop: loop)
      {
        asked.append((entry, route))
      } else {
        answer.unanswered.append(entry)
      }
    }
    let routes = asked.map(\.route)
    let request = LinkRequest(method: .announce, session: session)
    let results = try? await onLoop(for: session.rawValue) { loop in
      EventLoopFuture.whenAllComplete(
        routes.map { loop.ask($0, request, within: RouterLimits.announceDeadline) },
        on: loop.eventLoop)
    }
    for (index, (entry, route)) in asked.enumerated() {
      guard let results, case .success(let told) = results[index], told.error == nil else {
        answer.unanswered.append(entry)
        continue
      }
      // The node may have yet to ask its holder.
      if told.epoch == nil, entry.mayRestore { answer.unanswered.append(entry) }
      if let epoch = told.epoch, epoch > answer.record?.epoch ?? Epoch(0) {
        answer.record = SessionRecord(
          node: route.node, incarnation: route.incarnation, epoch: epoch)
      }
    }
    return answer
  }
}
