// What the HTTP API asks of the cluster, done over the registry and the links.

import API
import APIServer
import Auth
import Logging
import NIOCore
import Registry
import Transport
import Wire

/// The cluster as one caller may use it: each operation is decided here, or by the session's node
/// where only that knows whose the session is, and written to the audit log.
struct RouterOperations: ClusterOperations {
  private let loops: RouterLoops
  private var caller = Caller.nobody

  init(_ loops: RouterLoops) { self.loops = loops }

  func acting(for caller: Caller) -> any ClusterOperations {
    var operations = self
    operations.caller = caller
    return operations
  }

  private var context: RouterContext { loops.context }

  /// Once the list of nodes has been read, until it shuts down. A Redis that is away later must not
  /// take the routers out of the load balancer (promise P5).
  var isReady: Bool { context.knowsNodes && !context.isStopping }

  func nodes() async throws -> [NodeEntry] {
    try mayOperate(.inspect)
    return try await allNodes()
  }

  private func allNodes() async throws -> [NodeEntry] {
    try await registryAnswer { try await $0.nodes() }
  }

  func setDraining(_ node: NodeID, _ isDraining: Bool) async throws {
    try mayOperate(isDraining ? .drain : .undrain, node: node)
    guard try await registryAnswer({ try await $0.setDraining(node, isDraining) }) else {
      throw OperationError(.notFound, "no node \(node) is registered")
    }
    // This router places by it from now on; the others read it within their interval.
    try? await loops.refresh()
    audit(isDraining ? .drain : .undrain, node: node)
  }

  func link(to node: NodeEntry) async -> String? { context.health.view(of: node.record) }

  /// The sessions that the caller may see. All loops of all nodes are asked at the same time, and the answer names the
  /// nodes that did not answer. A session that was lost with its node, or is held while that is away, is listed by its
  /// record.
  func sessions(node: NodeID?) async throws -> SessionList {
    let nodes = try await allNodes()
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
    let (left, unread) = try await registryAnswer { _ in
      try await context.lostSessions(among: nodes, of: node)
    }
    list.sessions += left.filter { !told.contains($0.session) }
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
  private func sessions(of entry: NodeEntry) async -> ([SessionSummary], problem: String?) {
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

  func session(_ id: SessionID) async throws -> SessionSummary {
    guard let summary = try await ask(id, .sessions).sessions.first else {
      throw OperationError(.notFound, "no session \(id)")
    }
    if case .refused(let why) = caller.principal.allows(
      .watch, session: id, creator: summary.creator)
    {
      throw refusal(.inspect, why, session: id)
    }
    return caller.principal.shown(summary)
  }

  func kill(_ id: SessionID) async throws {
    let remembered = context.owner(of: id)
    do {
      _ = try await ask(id, .kill)
    } catch let error as OperationError where error.facts?.reason == .lost {
      guard try await forgetLost(id) else { throw error }
      return
    }
    audit(.kill, session: id)
    // Another node may have taken over the session since this router last saw it: then both are ended (promise P3).
    guard let remembered, let record = try? await context.registry.lookUp(id),
      record.state == .owned, record.epoch > remembered.epoch
    else { return }
    context.forget(id)
    _ = try await ask(id, .kill)
  }

  /// Takes away the record of a session that was lost with its node. Otherwise lists would name it until its name is
  /// claimed again.
  /// - Returns: false: there is none.
  private func forgetLost(_ id: SessionID) async throws -> Bool {
    guard let record = try await registryAnswer({ try await $0.lookUp(id) }),
      record.state == .owned,
      record.isLost(among: try await allNodes())
    else { return false }
    if case .refused(let why) = caller.principal.allows(.kill, session: id, creator: record.creator)
    {
      throw refusal(.kill, why, session: id)
    }
    let isForgotten = try await registryAnswer {
      try await $0.release(
        id, node: record.node, incarnation: record.incarnation, epoch: record.epoch, tombstone: nil)
    }
    guard isForgotten else { return false }
    context.forget(id)
    audit(.kill, session: id)
    return true
  }

  func screen(
    _ id: SessionID, format: ScreenFormat, scrollback: UInt32, tail: UInt32?
  ) async throws -> String {
    guard ScreenFormat.all.contains(format) else {
      throw OperationError(.badRequest, "format is text, ansi or json")
    }
    return try await ask(id, .screen, format: format, scrollback: scrollback, tail: tail).text
  }

  func locate(_ id: SessionID) async throws -> SessionLocation {
    try mayOperate(.inspect, session: id)
    let known = try await registryAnswer { try await $0.lookUp(id) }
    let nodes = try await allNodes()
    let found = known == nil ? try await recordAtNodes(of: id, among: nodes) : nil
    if let record = known ?? found {
      guard let tombstone = record.tombstone(among: nodes) else {
        return SessionLocation(id, record, among: nodes)
      }
      throw OperationError.gone(id, node: record.node, tombstone, tellsCreator: true)
    }
    let ranked = Placement.rank(id, nodes: nodes, inFlight: context.inFlight())
    return try SessionLocation(id, placedBy: ranked)
  }

  private func recordAtNodes(
    of id: SessionID, among nodes: [NodeEntry]
  ) async throws -> SessionRecord? {
    do {
      return try await context.recordAtNodes(of: id, among: nodes, remembered: nil)
    } catch let error as NoRoute {
      throw OperationError(.unavailable, error.refused.message)
    }
  }

  func create(_ open: Open) async throws -> Opened {
    var open = open
    let id = open.session ?? .random()
    open.session = id
    open.create = open.create ?? Creation()
    let request = open
    let caller = caller
    let answer = try await loops.onLoop(for: id.rawValue) {
      CreationDoor.create(request, for: caller, on: $0)
    }
    switch answer {
    case .opened(let opened):
      guard !opened.created, opened.state == .ended else { return opened }
      // Nothing runs there, and nothing was started.
      throw exists(id, state: opened.state, status: nil, differs: opened.differs)
    case .refused(let refusal):
      switch refusal.code {
      case .badRequest, .startFailed: throw OperationError(.badRequest, refusal.message)
      case .gone, .lost: throw await gone(id, refusal)
      case .notFound: throw OperationError(.notFound, refusal.message)
      case .forbidden: throw OperationError(.forbidden, refusal.message)
      case .exists:
        throw exists(
          id, state: refusal.state, status: refusal.status, differs: refusal.differs)
      default: throw OperationError(.unavailable, refusal.message)
      }
    }
  }

  /// With what its tombstone tells, if the registry has one.
  private func gone(_ id: SessionID, _ refusal: Refused) async -> OperationError {
    guard let remains = await context.remains(of: id, isLost: refusal.code == .lost) else {
      return OperationError(.gone, refusal.message)
    }
    return gone(id, remains)
  }

  private func gone(_ id: SessionID, _ remains: Remains) -> OperationError {
    let mayKnow = caller.principal.allows(.watch, session: id, creator: remains.tombstone.creator)
    return .gone(id, node: remains.node, remains.tombstone, tellsCreator: mayKnow.isAllowed)
  }

  private func exists(
    _ id: SessionID, state: SessionState?, status: ExitStatus?, differs: [String]?
  ) -> OperationError {
    var facts = SessionFacts()
    facts.state = state
    facts.status = status
    facts.differs = differs
    return .exists(id, facts)
  }

  // MARK: Who may

  func mayIssueTickets() throws { try mayOperate(.ticket) }

  private func mayOperate(
    _ what: AuditEvent.What, session: SessionID? = nil, node: NodeID? = nil
  ) throws {
    if case .refused(let why) = caller.principal.allows(.operate) {
      throw refusal(what, why, session: session, node: node)
    }
  }

  private func refusal(
    _ what: AuditEvent.What, _ why: String, session: SessionID? = nil, node: NodeID? = nil
  ) -> OperationError {
    audit(what, session: session, node: node, result: "forbidden", message: why)
    return OperationError(.forbidden, why)
  }

  private func audit(
    _ what: AuditEvent.What, session: SessionID? = nil, node: NodeID? = nil,
    result: String = "ok", message: String? = nil
  ) {
    context.audit?.record(
      AuditEvent(
        what, who: caller.principal.subject, from: caller.from, session: session?.rawValue,
        node: node?.rawValue, result: result, message: message))
  }

  private func registryAnswer<Answer: Sendable>(
    _ question: (any Registry) async throws -> Answer
  ) async throws -> Answer {
    do {
      return try await question(context.registry)
    } catch {
      throw OperationError(.unavailable, "the registry does not answer: \(error)")
    }
  }

  private func ask(
    _ id: SessionID, _ method: LinkRequest.Method, format: ScreenFormat? = nil,
    scrollback: UInt32? = nil, tail: UInt32? = nil
  ) async throws -> NodeAnswer {
    let request = LinkRequest(
      method: method, session: id, format: format, scrollback: scrollback, tail: tail,
      access: caller.principal.access(to: id))
    // The node may have forgotten the session that the router remembers there: then the registry knows.
    let first = try await put(request, about: id, doubting: false)
    let isUnknown =
      first.error == .notFound
      || (method == .sessions && first.error == nil && first.sessions.isEmpty)
    let answer = isUnknown ? try await put(request, about: id, doubting: true) : first
    switch answer.error {
    case .forbidden?:
      throw refusal(
        method == .kill ? .kill : .screen,
        "this token may not \(method == .kill ? "end" : "see") session \(id)", session: id)
    case .busy?:
      throw OperationError(.unavailable, "the session's node is busy with answers; try again")
    case .tooLarge?:
      throw OperationError(
        .badRequest, "this screen is too large in this format: ask for text, or fewer lines")
    case .notFound?: throw OperationError(.notFound, "no session \(id)")
    case let problem?:
      throw OperationError(
        .unavailable, "the session's node does not do this (\(problem.rawValue.escaped))")
    case nil: return answer
    }
  }

  private func why(_ error: any Error) -> String { (error as? WireError)?.message ?? "\(error)" }

  /// - Parameters:
  ///   - doubting: the registry is asked, and what the router remembers counts only if that does not answer; done
  ///     again so, if the node does not answer.
  ///   - isAgain: the node was found to have been started anew.
  private func put(
    _ request: LinkRequest, about id: SessionID, doubting: Bool, isAgain: Bool = false
  ) async throws -> NodeAnswer {
    do {
      return try await loops.onLoop(for: id.rawValue) { loop in
        let promise = loop.eventLoop.makePromise(of: NodeAnswer.self)
        loop.routes.find(RouteQuestion(session: id, isDoubting: doubting)) { result in
          switch result {
          case .failure(let refusal): promise.fail(refusal)
          case .success(let route):
            loop.ask(route, request).flatMapErrorThrowing { error in
              throw Unanswered(node: route.node, cause: error)
            }.cascade(to: promise)
          }
        }
        return promise.futureResult
      }
    } catch let refusal as NoRoute {
      let refused = refusal.refused
      switch refused.code {
      case .gone, .lost: throw await gone(id, refused)
      case .notFound: throw OperationError(.notFound, refused.message)
      default:
        // Its node is away: how it ended is known all the same, and only its screen is not.
        if request.method != .screen, let remains = await context.end(of: id) {
          throw gone(id, remains)
        }
        throw OperationError(.unavailable, refused.message)
      }
    } catch let error as Unanswered where error.cause is NodeRestarted && !isAgain {
      return try await put(request, about: id, doubting: doubting, isAgain: true)
    } catch  where !doubting {
      return try await put(request, about: id, doubting: true)
    } catch {
      throw OperationError(.unavailable, "\(cause(of: error)); try again, and see `fairlead nodes`")
    }
  }
}

/// A node that was asked about a session. No ``Failure``: nobody decides by it, and it becomes an ``OperationError``.
private struct Unanswered: Error, CustomStringConvertible {
  var node: NodeID
  var cause: any Error
  var description: String {
    let why = (cause as? WireError)?.message ?? Transport.cause(of: cause)
    return "node \(node), which has the session, does not answer: \(why)"
  }
}
