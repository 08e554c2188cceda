// `fairlead drain NODE`: before maintenance, a node gets no new sessions and keeps its old ones.

import APIClient
import ArgumentParser
import Registry

struct DrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain",
    abstract: "Send no new sessions to a node.",
    discussion: """
        fairlead drain a
        fairlead sessions --node a      (what it still has)
        fairlead drain a --undo
      """)

  @Argument(help: "The node's id, as in fairlead nodes.")
  var node: NodeID

  @Flag(help: "Send it new sessions again.")
  var undo = false

  @OptionGroup var api: APIOptions

  func run() async throws {
    try await api.client().setDraining(node, !undo)
    say(undo ? "node \(node) takes new sessions" : "node \(node) is draining")
  }
}
