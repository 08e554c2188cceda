// `fairlead nodes`: the nodes of the cluster and how they are.

import API
import ArgumentParser
import Registry
import Wire

struct NodesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nodes",
    abstract: "List the nodes.",
    discussion: """
      A node is live (takes new sessions), draining or cordoned (keeps its own), silent (its lease has ended) or \
      dead (its sessions count as lost, or are what its holder keeps). LINK is how the router that answers gets \
      on with it: ok, or what is wrong.

      Where Redis does not answer, the nodes are listed as the router last heard of them; where no router answers, \
      another one is asked, or Redis (--redis), or the nodes of the list that was seen last. What is missing or old \
      is said on standard error, and the exit code is 1; 2: nobody could be asked.

        fairlead nodes
        fairlead nodes --state live --sort -sessions --watch
        fairlead nodes --label zone=a -o name
        fairlead nodes --redis redis://10.0.0.5:6379/0      (when no router answers)
      """)

  @Option(help: ArgumentHelp("Only nodes in this state; may be given again.", valueName: "state"))
  var state: [StateOption] = []

  @Option(
    help: ArgumentHelp("Only nodes with this label; may be given again.", valueName: "key=value"))
  var label: [LabelOption] = []

  enum StateOption: String, ExpressibleByArgument, CaseIterable {
    case live, draining, cordoned, silent, dead
  }

  @OptionGroup var list: ListOptions
  @OptionGroup var inquiry: Inquiry

  func validate() throws { try list.check(NodeView.columns) }

  func run() async throws {
    try await list.watch.run {
      let found = try await inquiry.nodes()
      let nodes = found.answer.filter { node in
        (state.isEmpty || state.contains { $0.rawValue == node.state.rawValue })
          && label.allSatisfy { node.labels[$0.key] == $0.value }
      }
      return Shown(
        text: try list.text(of: nodes, NodeView.columns, name: \.id.rawValue), gaps: found.gaps)
    }
  }
}

extension NodeView {
  static var columns: [Column<NodeView>] {
    [
      .text("NODE") { $0.id.rawValue },
      .text("STATE") { $0.state.rawValue }.toned { $0.tone },
      .count("SESSIONS") { $0.sessions },
      .count("CAPACITY") { $0.capacity },
      .number("WEIGHT") { ($0.weight, "\($0.weight)") },
      .number("LEASE", .time) { (Double($0.lease), $0.leaseText) },
      .text("VERSION") { $0.version },
      .text("ADDRESS") { $0.loops.first },
      .text("LABELS") { $0.labelText },
      .text("INCARNATION", isWide: true) { $0.incarnation.description },
      .text("HOLDER", isWide: true) { $0.holder },
      .count("LOOPS", isWide: true) { $0.loops.count },
      .text("LINK") { $0.link }.toned { $0.linkTone },
    ]
  }

  private var linkTone: Tone? { link.map { $0 == "ok" ? .good : .bad } }

  var tone: Tone {
    switch state {
    case .live: .good
    case .draining, .cordoned: .doubtful
    case .silent, .dead: .bad
    }
  }

  var labelText: String {
    labelTexts(labels).joined(separator: ",")
  }

  var leaseText: String {
    let time = cellTime(milliseconds: UInt64(lease.magnitude))
    return lease < 0 ? "ended:\(time)" : time
  }
}
