// The roles as services, so that one group starts them and ends them in order.

import Cluster
import Logging
import NIOCore
import Node
import Router
import ServiceLifecycle
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
  let onReady: @Sendable (Int) async -> Void
  /// How long clients get to leave after GOAWAY.
  static let drainLimit = Duration.seconds(2)

  func run() async throws {
    try await withGracefulShutdownHandler {
      try await router.run(onReady: onReady)
    } onGracefulShutdown: {
      Task { await router.drain(atMost: Self.drainLimit) }
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
