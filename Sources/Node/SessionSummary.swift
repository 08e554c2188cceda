// What operators see of a session.

import FoundationEssentials
import NIOCore
import Screen
import Wire

extension Session {
  func summary(node: String) -> SessionSummary {
    let now = NIODeadline.now()
    let idle = streams.isEmpty ? (now - lastUsed).nanoseconds / 1_000_000 : 0
    // A command can be as long as an OPEN; its first words tell enough, and fit in a frame.
    let words = creation.command.prefix(8).map { $0.clipped(to: 32) }
    return SessionSummary(
      session: id, node: node, life: life, epoch: epoch, target: creation.target.description,
      command: words, state: ended == nil ? "running" : "ended", status: ended?.status,
      size: size, title: screen.title.isEmpty ? nil : screen.title.clipped(to: 256),
      created: createdAt, idle: UInt64(max(0, idle)), output: log.end,
      input: inputBytes, owner: owner,
      viewers: streams.prefix(4).map { Event.Viewer(client: $0.client, mode: $0.mode) })
  }

  /// What the session shows, as `text`, `ansi` (text with its attributes) or `json`, below so many of the
  /// lines that scrolled away.
  func screen(format: String, scrollback: Int) -> String {
    let scrollback = min(scrollback, NodeLimits.shownScrollback)
    return switch format {
    case "ansi": String(decoding: screen.ansi(scrollback: scrollback), as: UTF8.self)
    case "json": ScreenView(screen.contents(scrollback: scrollback)).json
    default: screen.text(scrollback: scrollback)
    }
  }
}

/// A screen as the HTTP API shows it; docs/api.md.
private struct ScreenView: Encodable {
  struct Cursor: Encodable {
    var column: Int
    var row: Int
    var visible: Bool
  }
  var size: TerminalSize
  var cursor: Cursor
  /// The program shows its alternate screen, as editors do.
  var alternate: Bool
  var title: String?
  var directory: String?
  /// How many of the lines, the first ones, are above the screen.
  var scrollback: Int
  var lines: [String]

  init(_ contents: ScreenContents) {
    size = TerminalSize(columns: contents.columns, rows: contents.rows)
    cursor = Cursor(
      column: contents.cursorColumn, row: contents.cursorRow, visible: contents.isCursorVisible)
    alternate = contents.isAlternate
    title = contents.title.isEmpty ? nil : contents.title
    directory = contents.workingDirectory
    scrollback = contents.scrollback
    lines = contents.lines
  }

  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Numbers, booleans and strings: encoding them cannot fail.
    let data = (try? encoder.encode(self)) ?? Data("{}".utf8)
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}
