// Which pipes a node can start, and the labels that say so to routers.

import ArgumentParser
import Cluster
import NIOCore
import Node
import Pipes
import Wire

struct Starters {
  var pty: any PipeStarter
  var docker: (any PipeStarter)?
  var labels: [String: String]
}

func makeStarters(
  _ options: NodeOptions, id: NodeID, incarnation: Incarnation, group: any EventLoopGroup
) throws -> Starters {
  Starters(
    pty: PTYStarter(environment: NodeOptions.processEnvironment), docker: nil,
    labels: ["pty": "true"])
}
