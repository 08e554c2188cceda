// `fairlead nodes`: the nodes of the cluster and how they are.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct NodesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nodes",
    abstract: "List the nodes.",
    discussion: """
      A node is live (takes new sessions), draining (keeps its own), silent (its lease has ended) or \
      dead (its sessions count as lost, or are what its holder keeps). LINK is how the router that answers gets \
      on with it: ok, or what is wrong.

        fairlead nodes
        fairlead nodes -o json --api http://router.internal:7070
        fairlead nodes --redis redis://10.0.0.5:6379/0      (when no router answers)
      """)

  @OptionGroup var api: APIOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let nodes = try await registry.answer {
      try await api.client().nodes()
    } orFromRegistry: {
      try await $0.nodes().map { NodeView($0) }
    }
    try output.show(nodes) { nodes in
      var table = Table(
        "NODE", "STATE", "SESSIONS", "CAPACITY", "WEIGHT", "LEASE", "VERSION", "ADDRESS", "LABELS",
        "LINK",
        numeric: [2, 3, 4])
      for node in nodes {
        table.add(
          node.id.rawValue, node.state.rawValue, "\(node.sessions)", "\(node.capacity)",
          "\(node.weight)", lease(node.lease), node.version, node.loops.first ?? "-",
          node.labels.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(separator: ","),
          node.link ?? "-")
      }
      return table.text
    }
  }

  private func lease(_ milliseconds: Int) -> String {
    let time = humanTime(milliseconds: UInt64(milliseconds.magnitude))
    return milliseconds < 0 ? "ended \(time) ago" : time
  }
}
