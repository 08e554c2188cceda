// `fairlead can-stop NODE`: what would become of a node's sessions if it were stopped now.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct CanStopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "can-stop",
    abstract: "Say what stopping a node would do to its sessions.",
    discussion: """
      A session that a holder has is moved to another node that lives and reaches that: in a container, one with its \
      engine; on the node's own machine, one beside it (--takeover of `fairlead node`). Else it is paused until the node \
      is started again, within the hour; one without a holder is lost. The exit code is 0 if none would be lost, else 1, also if the node does not say \
      what it has: then what its records say is shown.

        fairlead can-stop a && ssh a systemctl restart fairlead-node
        fairlead can-stop a --no-pause      (1 also if some would be paused)
      """)

  @Argument(help: "The node's id.")
  var node: NodeID

  @Flag(help: "Sessions that would be paused count as those that would be lost.")
  var noPause = false

  @OptionGroup var output: OutputOptions
  @OptionGroup var inquiry: Inquiry

  func run() async throws {
    let (view, nodes) = try await inquiry.node(node)
    let found = try await inquiry.ask { try await $0.sessionList(SessionFilter(node: node)) }
    let outcome = StopOutcome(of: node, found.answer.sessions, among: nodes.answer)
    try output.show(outcome, names: { $0.lost.map(\.rawValue) }, table: { $0.text })
    var gaps = nodes.gaps + found.gaps.filter { !nodes.gaps.contains($0) } + found.answer.gaps
    // Nobody asks a dead one.
    if view.state == .dead {
      gaps.append("node \(node) is dead and does not say what it has: this is what its records say")
    }
    for gap in gaps { complain(printable(gap)) }
    let isNonePaused = outcome.paused.isEmpty && outcome.held.isEmpty
    if !gaps.isEmpty || !outcome.lost.isEmpty || (noPause && !isNonePaused) {
      throw ExitCode.failure
    }
  }
}

/// What would become of the sessions. Pure.
struct StopOutcome: Codable, Equatable {
  var node: NodeID
  var moved: [SessionID] = []
  var paused: [SessionID] = []
  var lost: [SessionID] = []
  /// They have ended: their last screens go with the node, and how they ended stays known.
  var ended: [SessionID] = []
  /// The node is away already: they are paused, or were lost with it.
  var held: [SessionID] = []
  var gone: [SessionID] = []

  init(of node: NodeID, _ sessions: [SessionSummary], among nodes: [NodeView]) {
    self.node = node
    let others = nodes.filter { $0.id != node && $0.state == .live }.map(\.labels)
    for session in sessions {
      switch session.state {
      case .ended: ended.append(session.session)
      case .held: held.append(session.session)
      case .lost: gone.append(session.session)
      // The next node is about to have it.
      case .waiting: moved.append(session.session)
      default:
        guard let holder = session.holder else {
          lost.append(session.session)
          continue
        }
        if others.contains(where: { HolderName.isReached(holder, by: $0) }) {
          moved.append(session.session)
        } else {
          paused.append(session.session)
        }
      }
    }
  }

  var text: String {
    var sheet = Sheet()
    sheet.add("moved", line(moved, "to other nodes, while their clients stay attached"))
    if !paused.isEmpty || held.isEmpty {
      sheet.add("paused", line(paused, "until the node is started again, within the hour"))
    }
    if !held.isEmpty { sheet.add("paused", line(held, "already (held)")) }
    if !lost.isEmpty || gone.isEmpty {
      sheet.add("lost", line(lost, "since nothing holds their terminals"))
    }
    if !gone.isEmpty { sheet.add("lost", line(gone, "already, with the node")) }
    if !ended.isEmpty { sheet.add("ended", line(ended, "whose last screens go with it")) }
    return sheet.text
  }

  private func line(_ sessions: [SessionID], _ what: String) -> String {
    if sessions.isEmpty { return "none" }
    return "\(sessions.count) \(what): \(examples(of: sessions))"
  }
}
