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
  private let stopping = NIOLockedValueBox(false)
  private let knowing = NIOLockedValueBox(false)

  init(_ configuration: RouterConfiguration, registry: any Registry) {
    name = configuration.name
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

  /// Set when shutting down begins: no load balancer should send more clients.
  var isStopping: Bool {
    get { stopping.withLockedValue { $0 } }
    set { stopping.withLockedValue { $0 = newValue } }
  }

  /// Set once the list of nodes has been read for the first time.
  var knowsNodes: Bool {
    get { knowing.withLockedValue { $0 } }
    set { knowing.withLockedValue { $0 = newValue } }
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
