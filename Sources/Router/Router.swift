// A router: the front. Terminates WebSocket, finds the node that owns a session or chooses one for a
// new session, and carries frames both ways. Holds no session: any router serves any client.

import Admin
public import Auth
public import Cluster
import ConnectionErrors
import FoundationEssentials
import Glibc
import Hummingbird
import HummingbirdCore
public import Link
public import Logging
import NIOConcurrencyHelpers
public import NIOCore
import ServiceLifecycle
public import TLS
import Web
public import Wire

public struct RouterConfiguration: Sendable {
  public var name: String
  public var cluster: String
  public var host: String
  public var port: Int
  public var origins: OriginPolicy
  public var version: String
  /// Who may come in.
  public var access: AccessControl
  public var audit: AuditLog?
  /// Proves to nodes that this router is of their cluster.
  public var linkKey: LinkKey?
  /// Whose word on a client's address is believed.
  public var proxies: TrustedProxies
  /// Clients come by TLS, here or at the load balancer, so that cookies are for TLS only.
  public var isSecure: Bool
  /// Where clients find it at its host, if not at the root: begins with a slash, and does not end with one.
  public var path: String
  /// How long an HTTP connection is kept without a request.
  public var keepAlive: TimeAmount
  /// For clients: nil listens for plain text.
  public var tls: TLSCredentials?
  /// For links to nodes: nil connects in plain text.
  public var linkTLS: TLSCredentials?
  /// Set in `serve`: the one node is in this process, and links to its loops do not use sockets.
  public var connectLocally: (@Sendable (_ from: any EventLoop, _ loop: Int) -> LocalTransport)?
  /// Known kinds of targets; others are for nodes that announce them.
  public var targets: TargetKinds
  public var logger: Logger

  public init(
    name: String, cluster: String = "fl", host: String, port: Int,
    origins: OriginPolicy = OriginPolicy(), version: String = "",
    access: AccessControl = .open, audit: AuditLog? = nil, linkKey: LinkKey? = nil,
    proxies: TrustedProxies = TrustedProxies(), isSecure: Bool = false, path: String = "",
    keepAlive: TimeAmount = RouterLimits.keepAlive,
    tls: TLSCredentials? = nil, linkTLS: TLSCredentials? = nil,
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
    self.linkKey = linkKey
    self.proxies = proxies
    self.isSecure = isSecure || tls != nil
    self.path = path
    self.keepAlive = keepAlive
    self.tls = tls
    self.linkTLS = linkTLS
    self.connectLocally = connectLocally
    self.targets = targets
    self.logger = logger
  }
}

public final class Router: Sendable {
  let configuration: RouterConfiguration
  let context: RouterContext
  private let group: any EventLoopGroup
  private let loops: [ObjectIdentifier: NIOLoopBound<RouterLoop>]
  let eventLoops: [any EventLoop]
  private let server = NIOLockedValueBox(Server())
  private let story = NIOLockedValueBox(NodeStory())

  private struct Server {
    /// While it runs.
    var group: ServiceGroup?
    /// The port is closed, even if it was never opened.
    var isOver = false
  }

  public init(
    _ configuration: RouterConfiguration, registry: any Registry, group: any EventLoopGroup
  ) async throws {
    self.configuration = configuration
    self.group = group
    let context = RouterContext(configuration, registry: registry)
    self.context = context
    eventLoops = Array(group.makeIterator())
    var loops: [ObjectIdentifier: NIOLoopBound<RouterLoop>] = [:]
    for loop in eventLoops {
      loops[ObjectIdentifier(loop)] = try await loop.submit {
        NIOLoopBound(RouterLoop(eventLoop: loop, context: context), eventLoop: loop)
      }.get()
    }
    self.loops = loops
  }

  /// Listens until the task is cancelled; then asks its clients to go, gives them a moment, and
  /// closes. It starts without a registry that is away, and is not ready until that has answered.
  /// - Parameter onReady: called with the port once it listens.
  public func run(onReady: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
    do {
      try await refresh()
    } catch let error as RegistryError where error.code.passes {
      context.logger.warning(
        "not ready: the registry does not answer yet", metadata: ["error": "\(error)"])
    }
    let loops = loops
    let configuration = configuration
    let routes = adminRouter(
      operations: RouterOperations(self), version: configuration.version,
      access: configuration.access, audit: configuration.audit, isSecure: configuration.isSecure,
      pages: configuration.origins.pageRules, path: configuration.path,
      signInPage: { page in
        signInPage(
          problem: page.problem, takesTickets: page.takesTickets, takesTokens: page.takesTokens,
          next: page.next)
      })
    addWebPage(to: routes, frameAncestors: configuration.origins.allowed)
    let application = Application(
      router: routes,
      server: HTTPServerBuilder { responder in
        ClientChannel(
          responder: responder, configuration: configuration,
          loop: { eventLoop in loops[ObjectIdentifier(eventLoop)]?.value })
      },
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port),
        serverName: "fairlead"),
      onServerRunning: { channel in
        let port = channel.localAddress?.port ?? 0
        self.logListening(port)
        await onReady(port)
      },
      eventLoopGroupProvider: .shared(group),
      logger: quietLogger)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { await self.watchNodes() }
      tasks.addTask { await self.watchOwners() }
      tasks.addTask { await self.watchKeys() }
      tasks.addTask { try await self.serve(application) }
      do {
        // The server runs until the task is cancelled, or it could not listen.
        try await tasks.next()
      } catch {
        tasks.cancelAll()
        throw RouterError(error, listening: configuration.host, configuration.port)
      }
      tasks.cancelAll()
    }
  }

  /// Runs the HTTP server out of sight of the process's shutdown, which would close the port at once: `drain`
  /// does that in its time.
  private func serve(_ application: some Service) async throws {
    let group = ServiceGroup(
      configuration: .init(services: [.init(service: application)], logger: quietLogger))
    let isOver = server.withLockedValue {
      $0.group = group
      return $0.isOver
    }
    // The shutdown was asked for before there was anything to shut down.
    if isOver { return }
    let running = Task.detached { try await group.run() }
    try await withTaskCancellationHandler {
      try await running.value
    } onCancel: {
      running.cancel()
    }
  }

  /// Hummingbird's own start and stop lines would only repeat ours.
  private var quietLogger: Logger {
    var logger = configuration.logger
    logger.logLevel = max(logger.logLevel, .warning)
    return logger
  }

  private func logListening(_ port: Int) {
    let address = NodeAddress(host: configuration.host, port: port)
    configuration.logger.info(
      context.knowsNodes ? "ready for clients" : "listening; not ready before the registry answers",
      metadata: [
        "address": "\(address)", "tls": "\(configuration.tls != nil)",
        "link_tls": "\(configuration.linkTLS != nil)",
        "authentication": "\(!configuration.access.isOpen)", "loops": "\(eventLoops.count)",
      ])
  }

  /// Shuts down: says on `/readyz` that it is not ready, and goes on for `delay`, so that load balancers send
  /// nobody to a port that is closed; then closes the port, asks the clients to leave, and waits until they
  /// have, for at most `limit`.
  public func drain(after delay: Duration = .zero, atMost limit: Duration) async {
    context.isStopping = true
    let start = ContinuousClock.now
    if delay > .zero {
      configuration.logger.info(
        "shutting down: not ready, and then the port closes", metadata: ["after": "\(delay)"])
    }
    try? await Task.sleep(for: delay)
    let running = server.withLockedValue {
      $0.isOver = true
      return $0.group
    }
    await running?.triggerGracefulShutdown()
    let clients = await connectionCount()
    configuration.logger.info(
      "shutting down: clients are asked to go elsewhere", metadata: ["clients": "\(clients)"])
    await onEachLoop { $0.goAway() }
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline, await connectionCount() > 0 {
      try? await Task.sleep(for: .milliseconds(20))
    }
    let left = await connectionCount()
    let seconds = Double((ContinuousClock.now - start) / .milliseconds(1)) / 1_000
    configuration.logger.info(
      "shut down",
      metadata: [
        "clients_left_by_themselves": "\(max(0, clients - left))",
        "clients_closed": "\(left)", "seconds": "\((seconds * 10).rounded() / 10)",
      ])
    await onEachLoop { $0.close() }
  }

  private func connectionCount() async -> Int {
    var count = 0
    for loop in eventLoops { count += await on(loop) { $0.connectionCount } ?? 0 }
    return count
  }

  private func onEachLoop(_ body: @escaping @Sendable (RouterLoop) -> Void) async {
    for loop in eventLoops { _ = await on(loop, body) }
  }

  func on<Result: Sendable>(
    _ eventLoop: any EventLoop, _ body: @escaping @Sendable (RouterLoop) -> Result
  ) async -> Result? {
    guard let loop = loops[ObjectIdentifier(eventLoop)] else { return nil }
    return try? await eventLoop.submit { body(loop.value) }.get()
  }

  /// On the loop that `key` names: what is about one session or one loop of a node uses the same links each time,
  /// and the whole is spread over all loops.
  func onLoop<Result: Sendable>(
    for key: String, _ body: @escaping @Sendable (RouterLoop) -> EventLoopFuture<Result>
  ) async throws -> Result {
    let eventLoop = eventLoops[loopIndex(for: key)]
    guard let loop = loops[ObjectIdentifier(eventLoop)] else { throw ChannelError.eof }
    return try await eventLoop.flatSubmit { body(loop.value) }.get()
  }

  // MARK: The keys of tokens

  private func watchKeys() async {
    guard let verifier = configuration.access.verifier else {
      // The group ends with its first task.
      while !Task.isCancelled { try? await Task.sleep(for: .seconds(3_600)) }
      return
    }
    let logger = configuration.logger
    await verifier.watch { result in
      switch result {
      case .success: logger.info("the keys of tokens were read again")
      case .failure(let error):
        logger.error("the keys of tokens stay as they were", metadata: ["error": "\(error)"])
      }
    }
  }

  // MARK: The list of nodes

  private func watchNodes() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: RouterLimits.directoryInterval)
      do {
        try await refresh()
      } catch {
        context.logger.debug("the list of nodes could not be read", metadata: ["error": "\(error)"])
        context.health.sayTroubles()
      }
    }
  }

  func refresh() async throws {
    let asked = ContinuousClock.now
    let nodes = try await context.registry.nodes()
    let directory = NodeDirectory(nodes)
    tell(of: nodes)
    context.noteReports(nodes, asked: asked)
    await onEachLoop { $0.update(directory) }
    if !context.knowsNodes {
      let live = directory.all.count { $0.isLive }
      configuration.logger.info(
        "the registry has answered",
        metadata: ["nodes": "\(directory.all.count)", "live": "\(live)"])
    }
    context.knowsNodes = true
    await tend(directory)
  }

  private func tell(of nodes: [NodeEntry]) {
    // Within one process the node's own lines say it.
    guard configuration.connectLocally == nil else { return }
    for line in story.withLockedValue({ $0.hear(nodes, at: Date()) }) {
      configuration.logger.log(level: line.level, "\(line.text)", metadata: line.metadata)
    }
  }

  /// Each node is one loop's to watch.
  private func tend(_ directory: NodeDirectory) async {
    // Within this process there is no link to fail.
    guard configuration.connectLocally == nil, !context.isStopping else { return }
    context.health.keep(only: Set(directory.entries.keys))
    context.health.sayTroubles()
    let watched = Dictionary(grouping: directory.all) { loopIndex(for: $0.record.id.rawValue) }
    for (index, nodes) in watched { _ = await on(eventLoops[index]) { $0.tend(nodes) } }
  }

  private func loopIndex(for key: String) -> Int {
    SessionID(unchecked: key).loopIndex(of: eventLoops.count)
  }
}

/// Why a router does not run.
public struct RouterError: Error, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// Another process listens there.
    case addressInUse = "address_in_use"
    case cannotListen = "cannot_listen"
  }
  public var code: Code
  public var message: String
  public var cause: any Error

  init(_ cause: any Error, listening host: String, _ port: Int) {
    let address = NodeAddress(host: host, port: port)
    self.cause = cause
    if (cause as? IOError)?.errnoCode == EADDRINUSE {
      code = .addressInUse
      message = "\(address) is in use by another process; choose another address with --listen"
    } else {
      code = .cannotListen
      message = "cannot listen on \(address)"
    }
  }

  public var description: String {
    code == .addressInUse ? message : "\(message): \(ConnectionErrors.cause(of: cause))"
  }
}
