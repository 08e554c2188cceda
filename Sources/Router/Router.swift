// A router: the front. Terminates WebSocket, finds the node that owns a session or chooses one for a
// new session, and carries frames both ways. Holds no session: any router serves any client.

import APIServer
import Auth
import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
public import NIOCore
public import Registry
import ServiceLifecycle
import Transport
import Web
public import Wire

public final class Router: Sendable {
  let configuration: RouterConfiguration
  let loops: RouterLoops
  private let group: any EventLoopGroup
  private let server = NIOLockedValueBox(Server())

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
    loops = try await RouterLoops(
      group, context: RouterContext(configuration, registry: registry))
  }

  private var context: RouterContext { loops.context }

  /// Listens until the task is cancelled, or `drain` has closed the port and its clients' connections have ended. It starts without a registry that is away, and is not ready until that has answered.
  /// - Parameter onReady: called with the port once it listens.
  public func run(onReady: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
    do {
      try await loops.refresh()
    } catch let error as RegistryError where error.code.passes {
      context.logger.warning(
        "not ready: the registry does not answer yet", metadata: ["error": "\(error)"])
    }
    let loops = loops
    let configuration = configuration
    let routes = apiRouter(
      operations: RouterOperations(loops), version: configuration.version,
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
          loop: { loops.current($0) })
      },
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port),
        serverName: "fairlead"),
      onServerRunning: { channel in
        let port = channel.localAddress?.port ?? 0
        // Not on the loop that accepts connections: what is done then may write files.
        await withTaskExecutorPreference(globalConcurrentExecutor) {
          self.logListening(port)
          self.context.url = configuration.url(port: port)
          await onReady(port)
        }
      },
      eventLoopGroupProvider: .shared(group),
      logger: quietLogger)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { await loops.watchNodes() }
      tasks.addTask { await loops.watchOwners() }
      tasks.addTask { await self.watchKeys() }
      tasks.addTask { await loops.keepListed(isListed: configuration.isListed) }
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
    // Accepting a connection is of a few steps; requests are answered elsewhere (`ClientChannel`).
    let running = Task.detached(executorPreference: LoopExecutor(loops.eventLoops[0])) {
      try await group.run()
    }
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
        "address": "\(address)", "tls": "\(configuration.tls.isEncrypted)",
        "link_tls": "\(configuration.linkTLS.isEncrypted)",
        "authentication": "\(!configuration.access.isOpen)", "loops": "\(loops.eventLoops.count)",
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
    let clients = await loops.clientCount()
    configuration.logger.info(
      "shutting down: clients are asked to go elsewhere", metadata: ["clients": "\(clients)"])
    await loops.onEach { $0.goAway() }
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline, await loops.clientCount() > 0 {
      try? await Task.sleep(for: RouterLimits.drainInterval)
    }
    let left = await loops.clientCount()
    let seconds = Double((ContinuousClock.now - start) / .milliseconds(1)) / 1_000
    configuration.logger.info(
      "shut down",
      metadata: [
        "clients_left_by_themselves": "\(max(0, clients - left))",
        "clients_closed": "\(left)", "seconds": "\((seconds * 10).rounded() / 10)",
      ])
    await loops.onEach { $0.close() }
    await loops.leaveList()
  }

  // MARK: The keys of tokens

  private func watchKeys() async {
    guard let verifier = configuration.access.verifier else {
      // The group ends with its first task, so that this one waits until it is cancelled.
      let (end, continuation) = AsyncStream.makeStream(of: Void.self)
      for await _ in end {}
      return withExtendedLifetime(continuation) {}
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
}

/// Why a router does not run.
public typealias RouterError = Failure<RouterErrorCode>

public enum RouterErrorCode: String, FailureCode {
  /// Another process listens there.
  case addressInUse = "address_in_use"
  case cannotListen = "cannot_listen"

  public static func words(of cause: any Error) -> String { Transport.cause(of: cause) }
}

extension RouterError {
  init(_ cause: any Error, listening host: String, _ port: Int) {
    let address = NodeAddress(host: host, port: port)
    if (cause as? IOError)?.errnoCode == EADDRINUSE {
      self.init(
        .addressInUse,
        "\(address) is in use by another process; choose another address with --listen")
    } else {
      self.init(.cannotListen, "cannot listen on \(address)", cause: cause)
    }
  }
}
