// The roles as services, so that one group starts them and ends them in order.

import Auth
import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Node
import Registry
import Router
import ServiceLifecycle
import TLS
import UnixSignals

struct NodeService: Service {
  let node: Node
  let onReady: @Sendable ([NodeAddress]) async -> Void
  /// However it ends.
  var onEnd: @Sendable () -> Void = {}

  func run() async throws {
    defer { onEnd() }
    try await cancelWhenGracefulShutdown {
      try await node.run { addresses in await onReady(addresses) }
    }
  }
}

struct RouterService: Service {
  let router: Router
  /// For how long it goes on, not ready, before it closes its port.
  var drainDelay = Duration.zero
  /// What it waits for before it takes clients.
  var waitUntilDue: @Sendable () async -> Void = {}
  let onReady: @Sendable (Int) async -> Void

  func run() async throws {
    let drain = NIOLockedValueBox<Task<Void, Never>?>(nil)
    try await withGracefulShutdownHandler {
      await waitUntilDue()
      try await router.run(onReady: onReady)
    } onGracefulShutdown: {
      drain.withLockedValue {
        $0 = Task { await router.drain(after: drainDelay, atMost: CommandLimits.goAway) }
      }
    }
    // It may end with the last client before the drain has said how that went.
    await drain.withLockedValue { $0 }?.value
  }
}

/// Reads certificates again when their files change; and on SIGHUP, which ends no role, certificates
/// and the keys of tokens. (Logs need no word: a file is opened anew for each batch of its lines.)
struct ReloadService: Service {
  let credentials: [TLSCredentials]
  let keys: TokenVerifier?
  let logger: Logger

  init(_ credentials: [TLSCredentials?], keys: TokenVerifier? = nil, logger: Logger) {
    self.credentials = credentials.compactMap { $0 }
    self.keys = keys
    self.logger = logger
  }

  /// Until the service runs: a signal that comes earlier must not end the process.
  static func prepare() { signal(SIGHUP, SIG_IGN) }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { tasks in
        for credentials in credentials { tasks.addTask { await credentials.watch() } }
        for await _ in await UnixSignalsSequence(trapping: .sighup) { await reload() }
        tasks.cancelAll()
      }
    }
  }

  private func reload() async {
    logger.info("SIGHUP: certificates and keys of tokens are read again")
    for credentials in credentials { credentials.reload() }
    guard let keys else { return }
    do {
      try await keys.reload(evenIfUnchanged: true)
      logger.info("the keys of tokens were read again")
    } catch {
      logger.error("the keys of tokens stay as they were", metadata: ["error": "\(error)"])
    }
  }
}

/// The first line of a role's log: which program, where, with how much room.
func logStart(_ logger: Logger, _ more: Logger.Metadata) {
  var limit = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  let start: Logger.Metadata = [
    "version": "\(fairleadVersion)", "pid": "\(getpid())", "descriptors": "\(limit.rlim_cur)",
  ]
  logger.info("starting", metadata: start.merging(more) { $1 })
}

/// Runs the services until SIGTERM or SIGINT, and ends them last to first.
func runServices(_ services: [any Service], logger: Logger) async throws {
  var quiet = logger
  quiet.logLevel = max(logger.logLevel, .warning)
  let group = ServiceGroup(
    configuration: .init(
      services: services.map { .init(service: $0, failureTerminationBehavior: .cancelGroup) },
      gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
  try await group.run()
}
