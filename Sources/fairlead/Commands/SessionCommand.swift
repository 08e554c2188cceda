// `fairlead session ID`: everything that its node says about one session.

import API
import APIClient
import ArgumentParser
import Wire

struct SessionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "session",
    abstract: "Show one session.",
    discussion: """
        fairlead session Vg3kT0nYl2sW9qXzR5mBcA
        fairlead session build-42 -o json
        fairlead session build-42 --watch
      """)

  @Argument(help: "The session's id.")
  var id: SessionID

  @OptionGroup var output: OutputOptions
  @OptionGroup var watch: WatchOptions
  @OptionGroup var inquiry: Inquiry

  func run() async throws {
    try await watch.run {
      let found = try await inquiry.ask { try await $0.session(id) }
      return Shown(
        text: try output.text(
          of: found.answer, names: { [$0.session.rawValue] }, table: { $0.sheet }),
        gaps: found.gaps)
    }
  }
}

extension SessionSummary {
  fileprivate var sheet: String {
    let now = WallClock.milliseconds
    var sheet = Sheet()
    sheet.add("session", session.rawValue)
    sheet.add("node", node)
    sheet.add("state", stateText)
    sheet.add("target", target)
    sheet.add("command", commandText)
    sheet.add("size", "\(size)")
    sheet.add("owner", creator)
    sheet.add("user", user?.rawValue)
    sheet.add("title", title)
    sheet.add("stalled", stalled)
    sheet.add("holder", holder ?? "none: it ends with its node")
    sheet.add("created", timeText(created))
    sheet.add("age", humanTime(milliseconds: now > created ? now - created : 0))
    sheet.add("idle", humanTime(milliseconds: idle))
    sheet.add("ended", ended.flatMap(timeText))
    sheet.add("output", humanBytes(output))
    sheet.add("input", humanBytes(input))
    sheet.add("life", "\(life)")
    sheet.add("epoch", "\(epoch)")
    sheet.add("viewers", viewers.isEmpty ? "none" : "\(viewers.count)")
    sheet.add(
      "",
      each: viewers.map { viewer in
        "\(viewer.client) (\(viewer.mode.rawValue))" + (viewer.sub.map { ", \($0)" } ?? "")
      })
    sheet.add("history", each: (history ?? []).map(\.sentence))
    return sheet.text
  }
}

extension Tenure {
  var sentence: String { "\(sinceText) \(whyText) on \(node), epoch \(epoch)" }
}
