// What a session shows, for the HTTP API, made in slices: ten thousand lines of scrollback take longer than
// others on the loop should wait.

import FoundationEssentials
import Screen
import Wire

final class ShownScreen {
  private let screen: Screen
  private let kind: ScreenText.Format
  private let scrollback: Int
  private let tail: Int?
  /// Nil before it is begun.
  private var shown: (text: ScreenText, view: ScreenView)?
  private var bytes: [UInt8] = []

  /// Nil: only newer nodes know the format.
  init?(_ screen: Screen, format: ScreenFormat, scrollback: Int, tail: Int?) {
    self.screen = screen
    self.scrollback = min(scrollback, NodeLimits.shownScrollback)
    self.tail = tail.map { min($0, NodeLimits.shownScrollback) }
    switch format {
    case .text: kind = .plain
    case .ansi: kind = .ansi
    case .json: kind = .json
    default: return nil
    }
  }

  /// Makes one more slice. False: there is more to do.
  func makeSlice() -> Bool {
    guard let text = shown?.text else {
      // In the middle of a resize there is nothing to show.
      if screen.goOnResizing(work: Screen.workPerCall) { shown = (begin(), ScreenView(screen)) }
      return false
    }
    bytes += text.next(work: Screen.workPerCall)
    return text.isDone || isTooLarge
  }

  private func begin() -> ScreenText {
    if let tail { return screen.beginText(kind, tail: tail, mostBytes: NodeLimits.answer) }
    return screen.beginText(kind, scrollback: scrollback)
  }

  private var isTooLarge: Bool { bytes.count > NodeLimits.answer }

  /// All of it, once it is done; nil: it is too large for an answer.
  var answer: String? {
    guard let shown, shown.text.isDone, !isTooLarge else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self)
    guard kind == .json else { return lines }
    var view = shown.view
    view.scrollback = shown.text.scrollbackShown
    return view.json(lines: lines)
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
  var scrollback = 0
  /// The lines are put in afterwards.
  var lines: [String] = []

  init(_ screen: Screen) {
    size = TerminalSize(columns: screen.columns, rows: screen.rows)
    cursor = Cursor(
      column: screen.cursorColumn, row: screen.cursorRow, visible: screen.isCursorVisible)
    alternate = screen.isAlternate
    title = screen.title.isEmpty ? nil : screen.title
    directory = screen.workingDirectory
  }

  /// - Parameter lines: JSON strings, with commas between.
  func json(lines: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Numbers, booleans and strings: encoding them cannot fail.
    let data = (try? encoder.encode(self)) ?? Data("{}".utf8)
    let text = String(decoding: data, as: UTF8.self)
    // No string in it holds this: its quotes would be escaped.
    let key = "\"lines\":["
    guard let place = text.firstRange(of: key) else { return text + "\n" }
    return text[..<place.upperBound] + lines + text[place.upperBound...] + "\n"
  }
}
