// `fairlead explain ID`: why a session is where it is.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Say why a session is where it is.",
    discussion: """
      What the router that answers remembers, what the registry has, whose lease that is, who had the session before, \
      and each node's place for its name: the highest SCORE is asked first, unless something is in the way (WHY NOT), \
      or the second is clearly less loaded (LOAD, of at most LIMIT). Which labels a session asked for when it was created \
      is not remembered: --label says where one that asks for them would be created.

        fairlead explain build-42
        fairlead explain build-42 --label zone=a
        fairlead explain new-one --target docker:web      (where it would be created)
      """)

  @Argument(help: "The session's id.")
  var id: SessionID

  @Option(
    help: ArgumentHelp(
      "What one of this name would be, where it does not exist: \(Target.form).",
      valueName: "target"))
  var target: Target?

  @Option(
    help: ArgumentHelp(
      "As if one of this name were created with this label; may be given again.",
      valueName: "key=value"))
  var label: [LabelOption] = []

  @OptionGroup var output: OutputOptions
  @OptionGroup var watch: WatchOptions
  @OptionGroup var inquiry: Inquiry

  func run() async throws {
    let labels = Dictionary(label.map { ($0.key, $0.value) }) { $1 }
    try await watch.run {
      let found = try await inquiry.ask {
        try await $0.explain(id, target: target, labels: labels)
      }
      let gaps = found.gaps + [found.answer.registry?.sentence].compactMap { $0 }
      return Shown(
        text: try output.text(
          of: found.answer, names: { [$0.session.rawValue] }, table: { $0.sheet }), gaps: gaps)
    }
  }
}

extension SessionExplanation {
  fileprivate var sheet: String {
    var sheet = Sheet()
    sheet.add("session", session.rawValue)
    sheet.add("now", explanation)
    sheet.add(
      "router",
      "\(router) "
        + (memory.map { "remembers it on node \($0.node), epoch \($0.epoch)" }
          ?? "remembers nothing of it, and would ask the registry"))
    sheet.add(
      "record",
      record.map {
        "\($0.state.replacing("_", with: " ")) by node \($0.node), incarnation \($0.incarnation), epoch \($0.epoch)"
      } ?? (registry == nil ? "none: the registry does not know it" : "not known"))
    sheet.add(
      "lease",
      lease.map {
        let time = humanTime(milliseconds: UInt64($0.magnitude))
        return $0 < 0 ? "of that node ended \(time) ago" : "of that node: \(time) left"
      } ?? (record == nil ? nil : "none: no node of that name is registered"))
    sheet.add("owner", record?.owner)
    sheet.add("holder", record == nil ? nil : record?.holder ?? "none: it ends with its node")
    sheet.add("history", each: (history ?? []).map(\.sentence))
    sheet.add(
      record == nil ? "next" : "if new",
      chosen.map { "a session of this name would be created on node \($0)" }
        ?? "no node can take a session of this name")
    return sheet.text + "\n\n" + nodes.text
  }

  private var nodes: Table {
    var table = Table(
      "NODE", "SCORE", "LOAD", "LIMIT", "CAPACITY", "WEIGHT", "LABELS", "LINK", "WHY NOT",
      numeric: [1, 2, 3, 4, 5])
    for node in candidates {
      table.add(
        node.node.rawValue, rounded(node.score), "\(node.load)", "\(node.limit)",
        "\(node.capacity)", "\(node.weight)",
        labelTexts(node.labels).joined(separator: ","),
        node.link.map { $0 == "ok" ? $0 : "bad" } ?? "-",
        node.obstacle ?? (node.node == chosen ? "- (it is chosen)" : "-"))
    }
    return table
  }

  private func rounded(_ score: Double) -> String { "\((score * 1_000).rounded() / 1_000)" }
}
