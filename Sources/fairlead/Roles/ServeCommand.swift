// `fairlead serve`: router and node in one process, with registry and links in memory.

import ArgumentParser
import Auth
import Logging
import NIOPosix
import Node
import Pipes
import Registry
import Router
import Transport
import Wire

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Router and node in one process; needs nothing else.",
    discussion: """
      Listens on 127.0.0.1:7070, and lets in who has the URL that it prints: a ticket, good once and \
      for ten minutes, which the browser exchanges for a cookie (`fairlead ticket` prints another). \
      Who is signed in stays so when it is started again. \
      The commands of the same user find it by a file that only that user can read. Terminals \
      of this machine go on when it is stopped, and are here again when it is started on the same port \
      within an hour; `fairlead kill --all` (with --api, where that is another port than 7070) ends them, \
      and with --holder off they end with this process. \
      For several machines, run `fairlead node` and `fairlead router` with a Redis instead.
      """)

  @Option(help: "Where clients connect.")
  var listen: AddressOption = fromEnvironment(
    "LISTEN", default: AddressOption(host: "127.0.0.1", port: 7_070))

  @OptionGroup var authentication: AuthenticationOptions
  @OptionGroup var origin: OriginOptions
  @OptionGroup var tls: ListenTLSOptions
  @OptionGroup var node: NodeOptions
  @OptionGroup var loops: LoopOptions
  @OptionGroup var log: LogOptions

  func validate() throws {
    guard node.pipes.options["takeover"] != "siblings" else {
      throw ValidationError("--takeover siblings is for nodes of a cluster: a serve has no others")
    }
  }

  func run() async throws {
    loops.apply()
    ReloadService.prepare()
    let logger = log.logger("serve")
    let surroundings = Surroundings.prepare(logger)
    let credentials = try tls.credentials(logger: logger)
    guard let identity = try await ServeIdentity.take(listen.address, logger) else { return }
    let local =
      authentication.noAuth ? nil : try await LocalIssuer(secret: identity.signingSecret(logger))
    try authentication.check(
      .serve, host: listen.address.host, hasTLS: credentials != nil, hasLocalIssuer: local != nil,
      logger)
    let access = try await authentication.access(local: local)
    let audit = try authentication.audit(logger)
    defer { audit?.close() }
    let group = MultiThreadedEventLoopGroup.singleton
    let registry = MemoryRegistry(
      keepTombstones: Int(node.keepTombstones.seconds) * 1_000, identity: identity.registry)
    let pipes = try node.starters(
      in: surroundings, scope: Self.scope(port: listen.address.port),
      isFoundAgain: listen.address.port != 0, logger: logger)
    let owner = try await Node(
      nodeConfiguration(pipes, in: surroundings, logger), registry: registry, group: group)
    let router = try await Router(
      RouterConfiguration(
        name: "serve", host: listen.address.host, port: listen.address.port,
        origins: origin.policy(
          and: authentication.publicOrigin, access: access, host: listen.address.host),
        version: fairleadVersion,
        access: access, audit: audit, proxies: authentication.proxies,
        isSecure: authentication.isSecure || credentials != nil, path: authentication.publicPath,
        keepAlive: authentication.keepAlive.amount,
        tls: SocketLayer(credentials),
        connectLocally: { eventLoop, loop in owner.connect(from: eventLoop, toLoop: loop) },
        targets: PipeKinds.standard.targets, logger: logger),
      registry: registry, group: group)
    sayStart(pipes, logger)
    let (nodeIsReady, nodeService) = Self.service(of: owner)
    defer { withExtendedLifetime(identity) {} }
    let publicURL = authentication.publicURL
    let file = ServeFileService(issuer: local, publicURL: publicURL, logger: logger)
    let routerService = RouterService(
      router: router, waitUntilDue: { for await _ in nodeIsReady {} },
      onReady: { port in
        let scheme = credentials == nil ? "http" : "https"
        let url = "\(scheme)://\(NodeAddress(host: listen.address.host, port: port))"
        file.announce(scheme: scheme, host: listen.address.host, port: port)
        let ticket = local.map { "/?ticket=\($0.issueTicket())" } ?? ""
        announce("fairlead serves on \(publicURL ?? url)\(ticket)")
      })
    try await runServices(
      [
        ReloadService([credentials] + pipes.credentials, keys: access.verifier, logger: logger),
        // The last is stopped first: clients are told how their sessions ended before they are sent away.
        routerService, nodeService, file,
      ], logger: logger)
    announceLeft(owner.sessionsLeft, port: listen.address.port)
  }

  /// Of each `serve` of a user on a machine.
  static func scope(port: Int) -> String { "serve/\(defaultNodeID())/\(port)" }

  private func sayStart(_ pipes: PipeStarters, _ logger: Logger) {
    logStart(
      logger,
      [
        "listen": "\(listen)", "targets": "\(pipes.names.joined(separator: ", "))",
        "idle_timeout": "\(node.idleTimeout)", "scrollback": "\(node.scrollback)",
      ])
  }

  /// Who came before the node has its kept sessions back would be told that they are lost.
  private static func service(of node: Node) -> (isReady: AsyncStream<Void>, NodeService) {
    let (isReady, ready) = AsyncStream.makeStream(of: Void.self)
    let service = NodeService(
      node: node, onReady: { _ in ready.finish() }, onEnd: { ready.finish() })
    return (isReady, service)
  }

  private func announceLeft(_ left: Int, port: Int) {
    guard left > 0 else { return }
    let usual = port == APIOptions.usualPort
    let place = usual ? "" : " on the same port"
    let address = usual ? "" : " --api http://127.0.0.1:\(port)"
    announce(
      "\(left) terminal\(left == 1 ? " goes" : "s go") on, for an hour, and \(left == 1 ? "is" : "are") here again "
        + "when fairlead serve is started\(place). `fairlead kill --all\(address)` ends "
        + "\(left == 1 ? "it" : "them"); "
        + "--end-sessions ends such terminals with the server")
  }

  private func nodeConfiguration(
    _ pipes: PipeStarters, in surroundings: Surroundings, _ logger: Logger
  ) -> NodeConfiguration {
    NodeConfiguration(
      id: defaultNodeID(), capacity: node.capacity(in: surroundings, for: pipes, logger),
      version: fairleadVersion, settings: node.settings, pipes: pipes,
      endsSessions: node.endSessions, logger: logger)
  }
}
