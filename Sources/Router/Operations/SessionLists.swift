// The sessions of all nodes that answer, and what is known of those of the others.

import API
import APIServer
import Auth
import NIOCore
import Registry
import Wire

extension RouterOperations {
  /// The sessions that the caller may see. All loops of all nodes are asked at the same time, and the answer names the
  /// nodes that did not answer. A session that was lost with its node, or is held while that is away, is listed by its
  /// record.
  func sessions(node: NodeID?) async throws -> SessionList {
    let known = try await allNodes()
    let nodes = known.nodes
    if let node, !nodes.contains(where: { $0.record.id == node }) {
      throw OperationError(.notFound, "no node \(node) is registered")
    }
    // One whose lease has ended may only be cut off from the registry; a dead one's sessions are lost.
    let asked = nodes.filter { !$0.isDead && (node == nil || node == $0.record.id) }
    var list = SessionList(sessions: [])
    await withTaskGroup(of: (NodeEntry, [SessionSummary], String?).self) { answers in
      for entry in asked {
        answers.addTask {
          let (sessions, problem) = await self.sessions(of: entry)
          return (entry, sessions, problem)
        }
      }
      for await (entry, sessions, problem) in answers {
        list.sessions += sessions
        guard let problem else { continue }
        let mayCount = caller.principal.allows(.operate).isAllowed
        list.unanswered.append(
          SessionList.Unanswered(
            node: entry.record.id, reason: problem,
            sessions: mayCount ? max(0, entry.record.sessions - sessions.count) : nil))
      }
    }
    let told = Set(list.sessions.map(\.session))
    var unread: [SessionID] = []
    do throws(OperationError) {
      if let gap = known.gap { throw OperationError(.unavailable, gap.reason) }
      let silent = Set(list.unanswered.map(\.node))
      let left = try await registryAnswer { _ in
        try await self.context.lostSessions(among: nodes, besides: silent, of: node)
      }
      let more = left.left.filter { !told.contains($0.session) }
      list.sessions += more
      list.noteTold(more)
      unread = left.unread
    } catch {
      list.registry = known.gap ?? RegistryGap(reason: error.message, age: 0)
      // Where the registry is, is the operators' matter.
      if !caller.principal.allows(.operate).isAllowed {
        list.registry?.reason = "the registry does not answer"
      }
    }
    let principal = caller.principal
    // A record that cannot be read does not say whose the session is.
    let shown = unread.filter {
      !told.contains($0) && principal.allows(.watch, session: $0, creator: nil).isAllowed
    }
    list.unread = shown.isEmpty ? nil : shown
    list.sessions.removeAll {
      !principal.allows(.watch, session: $0.session, creator: $0.creator).isAllowed
    }
    list.sessions = list.sessions.map(principal.shown)
    list.sessions.sort { $0.session.rawValue < $1.session.rawValue }
    list.unanswered.sort { $0.node.rawValue < $1.node.rawValue }
    return list
  }

  /// What the loops of a node that answered have, and why another did not.
  func sessions(of entry: NodeEntry) async -> ([SessionSummary], problem: String?) {
    let record = entry.record
    return await withTaskGroup(of: Result<NodeAnswer, any Error>.self) { answers in
      for loop in record.loops.indices {
        guard let route = NodeDirectory.route(to: entry, loop: loop) else { continue }
        answers.addTask {
          do {
            return .success(
              try await loops.onLoop(for: "\(record.id)/\(loop)") {
                $0.ask(route, LinkRequest(method: .sessions), within: RouterLimits.listDeadline)
              })
          } catch {
            return .failure(error)
          }
        }
      }
      var sessions: [SessionSummary] = []
      var problem: String?
      for await answer in answers {
        switch answer {
        case .success(let answer) where answer.error == nil: sessions += answer.sessions
        case .success(let answer): problem = answer.error?.rawValue
        case .failure(let error):
          problem = context.health.trouble(of: record)?.description ?? why(error)
        }
      }
      return (sessions, problem)
    }
  }

  private func why(_ error: any Error) -> String { (error as? WireError)?.message ?? "\(error)" }
}

extension SessionList {
  /// Fewer are missing: these are told by their records.
  fileprivate mutating func noteTold(_ sessions: [SessionSummary]) {
    let told = sessions.reduce(into: [String: Int]()) { $0[$1.node, default: 0] += 1 }
    for index in unanswered.indices {
      guard let missing = unanswered[index].sessions else { continue }
      unanswered[index].sessions = max(0, missing - (told[unanswered[index].node.rawValue] ?? 0))
    }
  }
}
