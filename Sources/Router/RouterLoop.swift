// What one event loop of a router has: its clients, its links, and what it knows of the nodes.

import API
import Links
import NIOCore
import Registry
import Wire

/// A client of the loop, as the shutdown sees it.
protocol LoopClient: AnyObject {
  /// Asks it to go to another router.
  func goAway()
  /// Closes its connection.
  func stop()
  /// Closes it for good, as far as the client keeps to that.
  func kick()
  var id: ClientID? { get }
  var streamCount: Int { get }
  /// As an operator sees it.
  func view(at router: NodeID, _ incarnation: Incarnation) -> ClientView
}

final class RouterLoop {
  let eventLoop: any EventLoop
  let context: RouterContext
  let routes: RouteFinder
  private(set) var links: [NodeLoopID: LinkedNode] = [:]
  private var clients: [ObjectIdentifier: any LoopClient] = [:]
  private(set) var isStopping = false
  /// Which of the router's loops it is, of how many.
  private let place: (index: Int, count: Int)

  init(
    eventLoop: any EventLoop, context: RouterContext, place: (index: Int, count: Int) = (0, 1)
  ) {
    self.eventLoop = eventLoop
    self.context = context
    self.place = place
    routes = RouteFinder(eventLoop: eventLoop, context: context)
  }

  var directory: NodeDirectory { routes.directory }

  func update(_ directory: NodeDirectory) {
    routes.directory = directory
    links = links.filter { $0.value.isUsable }
  }

  /// For a session that its client gives no name: one that a node of as many loops holds on its loop of this number. In a
  /// `serve` that is the loop of the client itself, and no key goes from one loop to another.
  func newName() -> SessionID { .random(onLoop: place.index, of: place.count) }

  // MARK: Clients

  func add(_ client: any LoopClient) { clients[ObjectIdentifier(client)] = client }

  func remove(_ client: any LoopClient) { clients[ObjectIdentifier(client)] = nil }

  var clientCount: Int { clients.count }

  /// Of all clients.
  var streamCount: Int { clients.values.reduce(0) { $0 + $1.streamCount } }

  func clientViews() -> [ClientView] {
    clients.values.map { $0.view(at: context.id, context.incarnation) }
  }

  /// Ends the client's connections.
  /// - Returns: how many there were.
  func kick(_ client: ClientID) -> Int {
    let kicked = clients.values.filter { $0.id == client }
    for client in kicked { client.kick() }
    return kicked.count
  }

  /// Asks every client to go to another router.
  func goAway() {
    isStopping = true
    for client in clients.values { client.goAway() }
  }

  func close() {
    for client in clients.values { client.stop() }
    for link in links.values { link.close() }
  }

  // MARK: Links

  /// The link to the loop that holds the route's session, opened if need be.
  func link(to route: Route) -> LinkedNode {
    if let link = links[route.end], link.isUsable { return link }
    let link = LinkedNode(route: route, context: context, eventLoop: eventLoop)
    links[route.end] = link
    link.connect()
    return link
  }

  /// Sends a question to a loop of a node and collects the parts of its answer.
  func ask(
    _ route: Route, _ request: LinkRequest, within limit: TimeAmount = RouterLimits.requestDeadline
  ) -> EventLoopFuture<NodeAnswer> {
    link(to: route).ask(request, within: limit)
  }

  /// Keeps a link to each of these nodes, so that one that does not answer, or answers again, is known before a
  /// session is sent there.
  func tend(_ nodes: [NodeEntry]) {
    for entry in nodes where !entry.isDead {
      let trouble = context.health.trouble(of: entry.record)
      let loop = trouble.map { min($0.loop, entry.record.loops.count - 1) } ?? 0
      guard let route = NodeDirectory.route(to: entry, loop: loop) else { continue }
      let link = link(to: route)
      if trouble != nil, let heard = link.heard { context.health.answered(route, heard: heard) }
    }
  }
}
