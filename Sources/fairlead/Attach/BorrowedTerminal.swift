// A snapshot is for a fresh terminal, and begins by making it one. The user's terminal is not: its scrollback, its
// colours and what it shows are the user's, and a pipe is no terminal at all. Pure.

import Screen
import Wire

enum BorrowedTerminal {
  /// For the user's terminal: what it shows is scrolled up, not erased, and what nobody has set is not reset.
  /// - Parameters:
  ///   - restoration: what undoes the output that it has had so far.
  ///   - rows: its own.
  static func adapted(snapshot: [UInt8], restoration: [UInt8], rows: Int) -> [UInt8] {
    guard snapshot.starts(with: Screen.freshTerminal) else { return snapshot }
    var rest = snapshot.dropFirst(Screen.freshTerminal.count)
    // The colours follow, behind a mode or two.
    let beginning = rest.prefix(CommandLimits.beginning)
    if let colors = beginning.firstRange(of: Screen.freshColors) { rest.removeSubrange(colors) }
    // From the line below all others, so that those leave by the top, and none of them is blank.
    let scrolled = "\r" + String(repeating: "\n", count: max(0, rows - 1)) + "\u{1b}[H\u{1b}[J"
    return restoration + Array(scrolled.utf8) + rest
  }

  /// For a pipe: the text.
  static func text(snapshot: [UInt8], size: TerminalSize) -> [UInt8] {
    let screen = Screen(
      columns: size.columns, rows: size.rows, scrollback: CommandLimits.printedLines)
    screen.write(snapshot)
    var text = Array(screen.text(scrollback: CommandLimits.printedLines).utf8)
    while text.last == UInt8(ascii: "\n") { text.removeLast() }
    return text
  }
}
