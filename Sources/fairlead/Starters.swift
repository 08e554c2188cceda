// Which pipes a node can start, and the labels that say so to routers.

import Logging
import Pipes

struct Starters {
  var pty: any PipeStarter
  var docker: (any PipeStarter)?
  var labels: [String: String]
}

/// - Parameter scope: names this node across its incarnations, within whatever containers it shares.
func makeStarters(_ options: NodeOptions, scope: String, logger: Logger) -> Starters {
  var starters = Starters(
    pty: PTYStarter(environment: NodeOptions.processEnvironment), docker: nil,
    labels: ["pty": "true"])
  if let endpoint = options.dockerEndpoint {
    starters.docker = DockerStarter(endpoint, scope: scope, logger: logger)
    starters.labels["docker"] = "true"
  }
  return starters
}
