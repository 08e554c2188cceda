// `fairlead session ID`: everything that its node says about one session.

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
      """)

  @Argument(help: "The session's id.")
  var id: SessionID

  @OptionGroup var api: APIOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    try output.show(try await api.client().session(id)) { session in
      let now = WallClock.milliseconds
      var rows: [(String, String)] = [
        ("session", session.session.rawValue), ("node", session.node),
        ("state", session.stateText), ("target", session.target),
        ("command", session.commandText), ("size", "\(session.size)"),
      ]
      if let user = session.user { rows.append(("user", user.rawValue)) }
      if let title = session.title { rows.append(("title", title)) }
      if let stalled = session.stalled { rows.append(("stalled", stalled)) }
      rows.append(("holder", session.holder ?? "none: it ends with its node"))
      rows += [
        ("age", humanTime(milliseconds: now > session.created ? now - session.created : 0)),
        ("idle", humanTime(milliseconds: session.idle)),
        ("output", humanBytes(session.output)), ("input", humanBytes(session.input)),
        ("life", "\(session.life)"), ("epoch", "\(session.epoch)"),
        ("viewers", session.viewers.isEmpty ? "none" : "\(session.viewers.count)"),
      ]
      rows += session.viewers.map { viewer in
        ("", "\(viewer.client) (\(viewer.mode.rawValue))" + (viewer.sub.map { ", \($0)" } ?? ""))
      }
      rows += (session.history ?? []).enumerated().map { index, tenure in
        (
          index == 0 ? "history" : "",
          "\(tenure.sinceText) \(tenure.whyText) on \(tenure.node), epoch \(tenure.epoch)"
        )
      }
      let width = rows.map(\.0.count).max() ?? 0
      return rows.map { name, value in
        name + String(repeating: " ", count: width - name.count + 2) + printable(value)
      }.joined(separator: "\n")
    }
  }
}
