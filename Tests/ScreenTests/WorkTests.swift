// What a few bytes can make the screen do is bounded, whatever they say and however large it is (promise P7).

import Foundation
import TestSupport
import Testing

@testable import Screen

@Suite struct WorkTests {
  /// A single operation may cost so much more than was asked for: a walk over all cells of both buffers.
  private static let most = Screen.workPerCall + 4 * 1_000_000

  @Test(arguments: [
    "x\u{1B}[99999999b", "e\u{301}\u{302}\u{303}\u{1B}[99999999b", "中\u{1B}[99999999b",
    "\u{1B}[4hx\u{1B}[99999999b", "\u{1B}#8", "\u{1B}#8\n\n\n", "\u{1B}[S", "\u{1B}[T", "\u{1B}[L",
    "\u{1B}[M", "\u{1B}[999S", "x\u{1B}[@", "x\u{1B}[P", "\u{1B}[41m\u{1B}[2J", "\u{1B}[?2J",
    "\u{1B}['}", "\u{1B}['~", "\u{1B}c", "\u{1B}[?1049h\u{1B}[?1049l", "\u{1B}[1*y", "\r\t",
    "\u{1B}M",
    "\u{1B}[3J\n", "\u{1B}[44m\u{1B}[K\n",
  ])
  func isBoundedPerCall(unit: String) {
    let screen = Screen(columns: 1_000, rows: 1_000, scrollback: 1_000)
    screen.write(Array("\u{1B}#8\u{1B}[3g\u{1B}[H".utf8))
    let bytes = Array(String(repeating: unit, count: 60).utf8)
    var read = 0
    while read < bytes.count {
      let taken = bytes[read...].withUnsafeBytes { screen.write($0, work: Screen.workPerCall) }
      #expect(taken > 0)
      #expect(screen.withCore { $0.spent } < Self.most)
      guard taken > 0 else { return }
      read += taken
    }
    #expect(screen.fault() == nil)
  }

  /// A resize takes as many lines out of the scrollback as come back to the screen, however many once were a row.
  @Test(arguments: [
    ("a\r\n", 30_000, 1_200_000), ("ab", 60_000, 8_000_000), ("漢", 60_000, 8_000_000),
    ("e\u{301}x", 60_000, 8_000_000),
  ])
  func resizesWithinBounds(unit: String, count: Int, most: Int) {
    let screen = Screen(columns: 2, rows: 24, scrollback: 100_000)
    screen.write(Array(String(repeating: unit, count: count).utf8))
    let text = screen.text(scrollback: .max).filter { !$0.isNewline }
    screen.resize(columns: 1_000, rows: 1_000)
    #expect(screen.withCore { $0.spent } < most)
    #expect(screen.text(scrollback: .max).filter { !$0.isNewline } == text)
    #expect(screen.fault() == nil)
  }

  /// A resize goes in slices, however much of a large screen flows or is cut, and it is what it would be at once.
  @Test(arguments: [
    ("x\u{1B}[99999999b", 999), ("x\u{1B}[99999999b", 2), ("\u{1B}#8", 600), ("\u{1B}#8", 999),
    ("中\u{1B}[99999999b", 333), ("e\u{301}\u{1B}[99999999b", 700),
    ("\u{1B}[44m\u{1B}[2J", 600), ("\u{1B}[?1049h\u{1B}#8", 600),
  ])
  func aResizeGoesInSlices(unit: String, columns: Int) {
    func screen() -> Screen {
      let screen = Screen(columns: 600, rows: 600, scrollback: 2_000)
      screen.write(Array(String(repeating: "y\u{1B}[99999999b", count: 6).utf8))
      screen.write(Array(String(repeating: unit, count: 12).utf8))
      return screen
    }
    let (sliced, whole) = (screen(), screen())
    let work = 50_000
    var slices = 0
    var sum = 0
    sliced.beginResize(columns: columns, rows: 500)
    while !sliced.goOnResizing(work: work) {
      let spent = sliced.withCore { $0.spent }
      // A row more, or the memory of a grid that is freed.
      #expect(spent >= work && spent < work + 600 * 600 / 4 + 2_000)
      slices += 1
      sum += spent
      guard slices < 1_000 else { break }
    }
    #expect(slices > 3, "\(sum) units")
    #expect(!sliced.isResizing)
    #expect(sliced.fault() == nil)
    whole.resize(columns: columns, rows: 500)
    #expect(sliced.snapshot() == whole.snapshot())
  }

  /// However a resize is cut into slices, what comes of it is the same, and in between nothing inside is broken.
  @Test func slicesOfAResizeChangeNothing() {
    for seed in Seeds(40) {
      var numbers = OutputGenerator(seed: seed)
      let (columns, rows) = (numbers.pick([2, 7, 20, 80]), numbers.pick([1, 5, 24]))
      let scrollback = numbers.pick([0, 1, 50, 300])
      let sliced = Screen(columns: columns, rows: rows, scrollback: scrollback)
      let whole = Screen(columns: columns, rows: rows, scrollback: scrollback)
      for _ in 0..<6 {
        let bytes = numbers.stream(pieces: numbers.number(60))
        sliced.write(bytes)
        whole.write(bytes)
        let size = (2 + numbers.number(90), 1 + numbers.number(30))
        let work = 1 + numbers.number(numbers.pick([2, 200, 5_000]))
        sliced.beginResize(columns: size.0, rows: size.1)
        while !sliced.goOnResizing(work: work) {
          #expect(sliced.fault() == nil, "seed \(seed)")
        }
        whole.resize(columns: size.0, rows: size.1)
        #expect(StateDump.dump(sliced) == StateDump.dump(whole), "seed \(seed)")
      }
    }
  }

  /// What comes in the middle of a resize has its place behind it: output, another size, a look.
  @Test func whatComesDuringAResizeFollowsIt() {
    func screen() -> Screen {
      let screen = Screen(columns: 80, rows: 24, scrollback: 100)
      screen.write(Array(String(repeating: "some words that wrap ", count: 300).utf8))
      return screen
    }
    let (expected, writing, changing, looking) = (screen(), screen(), screen(), screen())
    expected.resize(columns: 30, rows: 10)
    for screen in [writing, changing, looking] {
      screen.beginResize(columns: 30, rows: 10)
      #expect(!screen.goOnResizing(work: 100))
    }
    #expect(looking.columns == 30 && !looking.isResizing)
    #expect(StateDump.dump(looking) == StateDump.dump(expected))

    let bytes = Array("more\r\n".utf8)
    var (calls, read) = (0, 0)
    while read < bytes.count && calls < 10_000 {
      let taken = bytes[read...].withUnsafeBytes { writing.write($0, work: 100) }
      if writing.isResizing { #expect(taken == 0) }
      read += taken
      calls += 1
    }
    #expect(calls > 5)
    changing.beginResize(columns: 50, rows: 30)
    #expect(!changing.goOnResizing(work: 100))
    changing.write(bytes)
    expected.write(bytes)
    #expect(StateDump.dump(writing) == StateDump.dump(expected))
    let both = screen()
    both.resize(columns: 30, rows: 10)
    both.resize(columns: 50, rows: 30)
    both.write(bytes)
    #expect(StateDump.dump(changing) == StateDump.dump(both))
  }

  /// Where the last lines of a long scrollback begin is looked for in slices, also at another width.
  @Test(arguments: [80, 60])
  func findsTheLastLinesInSlices(columns: Int) {
    let screen = Screen(columns: 80, rows: 24, scrollback: 100_000)
    let line = String(repeating: "漢", count: 30) + "x\r\n"
    let many = Array(String(repeating: line, count: 1_000).utf8)
    for _ in 0..<6 { screen.write(many) }
    screen.resize(columns: columns, rows: 24)
    #expect(screen.scrollbackCount > 5_000)
    for (text, expected) in [
      (screen.beginText(.plain, tail: 2_000), screen.text(tail: 2_000)),
      (screen.beginText(.plain, scrollback: 4_000), screen.text(scrollback: 4_000)),
    ] {
      var calls = 0
      var shown: [UInt8] = []
      while !text.isDone && shown.isEmpty && calls < 100_000 {
        shown = text.next(work: 10_000)
        calls += 1
      }
      #expect(calls > 5)
      while !text.isDone { shown += text.next(work: 1_000_000) }
      #expect(String(decoding: shown, as: UTF8.self) == expected)
    }
  }

  /// A row without text costs what it takes to keep: of a colour, it is written out.
  @Test func colouredBlankRowsAreCharged() {
    func spent(_ start: String) -> Int {
      let screen = Screen(columns: 1_000, rows: 2, scrollback: 10)
      screen.write(Array((start + "\u{1B}[2;1H").utf8))
      _ = Array("\n".utf8).withUnsafeBytes { screen.write($0, work: Screen.workPerCall) }
      return screen.withCore { $0.spent }
    }
    #expect(spent("\u{1B}[41m\u{1B}[2J") >= spent("") + 250)
  }

  /// Repeated is what would have been printed, in every mode.
  @Test(arguments: [
    ("x", ""), ("中", ""), ("e\u{301}", ""), ("中\u{301}", ""), ("x", "\u{1B}[4h"),
    ("中", "\u{1B}[4h"),
    ("x", "\u{1B}[?7l"), ("q", "\u{1B}(0"), ("x", "\u{1B}[41;1m"), ("ä", "\u{1B}[3;9r\u{1B}[6H"),
  ])
  func repeatsAsIfPrinted(character: String, before: String) {
    for (columns, count) in [(7, 3), (7, 30), (20, 100), (5, 24)] {
      let start = "0123456789漢字漢字漢字\r" + before
      let repeated = Screen(columns: columns, rows: 10, scrollback: 20)
      repeated.write(Array((start + character + "\u{1B}[\(count)b\u{1B}[m.").utf8))
      let printed = Screen(columns: columns, rows: 10, scrollback: 20)
      printed.write(
        Array((start + String(repeating: character, count: count + 1) + "\u{1B}[m.").utf8))
      #expect(
        StateDump.dump(repeated) == StateDump.dump(printed), "\(columns) columns, \(count) times")
    }
  }

  /// A cluster that many cells share stays what it is when a mark comes.
  @Test func sharedClustersDoNotGrow() {
    let screen = Screen(columns: 10, rows: 2)
    screen.write(Array("e\u{301}\u{1B}[4b\u{302}e\u{303}".utf8))
    #expect(screen.lines().first == "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}\u{302}e\u{303}")
  }

  /// No file but one touches memory by a pointer; that one checks each access.
  @Test func pointersAreInOneFile() throws {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let folder = tests.deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/Screen")
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path)
    where name.hasSuffix(".swift") && name != "Memory.swift" {
      let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
      for line in text.split(separator: "\n") where line.contains("Unsafe") {
        // What the callers of `write` give goes straight to `Input`.
        let isInput = line.contains("UnsafeRawBufferPointer") || line.contains("{ write($0) }")
        #expect(name == "Screen.swift" && isInput, "\(name): \(line)")
      }
    }
  }
}
