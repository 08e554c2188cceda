// Nothing that a program writes makes the screen trap, grow without bound, or lose its way (promises P6, P9). The long
// run of the same is deploy/fuzz-screen.sh.

import TestSupport
import Testing

@testable import Screen

@Suite struct FuzzTests {
  /// After anything at all, CAN and a reset make the parser ready.
  private static func recovers(_ screen: Screen) -> Bool {
    screen.write(Array("\u{18}\u{1B}c\u{1B}[?7hok".utf8))
    return screen.lines().first == "ok"
  }

  /// What a screen of this size may hold at most.
  private static func bound(_ screen: Screen) -> Int {
    let cells = screen.columns * screen.rows * 2
    return (1 << 20) * 3 + cells * 40 + screen.withCore { $0.history.limit } * screen.columns * 120
  }

  /// Returns how many bytes it wrote.
  private static func round(seed: UInt64) -> Int {
    var numbers = OutputGenerator(seed: seed)
    let screen = Screen(
      columns: numbers.pick([1, 2, 7, 80, 200]), rows: numbers.pick([1, 2, 24, 50]),
      scrollback: numbers.pick([0, 1, 50]))
    var written = 0
    for _ in 0..<20 {
      let bytes =
        numbers.number(3) == 0
        ? (0..<numbers.number(2_000)).map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
        : numbers.stream(pieces: numbers.number(100))
      screen.write(bytes)
      written += bytes.count
      if numbers.number(4) == 0 {
        screen.resize(columns: 1 + numbers.number(120), rows: 1 + numbers.number(40))
      }
      _ = screen.takeAnswers()
      _ = screen.text(scrollback: .max)
      if numbers.number(4) == 0 { _ = screen.snapshot() }
      if numbers.number(8) == 0 { _ = screen.ansi(scrollback: .max) }
    }
    #expect(screen.memoryFootprint < bound(screen), "seed \(seed)")
    #expect(recovers(screen), "seed \(seed)")
    return written
  }

  @Test func survivesRandomBytes() {
    var screens = 0
    var bytes = 0
    for seed in Seeds(60) {
      bytes += Self.round(seed: seed)
      screens += 1
    }
    print("survivesRandomBytes: \(screens) screens, \(bytes) bytes written")
  }

  /// Bytes arrive in any pieces; the result is the same.
  @Test func doesNotDependOnTheCuts() {
    for seed in Seeds(100) {
      var numbers = OutputGenerator(seed: seed)
      let bytes = numbers.stream(pieces: 80)
      let whole = Screen(columns: 20, rows: 6, scrollback: 10)
      whole.write(bytes)
      let pieces = Screen(columns: 20, rows: 6, scrollback: 10)
      for byte in bytes { pieces.write([byte]) }
      let same = StateDump.dump(whole) == StateDump.dump(pieces)
      #expect(same, "seed \(seed)")
    }
  }

  @Test(arguments: [(1, 1), (2, 1), (1_000, 1_000), (0, -5), (1_000_000, 1_000_000)])
  func takesAnySize(columns: Int, rows: Int) {
    let screen = Screen(columns: columns, rows: rows)
    screen.write(Array("\u{1B}[999;999Hx中\u{1B}#8\u{1B}[2147483647S\u{1B}[2147483647L".utf8))
    screen.resize(columns: rows, rows: columns)
    #expect(Self.recovers(screen))
  }

  @Test func boundsAnEndlessString() {
    let screen = Screen(columns: 80, rows: 24)
    let before = screen.memoryFootprint
    for introducer in ["\u{1B}]0;", "\u{1B}]8;;", "\u{1B}P$q", "\u{1B}Pq", "\u{1B}_", "\u{1B}["] {
      screen.write(Array(introducer.utf8))
      let digits = [UInt8](repeating: UInt8(ascii: "1"), count: 10_000)
      for _ in 0..<20 { screen.write(digits) }
      #expect(screen.memoryFootprint < before + 64 * 1_024)
      #expect(screen.snapshot().count < 16 * 1_024)
      #expect(Self.recovers(screen))
    }
  }

  @Test func boundsAMillionCombiningCharacters() {
    let screen = Screen(columns: 80, rows: 24)
    screen.write(Array("e".utf8))
    screen.write(Array(String(repeating: "\u{301}", count: 1_000_000).utf8))
    #expect(screen.memoryFootprint < 1 << 17)
    for index in 0..<20_000 { screen.write(Array("e\u{301}\u{302}\(index % 10)".utf8)) }
    #expect(screen.memoryFootprint < 1 << 20)
  }

  @Test func boundsAttributesAndLinks() {
    let screen = Screen(columns: 80, rows: 24, scrollback: 100)
    for index in 0..<10_000 {
      let red = index & 255
      let green = index >> 8 & 255
      screen.write(Array("\u{1B}[38;2;\(red);\(green);1m\u{1B}]8;;http://host/\(index)\u{7}x".utf8))
    }
    #expect(screen.memoryFootprint < 8 << 20)
    #expect(screen.snapshot().count < 4 << 20)
  }

  @Test func boundsUnreadAnswers() {
    let screen = Screen(columns: 80, rows: 24)
    for _ in 0..<10_000 { screen.write(Array("\u{1B}[c\u{1B}]10;?\u{7}".utf8)) }
    #expect(screen.takeAnswers().count <= Limit.answers + 64)
  }
}
