// `fairlead node`: owns sessions, for the routers of a cluster.

import ArgumentParser
import Auth
import Links
import Logging
import NIOPosix
import Node
import Pipes
import Registry
import Transport
import Wire

struct NodeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node",
    abstract: "Owns sessions; routers bring clients to it.",
    discussion: """
      Registers in Redis, and takes links from routers on one port per event loop: with two loops \
      and --listen 10.0.0.5:7080, those are 7080 and 7081. Beyond loopback it takes links only from \
      routers with a certificate of the cluster's CA (--link-cert, --link-key and --link-ca, made by \
      `fairlead certs init`), or that know the cluster's key (--cluster-key-file), in which case links \
      are not encrypted. Every option has an environment variable: --keep-ended is \
      FAIRLEAD_KEEP_ENDED.

        fairlead node --redis redis://10.0.0.2:6379/0 --listen 10.0.0.5:7080 --label zone=a
      """)

  @Option(help: "This node's name in the cluster; the machine's name if not given.")
  var id: NodeID = fromEnvironment("ID", default: defaultNodeID())

  @Option(help: "Where routers' links are taken: the first port. Port 0 takes any free ones.")
  var listen: AddressOption = fromEnvironment(
    "LISTEN", default: AddressOption(host: "127.0.0.1", port: 7_080))

  @Option(help: "The address that routers are told, if it is another than --listen.")
  var advertise: AddressOption?

  @Option(
    help: ArgumentHelp(
      "Says what this node is or has, for placement; may be given again.", valueName: "key=value"))
  var label: [LabelOption] = []

  @Option(help: "Its share of the sessions, relative to other nodes'.")
  var weight: Double = fromEnvironment("WEIGHT", default: 1)

  @Flag(help: "Take links from anybody who can connect. Said at every start.")
  var noAuth = false

  @OptionGroup var clusterKey: ClusterKeyOptions
  @OptionGroup var link: LinkTLSOptions
  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var node: NodeOptions
  @OptionGroup var loops: LoopOptions
  @OptionGroup var log: LogOptions

  func validate() throws {
    guard weight > 0, weight <= CommandLimits.weight else {
      throw ValidationError("--weight is over 0, up to \(Int(CommandLimits.weight))")
    }
    if advertised == nil, ["0.0.0.0", "::"].contains(listen.address.host) {
      throw ValidationError(
        "--listen \(listen) takes links on every address; say with --advertise HOST:PORT by which "
          + "one routers reach this node")
    }
  }

  private var advertised: AddressOption? {
    advertise ?? environment("ADVERTISE").flatMap(AddressOption.init(argument:))
  }

  private var labels: [String: String] {
    let given = environment("LABELS").map { $0.split(separator: ",") } ?? []
    let all = given.compactMap { LabelOption(argument: String($0)) } + label
    return Dictionary(all.map { ($0.key, $0.value) }) { _, last in last }
  }

  func run() async throws {
    loops.apply()
    ReloadService.prepare()
    let logger = log.logger("node")
    let surroundings = Surroundings.prepare(logger)
    let clusterKey = try self.clusterKey.key()
    let credentials = try link.listening(logger: logger)
    try enforce(
      StartPolicy(
        role: .node, host: listen.address.host, hasTLS: credentials != nil,
        hasAuthentication: clusterKey != nil || credentials != nil,
        noAuthentication: noAuth || flag("NO_AUTH"),
        plaintextBehindProxy: false, publicURL: nil), logger)
    let group = MultiThreadedEventLoopGroup.singleton
    let wait = AddressWait(
      address: listen.address, ports: Array(group.makeIterator()).count,
      limit: CommandLimits.departure, logger: logger)
    guard try await wait.isFree() else { return }
    let redisCredentials = try cluster.credentials(logger: logger)
    let registry = try cluster.registry(
      redisCredentials, keepTombstones: Int(node.keepTombstones.seconds) * 1_000, logger: logger)
    let pipes = try node.starters(
      in: surroundings, scope: "\(cluster.cluster)/\(id)",
      key: clusterKey?.derived(for: "holders"), logger: logger)
    let owner = try await Node(
      NodeConfiguration(
        id: id, cluster: cluster.cluster, listen: listen.address, advertise: advertised?.address,
        linkTLS: SocketLayer(credentials),
        labels: labels, weight: weight,
        capacity: node.capacity(in: surroundings, for: pipes, logger), version: fairleadVersion,
        settings: node.settings,
        pipes: pipes, endsSessions: node.endSessions, clusterKey: clusterKey, logger: logger),
      registry: registry, group: group)
    let name = id
    let service = NodeService(node: owner) { addresses in
      announce(
        "fairlead node \(name) takes links on \(addresses.map(\.description).joined(separator: ", "))"
      )
    }
    do {
      try await runServices(
        [
          ReloadService([credentials, redisCredentials] + pipes.credentials, logger: logger),
          service,
        ], logger: logger)
    } catch {
      await registry.shutdown()
      throw error
    }
    await registry.shutdown()
  }
}
