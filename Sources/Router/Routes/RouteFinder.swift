// Where a session is, as one loop of a router finds it out: what the router remembers, then the registry; a new one
// is placed. The owner checks (promise P4), so that a stale answer costs one more try.

import Logging
import NIOCore
import Registry
import Wire

struct RouteQuestion: Equatable, Sendable {
  var session: SessionID
  /// What to create if there is no such session; nil: nothing.
  var creation: Creation?
  /// Its client has seen it before.
  var isResuming = false
  /// The owner did not answer; the registry is asked, and only if it does not answer either is the owner that this
  /// router remembers tried again (promise P5).
  var isDoubting = false
  /// Nodes that have not taken this new session.
  var avoiding: Set<NodeID> = []
}

/// Why there is no route. No ``Failure``: it is the REFUSED that the client is sent.
struct NoRoute: Error {
  var refused: Refused

  init(_ refused: Refused) { self.refused = refused }

  init(_ code: Refused.Code, _ message: String, retry: Int? = nil, status: ExitStatus? = nil) {
    refused = Refused(code, message, retry: retry, status: status)
  }

  /// Says that a session is no more.
  /// - Parameter end: nil: its node died with it.
  init(_ session: SessionID, of node: NodeID, _ end: Tombstone?) {
    if let end, !end.isLost {
      self.init(.gone, "session \(session) has ended (\(end.reason))", status: end.status)
    } else {
      self.init(.lost, "session \(session) was lost with node \(node)")
    }
  }

  /// Says that a session's node is away, and that it is not lost.
  init(_ session: SessionID, of node: NodeID, away state: OwnerState) {
    let words =
      switch state {
      case .held:
        "node \(node) is away; what ran in session \(session) is held, and goes on when that node is started again"
      case .ended:
        "node \(node) is away; session \(session) has ended, and its last screen is shown when that node is started again"
      case .restarted: "node \(node) was started again, and is restoring its sessions"
      default: "node \(node), which has session \(session), cannot be reached"
      }
    self.init(.unavailable, words, retry: RouterLimits.retryLater)
  }
}

/// Confined to its loop.
final class RouteFinder {
  private let eventLoop: any EventLoop
  private let context: RouterContext
  var directory = NodeDirectory()

  init(eventLoop: any EventLoop, context: RouterContext) {
    self.eventLoop = eventLoop
    self.context = context
  }

  /// Finds the owner of an existing session, or a node for a new one.
  func find(_ question: RouteQuestion, then: @escaping (Result<Route, NoRoute>) -> Void) {
    let session = question.session
    let remembered = context.owner(of: session).flatMap { route(session, rememberedAt: $0) }
    if let remembered, !question.isDoubting { return then(.success(remembered)) }
    if remembered == nil { context.forget(session) }
    let bound = NIOLoopBound((self, then), eventLoop: eventLoop)
    let directory = directory
    eventLoop.makeFutureWithTask {
      [context] () -> (SessionRecord?, NodeDirectory?, isOfEarlier: Bool) in
      let registry = context.registry
      var record = try await registry.lookUp(session)
      let fresh =
        directory.settles(record)
        ? nil : NodeDirectory(try await registry.nodes(beside: &record, of: session))
      if let record { return (record, fresh, isOfEarlier: false) }
      let found = try await context.recordAtNodes(
        of: session, among: (fresh ?? directory).all, remembered: remembered)
      guard found == nil, question.creation == nil else {
        return (found, fresh, isOfEarlier: false)
      }
      return (nil, fresh, isOfEarlier: await registry.remembersAll())
    }.whenComplete { result in
      let (finder, then) = bound.value
      switch result {
      case .success(let (record, fresh, isOfEarlier)):
        if let fresh { finder.directory = fresh }
        // What this router remembers is forgotten only now that the registry has answered (promise P5).
        if question.isDoubting { finder.context.forget(session) }
        if record == nil, let away = finder.mayComeBack(question) { return then(.failure(away)) }
        if isOfEarlier {
          return then(
            .failure(
              NoRoute(
                question.isResuming ? .lost : .notFound,
                "no session \(session): none of that name since this server started; one from before "
                  + "was lost when it stopped")))
        }
        then(finder.route(question, record))
      case .failure(let error as NoRoute): then(.failure(error))
      case .failure(let error):
        finder.context.logger.warning(
          "the registry did not answer", metadata: ["error": "\(error)"])
        if let remembered { return then(.success(remembered)) }
        then(
          .failure(
            NoRoute(
              .unavailable, RegistryError.explanation(of: error), retry: RouterLimits.retryLater)))
      }
    }
  }

  /// The route to the node that this router remembers. If the node was started anew, its holder may have kept the session
  /// for the present start of it: that checks (promise P4).
  private func route(_ session: SessionID, rememberedAt owner: SessionRecord) -> Route? {
    guard let entry = directory.entries[owner.node] else { return nil }
    let present = context.restarts.present(of: entry.record)
    guard present == owner.incarnation || entry.record.holder != nil else { return nil }
    var route = directory.route(session, node: owner.node, incarnation: nil, epoch: owner.epoch)
    route?.incarnation = present
    return route
  }

  private func route(
    _ question: RouteQuestion, _ record: SessionRecord?
  ) -> Result<Route, NoRoute> {
    let session = question.session
    switch record?.state {
    case .owned:
      guard let record else { break }
      // One whose lease has ended may only be cut off from the registry: it is tried before it is believed
      // dead.
      if !record.isFree,
        let route = directory.route(
          session, node: record.node, incarnation: record.incarnation, epoch: record.epoch),
        !(question.isDoubting && directory.entries[record.node]?.isDead == true)
      {
        return .success(route)
      }
      // While a holder has the session, a create waits for its node as well: it must not start a second process.
      let state = directory.ownerState(of: record)
      if state == .free, let reach = record.reach {
        if let next = record.next.flatMap({ directory.entries[$0] }),
          !question.avoiding.contains(next.record.id),
          context.health.trouble(of: next.record) == nil,
          let route = directory.route(session, toSuccessor: next.record.id)
        {
          return .success(route)
        }
        return takeover(of: session, at: reach, avoiding: question.avoiding)
      }
      guard state.isLost || question.creation != nil && state.mayBeClaimed else {
        return .failure(NoRoute(session, of: record.node, away: state))
      }
      // Its node is gone. A create goes on to a node, whose claim settles the matter.
      guard question.creation != nil else {
        return .failure(NoRoute(session, of: record.node, record.end))
      }
    case .closed(let tombstone):
      guard question.creation != nil else {
        guard let record else { break }
        return .failure(NoRoute(session, of: record.node, tombstone))
      }
    case nil:
      guard question.creation != nil else {
        return .failure(
          question.isResuming
            ? NoRoute(.gone, "session \(session) is gone")
            : NoRoute(.notFound, "no session \(session)"))
      }
    }
    return place(session, question.creation ?? Creation(), avoiding: question.avoiding)
  }

  /// Of a session that its client has seen and nobody knows: some node may have yet to hear of it, from a holder in a
  /// container that is paused, say.
  private func mayComeBack(_ question: RouteQuestion) -> NoRoute? {
    guard question.isResuming, question.creation == nil,
      let node = directory.all.first(where: { $0.isLive && $0.mayRestore })
    else { return nil }
    return NoRoute(
      .unavailable, "node \(node.record.id) has yet to hear of all its sessions; try again",
      retry: RouterLimits.retryLater)
  }

  // MARK: Sessions that no node has

  /// Some node that reaches its holder: it looks into the registry itself, and takes it over.
  private func takeover(
    of session: SessionID, at reach: [String: String], avoiding: Set<NodeID>
  ) -> Result<Route, NoRoute> {
    place(session, at: reach, avoiding: avoiding) { _ in
      NoRoute(
        .unavailable,
        "session \(session) is held, and no node that lives reaches what holds it; try again",
        retry: RouterLimits.retryLater)
    }
  }

  // MARK: New sessions

  private func place(
    _ session: SessionID, _ creation: Creation, avoiding: Set<NodeID>
  ) -> Result<Route, NoRoute> {
    if let refused = context.targets.problem(of: creation.target) {
      return .failure(NoRoute(refused))
    }
    // This stream has just tried a node, so that the health of the nodes is fresh.
    if !avoiding.isEmpty, let refused = mismatch(for: creation.target) { return .failure(refused) }
    return place(session, at: creation.requirements, avoiding: avoiding) {
      self.noPlace(for: creation, among: $0)
    }
  }

  private func place(
    _ session: SessionID, at requirements: [String: String], avoiding: Set<NodeID>,
    otherwise none: ([Placement.Candidate]) -> NoRoute
  ) -> Result<Route, NoRoute> {
    let inFlight = context.inFlight()
    func rank(_ nodes: [NodeEntry]) -> [Placement.Candidate] {
      Placement.rank(session, nodes: nodes, inFlight: inFlight, requirements: requirements)
    }
    let left = directory.all.filter { !avoiding.contains($0.record.id) }
    let answering = left.filter { context.health.trouble(of: $0.record) == nil }
    let best = rank(answering)
    // All the others are looked at only where the best of these will not do.
    lazy var all = answering.count == left.count ? best : rank(left)
    // If none answers, or has room by what it last told, one is tried all the same: its reason is the answer.
    let chosen =
      Placement.choose(best) ?? Placement.choose(all) ?? Placement.lastResort(best)
      ?? Placement.lastResort(all)
    guard let node = chosen?.node,
      let route = directory.route(session, node: node, incarnation: nil, epoch: nil)
    else { return .failure(none(all)) }
    context.noteCreated(on: node)
    return .success(route)
  }

  private func noPlace(for creation: Creation, among all: [Placement.Candidate]) -> NoRoute {
    let target = creation.target
    if let absence = absence(of: target) { return absence }
    let missing = missingLabels(of: creation)
    let why =
      missing.isEmpty
      ? "no node can take a new session (\(Placement.obstacles(all)))"
      : "no node that lives and can start it has the label \(missing.joined(separator: " and "))"
    context.noteRefusal("\(target): \(missing.isEmpty ? Placement.obstacles(all) : why)")
    // A node that has them, or room, may come.
    return NoRoute(.noCapacity, why, retry: RouterLimits.retryFull)
  }

  /// Those that the session asks for and that none of the nodes has; where each has one or another but none has all, all.
  private func missingLabels(of creation: Creation) -> [String] {
    let wanted = (creation.labels ?? [:]).sorted { $0.key < $1.key }
    let able = ableNodes(for: creation.target)
    func has(_ entry: NodeEntry, _ label: (key: String, value: String)) -> Bool {
      entry.record.labels[label.key] == label.value
    }
    if able.isEmpty || able.contains(where: { entry in wanted.allSatisfy { has(entry, $0) } }) {
      return []
    }
    let missing = wanted.filter { label in !able.contains { has($0, label) } }
    return (missing.isEmpty ? wanted : missing).map { "\($0.key)=\($0.value)" }
  }

  /// Says so where nodes live and none can start this kind: waiting would bring no engine.
  private func absence(of target: Target) -> NoRoute? {
    guard directory.all.contains(where: \.isLive), ableNodes(for: target).isEmpty else {
      return nil
    }
    return context.targets.absence(of: target).map { NoRoute($0) }
  }

  /// Says so where this router can have no link to any node that lives and fits: waiting would bring no key.
  private func mismatch(for target: Target) -> NoRoute? {
    let able = ableNodes(for: target)
    let troubles = able.compactMap { entry in
      context.health.trouble(of: entry.record).map { (entry.record.id, $0) }
    }
    guard !able.isEmpty, troubles.count == able.count,
      troubles.allSatisfy({ $0.1.kind == .mismatch })
    else { return nil }
    let told = troubles.sorted { $0.0.rawValue < $1.0.rawValue }
      .prefix(RouterLimits.toldNodes).map { "node \($0) refuses this router's link: \($1.reason)" }
    let more = troubles.count - told.count
    return NoRoute(
      .unavailable,
      "no node can be used, and waiting does not help: "
        + told.joined(separator: "; ") + (more > 0 ? "; and \(more) more" : ""))
  }

  /// Those that live, and could start it.
  private func ableNodes(for target: Target) -> [NodeEntry] {
    directory.all.filter { entry in
      entry.isLive
        && target.requirements.allSatisfy { entry.record.labels[$0.key] == $0.value }
    }
  }
}
