// What sessions and the API ask of a screen, case by case (promise P1).

import Testing

@testable import Screen

@Suite struct ScreenTests {
  private func screen(_ text: String, columns: Int = 20, rows: Int = 4) -> Screen {
    let screen = Screen(columns: columns, rows: rows)
    screen.write(Array(text.utf8))
    return screen
  }

  private func answer(_ query: String) -> String {
    String(decoding: screen(query).takeAnswers(), as: UTF8.self)
  }

  @Test func wrapsOnlyWhenTheNextCharacterComes() {
    let screen = screen("hello", columns: 5, rows: 2)
    #expect(screen.isWrapPending)
    #expect(screen.cursorColumn == 4)
    screen.write(Array("w".utf8))
    #expect(screen.lines() == ["hello", "w"])
  }

  @Test func aMarkAtTheStartOfALineTouchesNothingBeforeIt() {
    // The cell before the line is another line's, or nobody's. The thread sanitizer sees a read of it.
    for columns in [1, 2, 20] {
      let screen = screen("漢\r\u{301}\r\n\u{301}x", columns: columns)
      #expect(screen.cursorRow > 0, "\(columns) columns")
    }
  }

  @Test func keepsWhatScrolledAway() {
    let screen = screen("one\r\ntwo\r\nthree\r\nfour\r\nfive\r\nsix")
    #expect(screen.scrollbackCount == 2)
    #expect(screen.lines() == ["three", "four", "five", "six"])
    #expect(screen.text(scrollback: .max) == "one\ntwo\nthree\nfour\nfive\nsix\n")
    let contents = screen.contents(scrollback: .max)
    #expect(contents.scrollback == 2)
    #expect(contents.lines.count == 6)
    #expect(screen.text(scrollback: 1) == "two\nthree\nfour\nfive\nsix\n")
    #expect(String(decoding: screen.ansi(scrollback: 1), as: UTF8.self).hasPrefix("two\n"))
    #expect(screen.contents(scrollback: 1).scrollback == 1)
    screen.write(Array("\u{1B}[?1049h".utf8))
    #expect(screen.contents(scrollback: .max).scrollback == 0)
  }

  @Test func givesTheLastLinesThatHoldSomething() {
    let screen = screen("one\r\n\r\n0123456789012345678901234\r\nfour \r\n  \r\n$ ", rows: 12)
    #expect(screen.text(tail: 1) == "$\n")
    #expect(screen.text(tail: 3) == "0123456789012345678901234\nfour\n$\n")
    #expect(screen.text(tail: 100) == "one\n0123456789012345678901234\nfour\n$\n")
    #expect(screen.text(tail: 0) == "")
    #expect(Screen(columns: 9, rows: 3).text(tail: 5) == "")
    // Out of a scrollback, most of it blank, that wrapped at another width; a wide character found no room.
    for index in 0..<500 {
      screen.write(Array("line \(index) 漢漢漢漢漢漢漢漢\u{1B}[31mx\u{1B}[m\r\n\r\n\r\n".utf8))
    }
    screen.resize(columns: 11, rows: 3)
    #expect(screen.text(tail: 2) == "line 498 漢漢漢漢漢漢漢漢x\nline 499 漢漢漢漢漢漢漢漢x\n")
    // Three rows each and two blank ones, in a scrollback of 1,000.
    #expect(screen.text(tail: 400).split(separator: "\n").count == 200)
    let json = screen.beginText(.json, tail: 1).all()
    #expect(String(decoding: json, as: UTF8.self) == "\"line 499 漢漢漢漢漢漢漢漢x\"")
    let ansi = screen.beginText(.ansi, tail: 1).all()
    #expect(
      String(decoding: ansi, as: UTF8.self) == "line 499 漢漢漢漢漢漢漢漢\u{1B}[31mx\u{1B}[m\n")
    screen.write(Array("\u{1B}[?1049h\u{1B}[Hvim".utf8))
    #expect(screen.text(tail: 5) == "vim\n")
  }

  @Test func writesTextWithAttributes() {
    let screen = screen("a \u{1B}[1;31mred\u{1B}[0m b", rows: 1)
    #expect(
      String(decoding: screen.ansi(), as: UTF8.self) == "a \u{1B}[1;31mred\u{1B}[m b\n")
  }

  @Test func tellsTitleDirectoryAndMarks() {
    let screen = screen(
      "\u{1B}]0;both\u{7}\u{1B}]2;window\u{1B}\\\u{1B}]7;file:///tmp\u{7}\u{1B}]133;D;1\u{7}")
    #expect(screen.title == "window")
    #expect(screen.iconTitle == "both")
    #expect(screen.workingDirectory == "file:///tmp")
    #expect(screen.shellMark == "D;1")
    #expect(screen.takeEvents().titleChanged)
    #expect(screen.takeEvents().isEmpty)
    screen.write([7])
    #expect(screen.takeEvents().bellRang)
  }

  @Test func givesThePrimaryBufferBack() {
    let screen = screen("shell\u{1B}[?1049h\u{1B}[Hvim")
    #expect(screen.isAlternate)
    #expect(screen.lines().first == "vim")
    screen.write(Array("\u{1B}[?1049l".utf8))
    #expect(!screen.isAlternate)
    #expect(screen.lines().first == "shell")
    #expect(screen.cursorColumn == 5)
  }

  @Test(arguments: [
    ("\u{1B}[c", "\u{1B}[?1;2c"),
    ("\u{1B}[>c", "\u{1B}[>0;276;0c"),
    ("\u{1B}[=c", "\u{1B}P!|00000000\u{1B}\\"),
    ("\u{1B}[>q", "\u{1B}P>|xterm.js(6.0.0)\u{1B}\\"),
    ("\u{1B}[5n", "\u{1B}[0n"),
    ("\u{1B}[2;3H\u{1B}[6n", "\u{1B}[2;3R"),
    ("\u{1B}[2;3H\u{1B}[?6n", "\u{1B}[?2;3R"),
    ("\u{1B}[?2004h\u{1B}[?2004$p", "\u{1B}[?2004;1$y"),
    ("\u{1B}[?9999$p", "\u{1B}[?9999;0$y"),
    ("\u{1B}[4$p", "\u{1B}[4;2$y"),
    ("\u{1B}[?5h\u{1B}[?5$p", "\u{1B}[?5;1$y"),
    ("\u{1B}[?1005h\u{1B}[?1005$p", "\u{1B}[?1005;1$y"),
    ("\u{1B}[?1005;1006;1015h\u{1B}[?1005l\u{1B}[?1005$p", "\u{1B}[?1005;2$y"),
    ("\u{1B}[?1006;1015h\u{1B}[?1006$p", "\u{1B}[?1006;1$y"),
    ("\u{1B}[?1015h\u{1B}c\u{1B}[?1015$p", "\u{1B}[?1015;2$y"),
    ("\u{1B}[?5h\u{1B}[!p\u{1B}[?5$p", "\u{1B}[?5;1$y"),
    ("\u{1B}[2;3r\u{1B}P$qr\u{1B}\\", "\u{1B}P1$r2;3r\u{1B}\\"),
    ("\u{1B}[1;31m\u{1B}P$qm\u{1B}\\", "\u{1B}P1$r0;1;31m\u{1B}\\"),
    ("\u{1B}P$qx\u{1B}\\", "\u{1B}P0$r\u{1B}\\"),
    ("\u{1B}[18t", "\u{1B}[8;4;20t"),
    ("AB\u{1B}[1;1;1;1;1;2*y", "\u{1B}P1!~FF7D\u{1B}\\"),
    ("\u{1B}]11;?\u{7}", "\u{1B}]11;rgb:0000/0000/0000\u{1B}\\"),
    ("\u{1B}]4;1;#ff8000\u{7}\u{1B}]4;1;?\u{7}", "\u{1B}]4;1;rgb:ffff/8080/0000\u{1B}\\"),
  ])
  func answersQueries(query: String, expected: String) {
    #expect(answer(query) == expected)
  }

  @Test func answersWithTheViewersTheme() {
    let screen = Screen(columns: 20, rows: 4)
    screen.setTheme(
      foreground: nil, background: ScreenColor(red: 1, green: 2, blue: 3), cursor: nil)
    screen.write(Array("\u{1B}]11;?\u{7}".utf8))
    #expect(
      String(decoding: screen.takeAnswers(), as: UTF8.self)
        == "\u{1B}]11;rgb:0101/0202/0303\u{1B}\\")
  }

  @Test func theAlternateBufferKeepsWhatANarrowScreenHides() {
    let screen = screen(
      "\u{1B}[?1049h\u{1B}[H0123456789abcde\r\n漢漢漢漢漢e\u{301}\u{1B}[31mx\r\nlast", columns: 20)
    screen.resize(columns: 9, rows: 4)
    #expect(screen.lines() == ["012345678", "漢漢漢漢", "last", ""])
    screen.write(Array("\u{1B}[1;1HX\u{1B}[3;1H\u{1B}[2K".utf8))
    screen.withCore { core in
      core.collectAttributes()
      core.collectClusters()
    }
    #expect(screen.fault() == nil)
    screen.resize(columns: 12, rows: 4)
    #expect(screen.lines() == ["X123456789ab", "漢漢漢漢  e\u{301}x", "", ""])
    // Cut for good where it grew to.
    screen.resize(columns: 20, rows: 4)
    #expect(screen.lines().first == "X123456789ab")
    #expect(String(decoding: screen.ansi(), as: UTF8.self).contains("e\u{301}\u{1B}[31mx"))
    // A line that came since hides nothing.
    screen.resize(columns: 6, rows: 4)
    screen.write(Array("\u{1B}[S".utf8))
    screen.resize(columns: 20, rows: 4)
    #expect(screen.lines() == ["漢漢漢漢  e\u{301}x", "", "", ""])
    #expect(screen.fault() == nil)
  }

  @Test func tellsWhichKeysAProgramAskedFor() {
    let screen = Screen(columns: 20, rows: 4)
    func answers() -> String { String(decoding: screen.takeAnswers(), as: UTF8.self) }
    screen.write(Array("\u{1B}[?u\u{1B}[>5u\u{1B}[?u".utf8))
    #expect(answers() == "\u{1B}[?0u\u{1B}[?5u")
    // Each buffer has flags of its own.
    screen.write(Array("\u{1B}[?1049h\u{1B}[?u\u{1B}[?1049l\u{1B}[?u\u{1B}[<u\u{1B}[?u".utf8))
    #expect(answers() == "\u{1B}[?0u\u{1B}[?5u\u{1B}[?0u")
    screen.write(Array("\u{1B}[?4m\u{1B}[>4;2m\u{1B}[?4m\u{1B}[?99m".utf8))
    #expect(answers() == "\u{1B}[>4;0m\u{1B}[>4;2m")
  }

  @Test func tellsWhetherTheThemeIsDark() {
    let light = ScreenColor(red: 250, green: 250, blue: 240)
    let screen = Screen(columns: 20, rows: 4)
    func answers() -> String { String(decoding: screen.takeAnswers(), as: UTF8.self) }
    screen.write(Array("\u{1B}[?996n\u{1B}[?2031$p".utf8))
    #expect(answers() == "\u{1B}[?997;1n\u{1B}[?2031;2$y")
    screen.setTheme(foreground: nil, background: light, cursor: nil)
    #expect(answers() == "")
    screen.write(Array("\u{1B}[?2031h\u{1B}[?996n".utf8))
    #expect(answers() == "\u{1B}[?997;2n")
    screen.setTheme(foreground: nil, background: light, cursor: nil)
    #expect(answers() == "")
    screen.setTheme(foreground: light, background: nil, cursor: nil)
    #expect(answers() == "\u{1B}[?997;1n")
    let reader = Screen(columns: 20, rows: 4)
    reader.write(screen.snapshot())
    #expect(reader.withCore { $0.modes.reportsColors })
    screen.write(Array("\u{1B}c".utf8))
    screen.setTheme(foreground: nil, background: light, cursor: nil)
    #expect(answers() == "")
  }

  @Test func joinsAndSplitsWrappedLines() {
    let screen = screen("0123456789abcde\r\n$ ", columns: 10, rows: 4)
    #expect(screen.lines() == ["0123456789", "abcde", "$", ""])
    screen.resize(columns: 20, rows: 4)
    #expect(screen.lines() == ["0123456789abcde", "$", "", ""])
    screen.resize(columns: 5, rows: 4)
    #expect(screen.lines(scrollback: .max) == ["01234", "56789", "abcde", "$"])
  }

  /// A line that is longer than a page of the scrollback, right after a page was begun for it.
  @Test func keepsLinesOfManyLooksInTheScrollback() {
    let marks = String(repeating: "\u{E0100}", count: 12)
    var output = "\u{1B}[3J\u{1B}[2J\u{1B}[H"
    for index in 0..<79 { output += "\u{1B}[38;5;\(16 + index % 2)ma" + marks }
    output += "\u{1B}[m" + String(repeating: "\r\n", count: 1_101)
    let file = Screen(columns: 80, rows: 24)
    file.write(Array(output.utf8))
    #expect(file.fault() == nil)
    #expect(file.scrollbackCount == 1_000)
    // A gradient on a wide screen, with lines of text between.
    for columns in [460, 1_000] {
      let screen = Screen(columns: columns, rows: 24, scrollback: 50)
      for line in 0..<200 {
        var output = ""
        for index in 0..<columns { output += "\u{1B}[38;5;\((index + line) % 256)mg" }
        screen.write(Array((output + "\u{1B}[m\r\ntext\r\n").utf8))
        #expect(screen.fault() == nil)
      }
      #expect(screen.lines(scrollback: 50).filter { $0.count == columns }.count >= 36)
    }
  }

  @Test func insertsAndDeletesColumnsAsXtermDoes() {
    #expect(screen("ab\u{1B}[2'}", columns: 2, rows: 1).lines() == [""])
    #expect(screen("ab\u{1B}['~", columns: 2, rows: 1).lines() == ["b"])
    #expect(screen("abc\u{1B}[2G\u{1B}['}", columns: 4, rows: 1).lines() == ["a bc"])
  }

  @Test func isCheapWhenIdle() {
    let screen = Screen(columns: 80, rows: 24)
    let line = Array("a line of a build, about as long as lines are, sixty characters.\r\n".utf8)
    for _ in 0..<124 { screen.write(line) }
    #expect(screen.scrollbackCount == 101)
    #expect(screen.memoryFootprint <= 32 * 1_024)
  }
}
