// Which pipes a node can start, and the labels that say so to routers.

import HTTPClient
import Logging
import Pipes
import TLS

struct Starters {
  var pty: any PipeStarter
  var docker: (any PipeStarter)?
  var labels: [String: String]
  /// Docker's.
  var certificates: TLSCredentials?
}

/// - Parameter scope: names this node across its incarnations, within whatever containers it shares.
func makeStarters(
  _ options: NodeOptions, in surroundings: Surroundings, scope: String, logger: Logger
) throws -> Starters {
  var starters = Starters(
    pty: PTYStarter(
      environment: NodeOptions.processEnvironment, user: options.ptyAccount,
      others: options.ptyAccounts, files: surroundings.inherited), docker: nil,
    labels: ["pty": "true"])
  if let endpoint = options.dockerEndpoint {
    let credentials = try options.dockerTLS.credentials(logger: logger)
    let names = if case .tcp(let host, _) = endpoint { [host] } else { [String]() }
    var transport: HTTPClient.TransportHandler?
    if let credentials { transport = { _ in try credentials.handler(serverNames: names) } }
    starters.docker = DockerStarter(
      endpoint, scope: scope, transport: transport, logger: logger)
    starters.certificates = credentials
    starters.labels["docker"] = "true"
  }
  return starters
}
