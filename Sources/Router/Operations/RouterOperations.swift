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
  let loops: RouterLoops
  private(set) var caller = Caller.nobody

  init(_ loops: RouterLoops) { self.loops = loops }

  func acting(for caller: Caller) -> any ClusterOperations {
    var operations = self
    operations.caller = caller
    return operations
  }

  var context: RouterContext { loops.context }

  /// Once the list of nodes has been read, until it shuts down. A Redis that is away later must not
  /// take the routers out of the load balancer (promise P5).
  var isReady: Bool { context.knowsNodes && !context.isStopping }

  func nodes() async throws -> [NodeEntry] { try await nodeList().nodes }

  func nodeList() async throws -> NodeList {
    try mayOperate(.inspect)
    return try await allNodes()
  }

  /// All nodes, or, where the registry does not answer, those that this router has last heard of.
  func allNodes() async throws -> NodeList {
    do {
      return NodeList(nodes: try await registryAnswer { try await $0.nodes() })
    } catch {
      guard let last = context.lastNodes else { throw error }
      return NodeList(
        nodes: last.nodes, gap: RegistryGap(reason: error.message, age: last.age))
    }
  }

  func setWish(_ node: NodeID, _ wish: NodeWish) async throws -> Bool {
    let what: AuditEvent.What = wish == .drain ? .drain : wish == .cordon ? .cordon : .undrain
    try mayOperate(what, node: node)
    let isKnown: Bool
    do {
      isKnown = try await registryAnswer({ try await $0.setWish(node, wish) })
    } catch {
      // Nothing new is started meanwhile: that takes the registry, too.
      guard context.isListed, let last = context.lastNodes,
        last.nodes.contains(where: { $0.record.id == node })
      else { throw error }
      context.keep(wish, for: node)
      audit(what, node: node, result: "pending")
      return false
    }
    guard isKnown else { throw OperationError(.notFound, "no node \(node) is registered") }
    context.keep(nil, for: node)
    // This router places by it from now on; the others read it within their interval.
    try? await loops.refresh()
    audit(what, node: node)
    switch wish {
    case .drain: await note(.drain, node: node, "node \(node) is drained")
    case .cordon: await note(.cordon, node: node, "node \(node) is cordoned")
    case .serve: await note(.undrain, node: node, "node \(node) takes new sessions again")
    }
    return true
  }

  func link(to node: NodeEntry) async -> String? { context.health.view(of: node.record) }

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
      record.isLost(among: try await allNodes().nodes)
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
    switch try await whereabouts(of: id) {
    case .at(let location): return location
    case .nowhere(let ranked): return try SessionLocation(id, placedBy: ranked)
    }
  }

  /// - Throws: `OperationError` `gone` for one that has ended.
  func whereabouts(of id: SessionID) async throws -> Whereabouts {
    var known: SessionRecord?
    do {
      known = try await registryAnswer { try await $0.lookUp(id) }
    } catch {
      return .at(try await locate(id, without: error))
    }
    let nodes: [NodeEntry]
    do { nodes = try await context.registry.nodes(beside: &known, of: id) } catch {
      nodes = try await allNodes().nodes
    }
    let found = known == nil ? try await recordAtNodes(of: id, among: nodes) : nil
    if let record = known ?? found {
      guard let tombstone = record.tombstone(among: nodes) else {
        return .at(SessionLocation(id, record, among: nodes))
      }
      throw OperationError.gone(id, node: record.node, tombstone, tellsCreator: true)
    }
    return .nowhere(Placement.rank(id, nodes: nodes, inFlight: context.inFlight()))
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
  func gone(_ id: SessionID, _ refusal: Refused) async -> OperationError {
    guard let remains = await context.remains(of: id, isLost: refusal.code == .lost) else {
      return OperationError(.gone, refusal.message)
    }
    return gone(id, remains)
  }

  func gone(_ id: SessionID, _ remains: Remains) -> OperationError {
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

  func mayOperate(
    _ what: AuditEvent.What, session: SessionID? = nil, node: NodeID? = nil
  ) throws {
    if case .refused(let why) = caller.principal.allows(.operate) {
      throw refusal(what, why, session: session, node: node)
    }
  }

  func refusal(
    _ what: AuditEvent.What, _ why: String, session: SessionID? = nil, node: NodeID? = nil
  ) -> OperationError {
    audit(what, session: session, node: node, result: "forbidden", message: why)
    return OperationError(.forbidden, why)
  }

  func audit(
    _ what: AuditEvent.What, session: SessionID? = nil, node: NodeID? = nil,
    result: String = "ok", message: String? = nil
  ) {
    context.audit?.record(
      AuditEvent(
        what, who: caller.principal.subject, from: caller.from, session: session?.rawValue,
        node: node?.rawValue, result: result, message: message))
  }

  func registryAnswer<Answer: Sendable>(
    _ question: (any Registry) async throws -> Answer
  ) async throws(OperationError) -> Answer {
    if let absence = context.registryAbsence, context.knowsNodes {
      throw OperationError(.unavailable, "the registry does not answer: \(absence)")
    }
    do {
      return try await question(context.registry)
    } catch {
      throw OperationError(.unavailable, "the registry does not answer: \(error)")
    }
  }
}

/// Where a session is, as far as can be known.
enum Whereabouts {
  case at(SessionLocation)
  /// It does not exist: the nodes for it, the preferred first.
  case nowhere([Placement.Candidate])
}
