// The roles as services, so that one group starts them and ends them in order.

import Cluster
import Logging
import NIOCore
import Node
import Router
import ServiceLifecycle
import TLS
import UnixSignals

struct NodeService: Service {
  let node: Node
  let onReady: @Sendable ([NodeAddress]) async -> Void

  func run() async throws {
    try await cancelWhenGracefulShutdown {
      try await node.run { addresses in await onReady(addresses) }
    }
  }
}

struct RouterService: Service {
  let router: Router
  /// For how long it goes on, not ready, before it closes its port.
  var drainDelay = Duration.zero
  let onReady: @Sendable (Int) async -> Void
  /// How long clients get to leave after GOAWAY.
  static let drainLimit = Duration.seconds(2)

  func run() async throws {
    try await withGracefulShutdownHandler {
      try await router.run(onReady: onReady)
    } onGracefulShutdown: {
      Task { await router.drain(after: drainDelay, atMost: Self.drainLimit) }
    }
  }
}

/// Reads certificates again when their files change, and on SIGHUP.
struct CertificateService: Service {
  let credentials: [TLSCredentials]

  /// One for those that are in use; none, and SIGHUP keeps its meaning, if there are none.
  static func services(_ credentials: [TLSCredentials?]) -> [CertificateService] {
    let used = credentials.compactMap { $0 }
    return used.isEmpty ? [] : [CertificateService(credentials: used)]
  }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { tasks in
        for credentials in credentials { tasks.addTask { await credentials.watch() } }
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
          for credentials in credentials { credentials.reload() }
        }
        tasks.cancelAll()
      }
    }
  }
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
