// What a router is given at its start.

public import Auth
import Glibc
public import Links
public import Logging
public import NIOCore
public import Registry
public import Transport
public import Wire

public struct RouterConfiguration: Sendable {
  public var name: String
  public var cluster: String
  public var host: String
  public var port: Int
  public var origins: OriginPolicy
  public var version: String
  /// Which clients may come in.
  public var access: AccessControl
  public var audit: AuditLog?
  /// Proves to nodes that this router is of their cluster.
  public var clusterKey: ClusterKey?
  /// Whose word on a client's address is believed.
  public var proxies: TrustedProxies
  /// Clients come by TLS, here or at the load balancer, so that cookies are for TLS only.
  public var isSecure: Bool
  /// Where clients find it at its host, if not at the root: begins with a slash, and does not end with one.
  public var path: String
  /// The host and port by which this router itself is reached, without what is before it; nil: where it listens.
  public var advertise: NodeAddress?
  /// Whether the registry lists it.
  public var isListed = true
  /// How long an HTTP connection is kept without a request.
  public var keepAlive: TimeAmount
  /// What lies on the sockets of clients: nothing, or TLS.
  public var tls: SocketLayer
  /// What lies on the sockets of links to nodes.
  public var linkTLS: SocketLayer
  /// Set in `serve`: the one node is in this process, and links to its loops do not use sockets.
  public var connectLocally: (@Sendable (_ from: any EventLoop, _ loop: Int) -> LocalTransport)?
  /// Known kinds of targets; others are for nodes that announce them.
  public var targets: TargetKinds
  public var logger: Logger

  public init(
    name: String, cluster: String = "fl", host: String, port: Int,
    origins: OriginPolicy = OriginPolicy(), version: String = "",
    access: AccessControl = .open, audit: AuditLog? = nil, clusterKey: ClusterKey? = nil,
    proxies: TrustedProxies = TrustedProxies(), isSecure: Bool = false, path: String = "",
    keepAlive: TimeAmount = RouterLimits.keepAlive,
    tls: SocketLayer = .plain, linkTLS: SocketLayer = .plain,
    connectLocally: (@Sendable (_ from: any EventLoop, _ loop: Int) -> LocalTransport)? = nil,
    targets: TargetKinds = TargetKinds(), logger: Logger
  ) {
    self.name = name
    self.cluster = cluster
    self.host = host
    self.port = port
    self.origins = origins
    self.version = version
    self.access = access
    self.audit = audit
    self.clusterKey = clusterKey
    self.proxies = proxies
    self.isSecure = isSecure || tls.isEncrypted
    self.path = path
    self.keepAlive = keepAlive
    self.tls = tls
    self.linkTLS = linkTLS
    self.connectLocally = connectLocally
    self.targets = targets
    self.logger = logger
  }
}

extension RouterConfiguration {
  /// Where this router itself is reached.
  func url(port: Int) -> String {
    var address = advertise ?? NodeAddress(host: host, port: port)
    if address.port == 0 { address.port = port }
    if ["0.0.0.0", "::", ""].contains(address.host) { address.host = Self.machine }
    return "\(tls.isEncrypted ? "https" : "http")://\(address)\(path)"
  }

  /// This machine's name.
  private static var machine: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
