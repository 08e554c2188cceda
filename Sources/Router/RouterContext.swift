// What all loops of a router share: its registry, its name, the owners they have seen, and how many
// sessions it has sent to each node that are not in what that node last reported. Opening a stream takes a lock;
// bytes do not.

import Auth
import Links
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Registry
import Transport
import Wire

final class RouterContext: Sendable {
  let name: String
  /// The name as that of a node is, for lists.
  let id: NodeID
  /// Of this start of the router.
  let incarnation = Incarnation.random()
  /// When it was started, in milliseconds since 1970.
  let started = WallClock.milliseconds
  let version: String
  /// Whether it stays, so that it can do later what it cannot do now.
  let isListed: Bool
  let cluster: String
  let registry: any Registry
  let access: AccessControl
  let audit: AuditLog?
  let clusterKey: ClusterKey?
  let logger: Logger
  let linkTLS: SocketLayer
  let connectLocally: (@Sendable (_ from: any EventLoop, _ loop: Int) -> LocalTransport)?
  let targets: TargetKinds
  let health: NodeHealth
  let restarts = NodeRestarts()
  private let created = NIOLockedValueBox(InFlight())
  private let owners = NIOLockedValueBox(
    RouteCache<SessionID, SessionRecord>(capacity: RouterLimits.cachedRoutes))
  /// Asks nodes for a session, by the links of the loop that the session's name leads to; nil: there are no loops yet.
  private let asking = NIOLockedValueBox<NodesAsker?>(nil)
  /// Where it is reached itself; nil: not known yet.
  private let ownURL = NIOLockedValueBox<String?>(nil)
  /// When it was last told that no node can take a session.
  let refusalTold = NIOLockedValueBox<UInt64>(0)
  private let stopping = NIOLockedValueBox(false)
  private let knowing = NIOLockedValueBox<(nodes: [NodeEntry], at: ContinuousClock.Instant)?>(nil)
  /// Why the list of nodes could not be read the last time; nil: it could.
  private let absence = NIOLockedValueBox<String?>(nil)
  /// What an operator wishes of nodes, and the registry could not be told.
  private let wishes = NIOLockedValueBox<[NodeID: NodeWish]>([:])

  init(_ configuration: RouterConfiguration, registry: any Registry) {
    name = configuration.name
    id = NodeID(configuration.name) ?? NodeID(unchecked: "router")
    version = configuration.version
    isListed = configuration.isListed
    cluster = configuration.cluster
    access = configuration.access
    audit = configuration.audit
    clusterKey = configuration.clusterKey
    logger = configuration.logger
    linkTLS = configuration.linkTLS
    connectLocally = configuration.connectLocally
    targets = configuration.targets
    health = NodeHealth(logger: configuration.logger)
    self.registry = registry
  }

  var nodesAsker: NodesAsker? {
    get { asking.withLockedValue { $0 } }
    set { asking.withLockedValue { $0 = newValue } }
  }

  var url: String? {
    get { ownURL.withLockedValue { $0 } }
    set { ownURL.withLockedValue { $0 = newValue } }
  }

  /// Set when shutting down begins: no load balancer should send more clients.
  var isStopping: Bool {
    get { stopping.withLockedValue { $0 } }
    set { stopping.withLockedValue { $0 = newValue } }
  }

  /// Whether the list of nodes has been read.
  var knowsNodes: Bool { knowing.withLockedValue { $0 != nil } }

  /// The list of nodes as it was read last, and its age in milliseconds; nil: it has not been.
  var lastNodes: (nodes: [NodeEntry], age: Int)? {
    knowing.withLockedValue { last in
      last.map { ($0.nodes, Int((ContinuousClock.now - $0.at) / .milliseconds(1))) }
    }
  }

  func know(_ nodes: [NodeEntry], asked: ContinuousClock.Instant) {
    knowing.withLockedValue { $0 = (nodes, asked) }
    registryAbsence = nil
  }

  /// Why the registry did not answer when the list of nodes was to be read, a moment ago: operators need not wait until
  /// it does not answer again.
  var registryAbsence: String? {
    get { absence.withLockedValue { $0 } }
    set { absence.withLockedValue { $0 = newValue } }
  }

  /// Keeps an operator's wish until the registry can be told. The last one of a node holds.
  /// - Parameter wish: nil: it has been told a later one.
  func keep(_ wish: NodeWish?, for node: NodeID) {
    wishes.withLockedValue { $0[node] = wish }
  }

  /// Takes the wishes that are left.
  func takeWishes() -> [NodeID: NodeWish] {
    wishes.withLockedValue { wishes in
      let left = wishes
      wishes = [:]
      return left
    }
  }

  /// The owner as last seen by any of the loops: a client that comes back may reach another loop, and
  /// has to be routed even while Redis is away (promise P5).
  func owner(of session: SessionID) -> SessionRecord? { owners.withLockedValue { $0.use(session) } }

  func remember(_ session: SessionID, at route: Route, epoch: Epoch) {
    let owner = SessionRecord(node: route.node, incarnation: route.incarnation, epoch: epoch)
    owners.withLockedValue { $0.set(session, owner) }
  }

  func forget(_ session: SessionID) { owners.withLockedValue { $0.set(session, nil) } }

  var rememberedRoutes: Int { owners.withLockedValue { $0.count } }

  func inFlight() -> [NodeID: Int] { created.withLockedValue { $0.counts } }

  func noteCreated(on node: NodeID) { created.withLockedValue { $0.add(node, at: .now) } }

  func noteRefused(by node: NodeID) { created.withLockedValue { $0.takeBack(node) } }

  /// Forgets the sessions that were sent to these nodes and that the nodes count themselves by now.
  /// - Parameter asked: when they were asked for.
  func noteReports(_ nodes: [NodeEntry], asked: ContinuousClock.Instant) {
    created.withLockedValue { $0.settle(nodes, asked: asked) }
    restarts.settle(nodes)
  }
}
