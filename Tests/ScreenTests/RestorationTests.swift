// What the output has set on a terminal is undone when the terminal is given back: after the restoration, a
// terminal that had read the same output is as a fresh one, but for what it shows (promise P1).

import TestSupport
import Testing

@testable import Screen

@Suite struct RestorationTests {
  /// What must be as on a fresh terminal.
  private func settings(_ screen: Screen) -> String {
    screen.withCore { core in
      """
      modes \(core.modes) alternate \(core.isAlternate) between sequences \(core.isBetweenSequences)
      pen \(core.pen) charsets \(core.charsets.designated) \(core.charsets.level)
      tabs \((0..<core.columns).filter { core.tabs[$0] })
      region \(core.grid.top)-\(core.grid.bottom)
      colors \(core.palette.changed) \(core.palette.special)
      stacks \(core.titles.windowStack) \(core.titles.iconStack)
      """
    }
  }

  private func check(_ output: [UInt8], _ what: String) {
    let screen = Screen(columns: 80, rows: 24, scrollback: 10)
    screen.write(output)
    let text = screen.isAlternate ? nil : screen.text()
    screen.write(screen.restoration())
    #expect(settings(screen) == settings(Screen(columns: 80, rows: 24)), "\(what)")
    if let text { #expect(screen.text() == text, "\(what)") }
  }

  /// Every mode there is or will be: one that is added to the model and not to its restoration fails here.
  @Test func everyModeIsUndone() {
    for mode in Array(0...2_100) + [9_001] {
      for final in ["h", "l"] { check(Array("\u{1B}[?\(mode)\(final)".utf8), "?\(mode)\(final)") }
    }
    for mode in 0...100 { check(Array("\u{1B}[\(mode)h".utf8), "\(mode)h") }
  }

  @Test(arguments: [
    "\u{1B}[?7l\u{1B}[4h\u{1B}[20h", "\u{1B}]4;1;#102030;2;#405060\u{7}",
    "\u{1B}]10;#111111\u{7}\u{1B}]11;#222222\u{7}\u{1B}]12;#333333\u{7}",
    "\u{1B}]8;;http://x/\u{7}linked", "\u{1B}[3;7r\u{1B}[?6h", "\u{1B}[3g\u{1B}[5G\u{1B}H",
    "\u{1B}(0\u{1B})A\u{0E}", "\u{1B}n", "\u{1B}[1;4;38;5;9m\u{1B}[1\"q", "\u{1B}[5 q",
    "\u{1B}[1 q",
    "\u{1B}=", "\u{1B}[?1003;1006h", "\u{1B}[22t\u{1B}[22;1t", "\u{1B}[?25l\u{1B}[?12h",
    "\u{1B}[?1049h\u{1B}[2;5r\u{1B}[?7l\u{1B}[31m", "\u{1B}]2;half a title", "\u{1B}[38;5",
    "\u{1B}P$q",
    "\u{1B}", "\u{1B}(", "\u{E2}",
  ]) func whatAProgramLeavesBehindIsUndone(output: String) {
    check(Array("text\r\n".utf8) + Array(output.utf8), output.debugDescription)
  }

  @Test func aCharacterThatWasCutIsNotWaitedFor() {
    check([0xE2, 0x80], "cut character")
  }

  @Test func randomStreamsAreUndone() {
    for seed in Seeds(300) {
      var numbers = OutputGenerator(seed: seed)
      let screen = Screen(columns: 80, rows: 24, scrollback: 10)
      screen.write(numbers.stream(pieces: 60))
      screen.write(screen.restoration())
      #expect(settings(screen) == settings(Screen(columns: 80, rows: 24)), "seed \(seed)")
    }
  }

  @Test func whereNothingWasSetNothingIsSentButThePlainPen() {
    let screen = Screen(columns: 80, rows: 24)
    screen.write(Array("$ ls\r\n\u{1B}[31mred\u{1B}[0m\r\n".utf8))
    #expect(screen.restoration() == Array("\u{1B}[0m".utf8))
  }
}
