// A router of this command's own, for one question, where no other answers: it finds the nodes by Redis, or by a list
// that is remembered, and asks them as any router does. So there is one way in which a cluster is asked.

import APIClient
import Auth
import Links
import Logging
import NIOCore
import NIOPosix
import Pipes
import Registry
import Router
import TLS
import Transport
import Wire

struct OwnRouter {
  var registry: any Registry
  var cluster: String
  var clusterKey: ClusterKey?
  var link: TLSCredentials?
  var limit: TimeAmount?

  /// Listens on loopback, where only who has this process's token gets in, while `question` is asked.
  func ask<Answer: Sendable>(
    _ question: (APIClient) async throws -> Answer
  ) async throws -> Answer {
    let issuer = try await LocalIssuer()
    var configuration = RouterConfiguration(
      name: "command", cluster: cluster, host: "127.0.0.1", port: 0, version: fairleadVersion,
      access: AccessControl(verifier: nil, local: issuer), clusterKey: clusterKey,
      linkTLS: SocketLayer(link), targets: PipeKinds.standard.targets,
      logger: Logger(label: "command") { _ in SwiftLogNoOpLogHandler() })
    configuration.isListed = false
    let router = try await Router(
      configuration, registry: registry, group: MultiThreadedEventLoopGroup.singleton)
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    let running = Task {
      defer { port.finish() }
      try await router.run { port.yield($0) }
    }
    defer { running.cancel() }
    for await port in ports {
      return try await question(
        APIClient(
          host: "127.0.0.1", port: port, token: try issuer.token(life: CommandLimits.ownToken),
          within: limit))
    }
    try await running.value
    throw APIError(code: .unreachable, message: "this command's own router did not start")
  }
}
