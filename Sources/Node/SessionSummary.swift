// What operators see of a session.

import FoundationEssentials
import NIOCore
import Screen
import Wire

extension Session {
  func summary(node: String) -> SessionSummary {
    let now = NIODeadline.now()
    let drivers = streams.lazy.filter { $0.mode == .driver }
    let watchers = streams.lazy.filter { $0.mode == .watcher }
    let listed =
      Array(drivers.prefix(WireLimits.viewersListed)) + watchers.prefix(WireLimits.viewersListed)
    return SessionSummary(
      session: id, node: node, life: life, epoch: epoch, target: creation.target.description,
      command: creation.command, state: (ended == nil ? SessionState.running : .ended).rawValue,
      status: ended?.status, reason: ended?.reason, ended: endedTime, size: size,
      title: screen.title.isEmpty ? nil : screen.title.clipped(to: 256), created: createdAt,
      idle: UInt64(max(0, (now - lastUsed).nanoseconds / 1_000_000)), output: log.end,
      input: inputBytes, owner: owner,
      viewers: listed.prefix(WireLimits.viewersListed).map {
        Event.Viewer(client: $0.client, mode: $0.mode, sub: $0.identity.subject)
      })
  }

  /// What of it is not what the OPEN would have created, for REFUSED `exists` and OPENED; nil: nothing. Who may
  /// only look is not told how it was started.
  func differences(from request: LinkOpen, rights: Rights) -> [String]? {
    guard let wanted = request.open.create else { return nil }
    var names = owner == request.access.subject ? [] : ["owner"]
    if rights >= .write { names += creation.differences(from: wanted) }
    return names.isEmpty ? nil : names
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
