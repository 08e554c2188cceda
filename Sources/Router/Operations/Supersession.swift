// A node that is cut off from the registry, and only from that, does not hear that it counts as dead, or that another
// process has its name, and that another node has made a session of the same name since. Its clients would type on
// into a second process. The router, which has both the link and the registry, tells it (promise P3).

import Logging
import Registry
import Wire

/// A session as a doubtful node has it.
struct DoubtfulSession: Sendable {
  var session: SessionID
  var epoch: Epoch
  var route: Route
}

extension RouterLoop {
  /// Sessions with streams on links to nodes that count as dead or were replaced, at most so many; others the
  /// next time.
  var doubtfulSessions: [DoubtfulSession] {
    var found: [DoubtfulSession] = []
    for link in links.values where link.isUsable && isDoubtful(link.route) {
      for (session, epoch) in link.sessions {
        found.append(DoubtfulSession(session: session, epoch: epoch, route: link.route))
      }
    }
    return Array(found.shuffled().prefix(RouterLimits.ownersAtOnce))
  }

  private func isDoubtful(_ route: Route) -> Bool {
    guard let entry = directory.entries[route.node] else { return true }
    return entry.isDead || entry.record.incarnation != route.incarnation
  }

  /// Tells the node that another owns the session: it ends its own, and sends the clients to the owner.
  func supersede(_ doubtful: DoubtfulSession, by epoch: Epoch) {
    context.forget(doubtful.session)
    _ = ask(
      doubtful.route,
      LinkRequest(method: .superseded, session: doubtful.session, epoch: epoch))
  }
}

extension RouterLoops {
  func watchOwners() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: RouterLimits.ownersInterval)
      if !Task.isCancelled { await supersedeDoubtful() }
    }
  }

  private func supersedeDoubtful() async {
    for loop in eventLoops {
      for doubtful in await on(loop, { $0.doubtfulSessions }) ?? [] {
        let record: SessionRecord?
        do {
          record = try await context.registry.lookUp(doubtful.session)
        } catch {
          return  // it is asked again later
        }
        guard let record, record.epoch > doubtful.epoch else { continue }
        context.logger.warning(
          "a session has another owner than the node that has it; that one is told",
          metadata: [
            "session": "\(doubtful.session)", "node": "\(doubtful.route.node)",
            "owner": "\(record.node)",
          ])
        await on(loop) { $0.supersede(doubtful, by: record.epoch) }
      }
    }
  }
}
