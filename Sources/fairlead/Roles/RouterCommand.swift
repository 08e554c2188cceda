// `fairlead router`: the front of a cluster.

import ArgumentParser
import Auth
import Logging
import NIOPosix
import Pipes
import Redis
import Registry
import Router
import Transport
import Wire

struct RouterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "router",
    abstract: "Takes clients in and brings each to the node that owns its session.",
    discussion: """
      Holds no session: run as many as you like behind any load balancer, no stickiness needed. \
      /livez and /readyz tell the load balancer how it is. Every option has an environment variable: \
      --log-level is FAIRLEAD_LOG_LEVEL.

        fairlead router --redis redis://10.0.0.2:6379/0 --listen 0.0.0.0:7070
      """)

  @Option(help: "This router's name, for logs; the machine's name if not given.")
  var id: NodeID = fromEnvironment("ID", default: defaultNodeID())

  @Option(help: "Where clients connect.")
  var listen: AddressOption = fromEnvironment(
    "LISTEN", default: AddressOption(host: "127.0.0.1", port: 7_070))

  @Option(
    help: ArgumentHelp(
      "By which address operators' commands reach this router itself, and not what is before it; if not given: "
        + "--listen, and of an address that means all this machine's name.", valueName: "host:port")
  )
  var advertise: AddressOption?

  @Option(
    help: ArgumentHelp(
      "At its shutdown, /readyz says 503 for this time before the port is closed: as long as load "
        + "balancers need to see it.", valueName: "time"))
  var drainDelay: DelayOption = fromEnvironment("DRAIN_DELAY", default: DelayOption(seconds: 5))

  @OptionGroup var authentication: AuthenticationOptions
  @OptionGroup var clusterKey: ClusterKeyOptions
  @OptionGroup var origin: OriginOptions
  @OptionGroup var tls: ListenTLSOptions
  @OptionGroup var link: LinkTLSOptions
  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var loops: LoopOptions
  @OptionGroup var log: LogOptions

  func run() async throws {
    loops.apply()
    ReloadService.prepare()
    let logger = log.logger("router")
    _ = Surroundings.prepare(logger)
    let credentials = try tls.credentials(logger: logger)
    let linkCredentials = try link.connecting(logger: logger)
    let redisCredentials = try cluster.credentials(logger: logger)
    try authentication.check(
      .router, host: listen.address.host, hasTLS: credentials != nil, hasLocalIssuer: false, logger)
    let access = try await authentication.access(local: nil)
    let audit = try authentication.audit(logger)
    defer { audit?.close() }
    let clusterKey = try self.clusterKey.key()
    let wait = AddressWait(
      address: listen.address, limit: drainDelay.duration + CommandLimits.routerDeparture,
      logger: logger)
    guard try await wait.isFree() else { return }
    let registry = try cluster.registry(redisCredentials, logger: logger)
    var configuration = RouterConfiguration(
      name: id.rawValue, cluster: cluster.cluster, host: listen.address.host,
      port: listen.address.port,
      origins: origin.policy(
        and: authentication.publicOrigin, access: access, host: listen.address.host),
      version: fairleadVersion, access: access, audit: audit, clusterKey: clusterKey,
      proxies: authentication.proxies, isSecure: authentication.isSecure || credentials != nil,
      path: authentication.publicPath, keepAlive: authentication.keepAlive.amount,
      tls: SocketLayer(credentials), linkTLS: SocketLayer(linkCredentials),
      targets: PipeKinds.standard.targets, logger: logger)
    configuration.advertise =
      (advertise ?? environment("ADVERTISE").flatMap(AddressOption.init(argument:)))?.address
    let router = try await Router(
      configuration, registry: registry, group: MultiThreadedEventLoopGroup.singleton)
    logStart(
      logger,
      [
        "id": "\(id)", "listen": "\(listen)", "cluster": "\(cluster.cluster)",
        "redis": "\((try? RedisEndpoint(cluster.redis))?.description ?? "-")",
      ])
    let host = listen.address.host
    let service = RouterService(router: router, drainDelay: drainDelay.duration) { port in
      announce(
        "fairlead router serves on \(credentials == nil ? "http" : "https")://\(NodeAddress(host: host, port: port))"
      )
    }
    do {
      try await runServices(
        [
          ReloadService(
            [credentials, linkCredentials, redisCredentials], keys: access.verifier, logger: logger),
          service,
        ], logger: logger)
    } catch {
      await registry.shutdown()
      throw error
    }
    await registry.shutdown()
  }
}
