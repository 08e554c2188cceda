// The scrollback flows into another width when it is read: what is read is what xterm.js shows, and a resize
// costs nothing that grows with the scrollback (promises P1 and P6).

import TestSupport
import Testing

@testable import Screen

@Suite struct FlowTests {
  /// Logical lines: text without blanks at its ends, some of it two columns wide.
  private static func lines(_ count: Int, _ numbers: inout OutputGenerator) -> [[(
    text: String, width: Int
  )]] {
    (0..<count).map { _ in
      let length = numbers.pick([0, 1, 5, 20, 79, 80, 81, 160, 400])
      let isWide = numbers.number(3) == 0
      return (0..<length).map { index in
        if isWide && numbers.number(3) == 0 { return ("漢", 2) }
        if isWide && numbers.number(9) == 0 { return ("e\u{301}", 1) }
        return (index % 7 == 6 && index + 1 < length ? " " : "abcdef\(index)".suffix(1) + "", 1)
      }
    }
  }

  /// The lines cut at a width, no wide character in two.
  private static func cut(_ lines: [[(text: String, width: Int)]], _ columns: Int) -> [String] {
    lines.flatMap { line -> [String] in
      var rows = [""]
      var used = 0
      for character in line {
        if used + character.width > columns {
          rows.append("")
          used = 0
        }
        rows[rows.count - 1] += character.text
        used += character.width
      }
      return rows.map { row in String(row.reversed().drop { $0 == " " }.reversed()) }
    }
  }

  @Test func flowsIntoAnyWidth() {
    for seed in Seeds(12) {
      var numbers = OutputGenerator(seed: seed)
      let lines = Self.lines(150, &numbers)
      let screen = Screen(columns: 80, rows: 10, scrollback: 100_000)
      for line in lines {
        let color = numbers.number(4) == 0 ? "\u{1B}[3\(numbers.number(8))m" : ""
        screen.write(Array((color + line.map(\.text).joined() + "\u{1B}[m\r\n").utf8))
      }
      for _ in 0..<8 {
        let columns = numbers.pick([2, 3, 17, 40, 79, 80, 81, 120, 300, 1_000])
        screen.resize(columns: columns, rows: numbers.pick([1, 5, 10, 40]))
        var shown = screen.lines(scrollback: .max)
        var expected = Self.cut(lines, columns)
        while shown.last == "" { shown.removeLast() }
        while expected.last == "" { expected.removeLast() }
        #expect(shown == expected, "seed \(seed), \(columns) columns")
        #expect(screen.fault() == nil, "seed \(seed)")
        #expect(screen.lines(scrollback: 3).count == min(3, screen.scrollbackCount) + screen.rows)
      }
    }
  }

  /// The oldest lines go where there is room for as many as there are at the new width.
  @Test func keepsItsLimitAtAnyWidth() {
    for (text, columns) in [
      (String(repeating: "a", count: 78), 10), (String(repeating: "漢", count: 39), 11),
    ] {
      let screen = Screen(columns: 80, rows: 4, scrollback: 100)
      for _ in 0..<200 { screen.write(Array((text + "\r\n").utf8)) }
      #expect(screen.scrollbackCount == 100)
      screen.resize(columns: columns, rows: 4)
      #expect(screen.scrollbackCount == 100)
      #expect(screen.fault() == nil)
      screen.write(Array("x\r\ny\r\n".utf8))
      #expect(screen.scrollbackCount == 100)
      #expect(screen.lines(scrollback: 1_000).count == 104)
      #expect(screen.fault() == nil)
      screen.resize(columns: 80, rows: 4)
      #expect(screen.fault() == nil)
      #expect(screen.scrollbackCount < 20)
    }
  }

  /// What a resize makes necessary is done in slices, before the next output is read.
  @Test func countsTheScrollbackInSlices() {
    let screen = Screen(columns: 80, rows: 24, scrollback: 100_000)
    let line = String(repeating: "漢", count: 30) + String(repeating: "x", count: 19) + "\r\n"
    let many = Array(String(repeating: line, count: 1_000).utf8)
    for _ in 0..<20 { screen.write(many) }
    screen.resize(columns: 60, rows: 24)
    var calls = 0
    var read = 0
    while read == 0 {
      read = [UInt8(ascii: "x")].withUnsafeBytes { screen.write($0, work: 10_000) }
      #expect(screen.withCore { $0.spent } < 50_000)
      calls += 1
      guard calls < 100_000 else { break }
    }
    #expect(calls > 10)
    #expect(screen.scrollbackCount == 2 * 20_000 + 1 - 24)
    #expect(screen.fault() == nil)
  }

  /// Neither does a snapshot take long in one piece, nor does it change with what happens meanwhile.
  @Test func snapshotsInSlicesAreOfOneMoment() {
    for seed in Seeds(20) {
      var numbers = OutputGenerator(seed: seed)
      let screen = Screen(columns: 40, rows: 8, scrollback: 300)
      for _ in 0..<40 { screen.write(numbers.stream(pieces: 30)) }
      screen.resize(columns: numbers.pick([20, 40, 55]), rows: 8)
      let expected = screen.snapshot()
      let text = screen.text(scrollback: .max)
      let snapshot = screen.beginSnapshot()
      let slices = screen.beginText(.plain, scrollback: .max)
      var bytes: [UInt8] = []
      var shown: [UInt8] = []
      while !snapshot.isDone || !slices.isDone {
        bytes += snapshot.next(work: 500)
        shown += slices.next(work: 500)
        screen.write(numbers.stream(pieces: 5))
        if numbers.number(5) == 0 { screen.resize(columns: 10 + numbers.number(60), rows: 8) }
        if numbers.number(9) == 0 { screen.write(Array("\u{1B}[3J\u{1B}c".utf8)) }
      }
      #expect(bytes == expected, "seed \(seed)")
      #expect(String(decoding: shown, as: UTF8.self) == text, "seed \(seed)")
    }
  }

  /// Each character that is seen, with the sequence that gave it its look.
  private func looks(of ansi: [UInt8]) -> [String] {
    var looks: [String] = []
    var look = ""
    var rest = ansi[...]
    while let byte = rest.popFirst() {
      if byte == 0x1b, let end = rest.firstIndex(of: UInt8(ascii: "m")) {
        look = String(decoding: rest[..<end], as: UTF8.self)
        rest = rest[rest.index(after: end)...]
      } else if byte > 0x20 {
        looks.append("\(look) \(byte)")
      }
    }
    return looks
  }

  @Test("A resize leaves every character of the scrollback its colours")
  func resizesKeepColours() {
    var random = SeededGenerator.announced()
    for lines in stride(from: 64, to: 214, by: 3) {
      for columns in [60, 100] {
        let screen = Screen(columns: 200, rows: 24, scrollback: 1_000)
        for number in 0..<lines {
          // The looks of the first lines are in one page, and those that take more room in the next.
          let colour = number < 25 ? 31 : Int.random(in: 32...36, using: &random)
          let text = String(repeating: "x", count: number.isMultiple(of: 2) ? 20 : 194)
          screen.write(Array("\u{1b}[\(colour)m\(number) \(text)\u{1b}[m\r\n".utf8))
        }
        let before = looks(of: screen.ansi(scrollback: .max))
        screen.resize(columns: columns, rows: 24)
        #expect(
          looks(of: screen.ansi(scrollback: .max)) == before, "\(lines) lines, \(columns) columns")
      }
    }
  }
}
