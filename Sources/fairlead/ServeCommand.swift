// `fairlead serve`: router and node in one process, with registry and links in memory.

import ArgumentParser
import Cluster
import Logging
import NIOPosix
import Node
import Pipes
import Router
import Wire

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Router and node in one process; needs nothing else.",
    discussion: """
      Listens on 127.0.0.1:7070. Sessions live as long as this process. For several machines, run \
      `fairlead node` and `fairlead router` with a Redis instead.
      """)

  @Option(help: "Where clients connect.")
  var listen: AddressOption = fromEnvironment(
    "LISTEN", default: AddressOption(host: "127.0.0.1", port: 7_070))

  @OptionGroup var origin: OriginOptions
  @OptionGroup var node: NodeOptions
  @OptionGroup var log: LogOptions

  func run() async throws {
    let logger = log.logger("serve")
    let group = MultiThreadedEventLoopGroup.singleton
    let registry = MemoryRegistry(keepTombstones: Int(node.keepEnded.seconds) * 1_000)
    let pipes = makeStarters(node, scope: "serve/\(defaultNodeID())", logger: logger)
    let local = try await Node(
      NodeConfiguration(
        id: defaultNodeID(), labels: pipes.labels, capacity: node.capacity,
        version: fairleadVersion, settings: node.settings, pty: pipes.pty, docker: pipes.docker,
        logger: logger),
      registry: registry, group: group)
    let router = try await Router(
      RouterConfiguration(
        name: "serve", host: listen.address.host, port: listen.address.port,
        origins: origin.policy, version: fairleadVersion,
        connectLocally: { eventLoop, loop in local.connect(from: eventLoop, toLoop: loop) },
        logger: logger),
      registry: registry, group: group)
    let host = listen.address.host
    let nodeService = NodeService(node: local) { _ in }
    let routerService = RouterService(router: router) { port in
      say("fairlead serves on http://\(NodeAddress(host: host, port: port))")
    }
    try await runServices([nodeService, routerService], logger: logger)
  }
}
