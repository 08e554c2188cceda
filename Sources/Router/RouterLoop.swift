// What one event loop of a router knows: the nodes, the owners it has seen, its links. A session is
// found in its cache, then in the registry; a new one is placed. The owner checks (promise P4), so
// that a stale answer costs one more try.

import Cluster
import Link
import Logging
import NIOCore
import NIOPosix
import Wire

final class RouterLoop {
  let eventLoop: any EventLoop
  let context: RouterContext
  private(set) var directory = NodeDirectory()
  private(set) var links: [LinkKey: NodeLink] = [:]
  private var connections: [ObjectIdentifier: ClientConnection] = [:]
  private(set) var isStopping = false

  struct LinkKey: Hashable {
    var node: NodeID
    var incarnation: Incarnation
    var loop: Int
  }

  init(eventLoop: any EventLoop, context: RouterContext) {
    self.eventLoop = eventLoop
    self.context = context
  }

  func update(_ directory: NodeDirectory) {
    self.directory = directory
    links = links.filter { $0.value.isUsable }
  }

  /// Keeps a link to each of these nodes, so that one that does not answer, or answers again, is known before a
  /// session is sent there.
  func tend(_ nodes: [NodeEntry]) {
    for entry in nodes where !entry.isDead && !entry.record.loops.isEmpty {
      let trouble = context.health.trouble(of: entry.record)
      let loop = trouble.map { min($0.loop, entry.record.loops.count - 1) } ?? 0
      let route = Route(
        node: entry.record.id, incarnation: entry.record.incarnation, epoch: nil, loop: loop,
        address: entry.record.loops[loop])
      let link = link(to: route)
      if trouble != nil, let heard = link.heard { context.health.answered(route, heard: heard) }
    }
  }

  // MARK: Clients

  func add(_ connection: ClientConnection) {
    connections[ObjectIdentifier(connection)] = connection
  }

  func remove(_ connection: ClientConnection) { connections[ObjectIdentifier(connection)] = nil }

  var connectionCount: Int { connections.count }

  /// Asks every client to go to another router.
  func goAway() {
    isStopping = true
    for connection in connections.values { connection.goAway() }
  }

  func close() {
    for connection in connections.values { connection.stop() }
    for link in links.values { link.close() }
  }

  // MARK: Routes

  /// Finds the owner of an existing session, or a node for a new one.
  /// - Parameter doubting: the owner did not answer; the registry is asked, and only if it does not answer
  ///   either is the owner that this router remembers tried again (promise P5).
  /// - Parameter avoiding: nodes that have not taken this new session.
  func resolve(
    _ session: SessionID, creating creation: Creation?, resuming: Bool, doubting: Bool = false,
    avoiding: Set<NodeID> = [],
    then: @escaping (Result<Route, Refusal>) -> Void
  ) {
    let remembered = context.owner(of: session).flatMap {
      self.directory.route(session, node: $0.node, incarnation: $0.incarnation, epoch: $0.epoch)
    }
    if let remembered, !doubting { return then(.success(remembered)) }
    if remembered == nil { forget(session) }
    let completion = NIOLoopBound(then, eventLoop: eventLoop)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let registry = context.registry
    let directory = directory
    eventLoop.makeFutureWithTask { () -> (SessionRecord?, NodeDirectory?, isOfEarlier: Bool) in
      let record = try await registry.lookUp(session)
      let isOfEarlier = resuming && record == nil ? await registry.remembersAll() : false
      if directory.settles(record) { return (record, nil, isOfEarlier) }
      return (record, NodeDirectory(try await registry.nodes()), isOfEarlier)
    }.whenComplete { result in
      let loop = bound.value
      switch result {
      case .failure(let error):
        loop.context.logger.warning("the registry did not answer", metadata: ["error": "\(error)"])
        if let remembered { return completion.value(.success(remembered)) }
        completion.value(
          .failure(
            Refusal(Refused(.unavailable, RegistryError.explanation(of: error), retry: 1_000))))
      case .success(let (record, fresh, isOfEarlier)):
        if isOfEarlier, creation == nil {
          let lost = Refused(.lost, "session \(session) was lost when this server stopped")
          return completion.value(.failure(Refusal(lost)))
        }
        if let fresh { loop.update(fresh) }
        completion.value(
          loop.route(
            session, record, creating: creation, resuming: resuming, doubting: doubting,
            avoiding: avoiding))
      }
    }
  }

  /// A refusal as an error, to travel in a `Result`.
  struct Refusal: Error {
    var refused: Refused
    init(_ refused: Refused) { self.refused = refused }
  }

  private func route(
    _ session: SessionID, _ record: SessionRecord?, creating creation: Creation?, resuming: Bool,
    doubting: Bool, avoiding: Set<NodeID>
  ) -> Result<Route, Refusal> {
    switch record?.state {
    case .owned:
      guard let record else { break }
      // One whose lease has ended may only be cut off from the registry: it is tried before it is believed
      // dead.
      if let route = directory.route(
        session, node: record.node, incarnation: record.incarnation, epoch: record.epoch),
        !(doubting && directory.entries[record.node]?.isDead == true)
      {
        return .success(route)
      }
      // Its node is gone. A create goes on to a node, whose claim settles the matter.
      guard creation != nil else {
        return .failure(
          Refusal(Refused(.lost, "session \(session) was lost with node \(record.node)")))
      }
    case .closed(let tombstone):
      guard creation != nil else {
        return .failure(
          Refusal(
            tombstone.isLost
              ? Refused(.lost, "session \(session) was lost with its node")
              : Refused(
                .gone, "session \(session) has ended (\(tombstone.reason))",
                status: tombstone.status)))
      }
    case nil:
      guard creation != nil else {
        return .failure(
          Refusal(
            resuming
              ? Refused(.gone, "session \(session) is gone")
              : Refused(.notFound, "no session \(session)")))
      }
    }
    return place(session, creation ?? Creation(), avoiding: avoiding)
  }

  private func place(
    _ session: SessionID, _ creation: Creation, avoiding: Set<NodeID>
  ) -> Result<Route, Refusal> {
    if let refused = context.targets.problem(of: creation.target) {
      return .failure(Refusal(refused))
    }
    let left = directory.all.filter { !avoiding.contains($0.record.id) }
    let answering = left.filter { context.health.trouble(of: $0.record) == nil }
    let inFlight = context.inFlight()
    let ranked = [answering, left].map {
      Placement.rank(
        session, nodes: $0, inFlight: inFlight, requirements: creation.target.requirements)
    }
    // If none answers, or has room by what it last told, one is tried all the same: its reason is the answer.
    let choices = ranked.lazy.compactMap(Placement.choose) + ranked.compactMap(Placement.lastResort)
    guard let chosen = choices.first?.node,
      let route = directory.route(session, node: chosen, incarnation: nil, epoch: nil)
    else {
      if let refused = absence(of: creation.target) { return .failure(Refusal(refused)) }
      return .failure(
        Refusal(
          Refused(
            .noCapacity, "no node can take a new session (\(Placement.obstacles(ranked[1])))",
            retry: 2_000)))
    }
    context.noteCreated(on: chosen)
    return .success(route)
  }

  /// Waiting brings no engine: where nodes live and none has one, that is an answer.
  private func absence(of target: Target) -> Refused? {
    let live = directory.all.filter(\.isLive)
    let fits = { (entry: NodeEntry) in
      target.requirements.allSatisfy { entry.record.labels[$0.key] == $0.value }
    }
    guard !live.isEmpty, !live.contains(where: fits) else { return nil }
    return context.targets.absence(of: target)
  }

  func remember(_ session: SessionID, _ route: Route, epoch: Epoch) {
    context.remember(
      session, SessionRecord(node: route.node, incarnation: route.incarnation, epoch: epoch))
  }

  func forget(_ session: SessionID) { context.remember(session, nil) }

  var rememberedRoutes: Int { context.rememberedRoutes }

  // MARK: Links

  /// The link to the loop that holds the route's session, opened if need be.
  func link(to route: Route) -> NodeLink {
    let key = LinkKey(node: route.node, incarnation: route.incarnation, loop: route.loop)
    if let link = links[key], link.isUsable { return link }
    let link = NodeLink(route: route, context: context, eventLoop: eventLoop)
    links[key] = link
    link.connect()
    return link
  }

  /// Sends a question to a loop of a node and collects the parts of its answer.
  func ask(
    _ route: Route, _ request: LinkRequest, within limit: TimeAmount = RouterLimits.requestDeadline
  ) -> EventLoopFuture<NodeAnswer> {
    link(to: route).ask(request, within: limit)
  }
}

/// The whole answer of a node's loop to a question.
struct NodeAnswer: Sendable {
  var sessions: [SessionSummary] = []
  var text = ""
  var error: LinkResponse.Problem?
  /// RESPONSE frames that it came in.
  var parts = 0
}
