// What a node is told when it is made: its name, what it may hold, and where its links come in.

public import Links
public import Logging
public import Pipes
public import Registry
public import Sessions
public import Transport

public struct NodeConfiguration: Sendable {
  public var id: NodeID
  public var cluster: String
  /// Where loop 0 listens; loop n listens on `port + n`, or on any free port if it is 0. Nil: links
  /// come from this process only (`serve`).
  public var listen: NodeAddress?
  /// The address to tell routers, if it differs from `listen`; loops count upward as there.
  public var advertise: NodeAddress?
  /// What lies on the sockets of links: nothing, or TLS.
  public var linkTLS: SocketLayer
  /// The operator's own labels. Those that say which pipes the node starts are added, unless the operator has set them.
  public var labels: [String: String]
  public var weight: Double
  public var capacity: Int
  public var version: String
  public var settings: SessionSettings
  public var pipes: PipeStarters
  /// Whether sessions that are kept end with the node, too, when it is stopped.
  public var endsSessions: Bool
  /// Links are taken only from who knows this key; nil: from anybody.
  public var clusterKey: ClusterKey?
  public var logger: Logger

  public init(
    id: NodeID, cluster: String = "fl", listen: NodeAddress? = nil, advertise: NodeAddress? = nil,
    linkTLS: SocketLayer = .plain,
    labels: [String: String] = [:], weight: Double = 1, capacity: Int = PipeLimits.sessions,
    version: String = "", settings: SessionSettings = SessionSettings(), pipes: PipeStarters,
    endsSessions: Bool = false, clusterKey: ClusterKey? = nil, logger: Logger
  ) {
    self.id = id
    self.cluster = cluster
    self.listen = listen
    self.advertise = advertise
    self.linkTLS = linkTLS
    self.labels = labels
    self.weight = weight
    self.capacity = capacity
    self.version = version
    self.settings = settings
    self.pipes = pipes
    self.endsSessions = endsSessions
    self.clusterKey = clusterKey
    self.logger = logger
  }
}
