// What a session shows, for the HTTP API, made in slices: ten thousand lines of scrollback take longer than
// others on the loop should wait.

import FoundationEssentials
import Screen
import Wire

final class ShownScreen {
  private let text: ScreenText
  private let isJSON: Bool
  private var view: ScreenView
  private var bytes: [UInt8] = []

  /// Nil: only newer nodes know the format.
  init?(_ screen: Screen, format: ScreenFormat, scrollback: Int, tail: Int?) {
    let kind: ScreenText.Format
    switch format {
    case .text: kind = .plain
    case .ansi: kind = .ansi
    case .json: kind = .json
    default: return nil
    }
    isJSON = kind == .json
    view = ScreenView(screen)
    if let tail {
      text = screen.beginText(
        kind, tail: min(tail, NodeLimits.shownScrollback), mostBytes: NodeLimits.answer)
    } else {
      text = screen.beginText(kind, scrollback: min(scrollback, NodeLimits.shownScrollback))
    }
  }

  /// One more slice. False: there is more to do.
  func makeSlice() -> Bool {
    bytes += text.next(work: Screen.workPerCall)
    return text.isDone || isTooLarge
  }

  private var isTooLarge: Bool { bytes.count > NodeLimits.answer }

  /// All of it, once it is done; nil: it is too large for an answer.
  var answer: String? {
    guard text.isDone, !isTooLarge else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self)
    guard isJSON else { return lines }
    view.scrollback = text.scrollbackShown
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
  /// Put in afterwards.
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
