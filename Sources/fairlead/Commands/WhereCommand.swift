// `fairlead where ID`: which node has a session, or would get it, and why.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct WhereCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "where",
    abstract: "Say which node has a session, and why.",
    discussion: """
      "owner": the registry has an owner's record. "unreachable": that owner is silent, or its holder keeps the \
      session until it is started again. "lost": it has died, or was started anew. "hash": the session does not exist, and this is the node where rendezvous hashing would \
      create it. Below it stands which nodes had it under which epoch, from when on, and why that began: the session was \
      "started", the node "restarted", or another node has "taken over". Where Redis does not answer, the nodes are \
      asked whether they have it. `fairlead explain` says more.

        fairlead where build-42
        fairlead where build-42 --redis redis://10.0.0.5:6379/0      (when no router answers)
      """)

  @Argument(help: "The session's id.")
  var id: SessionID

  @OptionGroup var output: OutputOptions
  @OptionGroup var watch: WatchOptions
  @OptionGroup var inquiry: Inquiry

  func run() async throws {
    try await watch.run {
      let found = try await inquiry.ask { try await $0.locate(id) }
      let text = try output.text(of: found.answer, names: { [$0.node.rawValue] }) { location in
        var table = Table("SESSION", "NODE", "WHY", "EPOCH", "EXPLANATION")
        table.add(
          location.session.rawValue, location.node.rawValue, location.why.rawValue,
          location.epoch.map { "\($0)" } ?? "-", location.explanation)
        guard let history = location.history, history.count > 1 else { return table.text }
        return table.text + "\n\n" + Self.table(of: history).text
      }
      return Shown(text: text, gaps: found.gaps)
    }
  }

  /// Who had a session.
  private static func table(of history: [Tenure]) -> Table {
    var table = Table("EPOCH", "NODE", "SINCE", "WHY")
    for tenure in history {
      table.add("\(tenure.epoch)", tenure.node, tenure.sinceText, tenure.whyText)
    }
    return table
  }
}

extension Tenure {
  var sinceText: String { since.flatMap(timeText) ?? "-" }
  var whyText: String { why.rawValue.replacing("_", with: " ") }
}
