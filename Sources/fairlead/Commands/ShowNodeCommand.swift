// `fairlead node ID`: everything about one node. (Without an id `fairlead node` is the role: Fairlead.swift tells them
// apart.)

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct ShowNodeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show-node",
    abstract: "Show one node.",
    discussion: """
      `fairlead node ID` is the same: without an id it is the role that owns sessions.

        fairlead node a
        fairlead node a -o json
      """)

  @Argument(help: "The node's id.")
  var id: NodeID

  @OptionGroup var output: OutputOptions
  @OptionGroup var watch: WatchOptions
  @OptionGroup var inquiry: Inquiry

  /// What is shown: the node, and its sessions by state.
  struct View: Codable {
    var node: NodeView
    var states: [String: Int]
    var attached: Int
  }

  func run() async throws {
    try await watch.run {
      let (node, nodes) = try await inquiry.node(id)
      let sessions = try await inquiry.ask { try await $0.sessionList(SessionFilter(node: id)) }
      var view = View(node: node, states: [:], attached: 0)
      for session in sessions.answer.sessions {
        view.states[session.state.rawValue, default: 0] += 1
        if !session.viewers.isEmpty { view.attached += 1 }
      }
      return Shown(
        text: try output.text(of: view, names: { [$0.node.id.rawValue] }, table: { $0.sheet }),
        gaps: nodes.gaps + sessions.answer.gaps)
    }
  }
}

extension ShowNodeCommand.View {
  fileprivate var sheet: String {
    var sheet = Sheet()
    sheet.add("node", node.id.rawValue)
    sheet.add("state", node.state.rawValue)
    sheet.add(
      "lease",
      node.lease < 0
        ? "ended \(humanTime(milliseconds: UInt64(node.lease.magnitude))) ago"
        : humanTime(milliseconds: UInt64(node.lease)) + " left")
    sheet.add("link", node.link ?? "the router that answers has not tried")
    sheet.add("version", node.version)
    sheet.add("incarnation", "\(node.incarnation)")
    sheet.add("holder", node.holder ?? "none: its sessions end with it")
    sheet.add("loops", each: node.loops, otherwise: "in the process of serve")
    sheet.add("labels", each: labelTexts(node.labels))
    sheet.add("weight", "\(node.weight)")
    sheet.add("capacity", "\(node.capacity)")
    sheet.add("sessions", "\(node.sessions) by its last heartbeat")
    for (state, count) in states.sorted(by: { $0.key < $1.key }) {
      sheet.add("", "\(count) \(state)")
    }
    sheet.add("attached", "\(attached) of them")
    return sheet.text
  }
}
