// The promise of the snapshot: a screen made from it, given the rest of the output, is in every
// respect the screen that saw all of it, wherever the output is cut (promise P1).

import TestSupport
import Testing

@testable import Screen

@Suite struct SnapshotTests {
  /// A screen that got only a snapshot of another.
  private static func restored(_ screen: Screen) -> Screen {
    let fresh = Screen(
      columns: screen.columns, rows: screen.rows,
      scrollback: screen.withCore { $0.history.limit })
    fresh.write(screen.snapshot())
    return fresh
  }

  /// All but a line of nothing except what is left of cut wide characters; see docs/screen.md.
  private static func canBeRestored(_ screen: Screen) -> Bool {
    _ = screen.scrollbackCount
    return screen.withCore { core in
      for grid in [core.grid, core.hiddenPrimary].compactMap({ $0 }) {
        var source = LineSource(core, core.looks, grid: grid, scrollback: .max)
        defer { source.deallocate() }
        while let line = source.next() {
          func isStyledBlank(_ column: Int) -> Bool {
            let cell = line.cells[column]
            let look = source.looks[cell.attributes]
            return !cell.hasContent && !cell.isRightHalf
              && look != Attributes(background: look.background & Attributes.colorMask)
          }
          if line.used == core.columns && (0..<line.used).allSatisfy(isStyledBlank) { return false }
        }
      }
      return true
    }
  }

  /// Cuts the output at a point, and compares at the cut and at the end.
  private static func check(
    _ bytes: [UInt8], cut: Int, columns: Int, rows: Int, scrollback: Int, _ what: String
  ) {
    let screen = Screen(columns: columns, rows: rows, scrollback: scrollback)
    screen.write(Array(bytes[..<cut]))
    guard canBeRestored(screen) else { return }
    let fresh = restored(screen)
    let here = StateDump.dump(fresh) == StateDump.dump(screen)
    #expect(here, "\(what): differs at the cut, byte \(cut)")
    screen.write(Array(bytes[cut...]))
    fresh.write(Array(bytes[cut...]))
    let end = StateDump.dump(fresh) == StateDump.dump(screen)
    #expect(end, "\(what): cut at byte \(cut), differs at the end")
  }

  @Test(arguments: Fixtures.recordings)
  func restoresRecordingsAtAnyCut(name: String) throws {
    let bytes = try Fixtures.bytes("Recordings/\(name)")
    let seed = SeededGenerator.announcedSeed("restoresRecordingsAtAnyCut(\(name))")
    var numbers = OutputGenerator(seed: seed)
    for _ in 0..<24 {
      let cut = numbers.number(bytes.count + 1)
      Self.check(
        bytes, cut: cut, columns: 80, rows: 24, scrollback: 200, "\(name), seed \(seed)")
    }
  }

  @Test func restoresRandomStreamsAtAnyCut() {
    for seed in Seeds(400) {
      var numbers = OutputGenerator(seed: seed)
      let columns = numbers.pick([2, 3, 5, 11, 20, 80])
      let rows = numbers.pick([1, 2, 3, 6, 24])
      let bytes = numbers.stream(pieces: 4 + numbers.number(60))
      Self.check(
        bytes, cut: numbers.number(bytes.count + 1), columns: columns, rows: rows,
        scrollback: numbers.pick([0, 2, 10, 100]), "\(columns)x\(rows), seed \(seed)")
    }
  }

  @Test func restoresAfterResizing() {
    for seed in Seeds(200) {
      var numbers = OutputGenerator(seed: seed)
      let screen = Screen(
        columns: 2 + numbers.number(30), rows: 1 + numbers.number(10), scrollback: 20)
      for _ in 0..<3 {
        screen.write(numbers.stream(pieces: numbers.number(30)))
        screen.resize(columns: 2 + numbers.number(30), rows: 1 + numbers.number(10))
      }
      guard Self.canBeRestored(screen) else { continue }
      let fresh = Self.restored(screen)
      let here = StateDump.dump(fresh) == StateDump.dump(screen)
      #expect(here, "seed \(seed), differs at once")
      let rest = numbers.stream(pieces: numbers.number(30))
      screen.write(rest)
      fresh.write(rest)
      let end = StateDump.dump(fresh) == StateDump.dump(screen)
      #expect(end, "seed \(seed), differs at the end")
    }
  }

  /// A reader in any state, even in the middle of a string, becomes equal too.
  @Test func replacesWhateverTheReaderShows() {
    for seed in Seeds(200) {
      var numbers = OutputGenerator(seed: seed)
      let screen = Screen(columns: 20, rows: 5, scrollback: 10)
      screen.write(numbers.stream(pieces: 20))
      let reader = Screen(columns: 20, rows: 5, scrollback: 10)
      reader.write(numbers.stream(pieces: 20))
      reader.write(screen.snapshot())
      func shown(_ screen: Screen) -> [String] {
        screen.withCore { core in
          ["\(core.x) \(core.y) \(core.modes) \(core.charsets) \(core.palette)"]
            + StateDump.cells(core.grid, core, scrollback: !core.isAlternate)
        }
      }
      #expect(shown(reader) == shown(screen), "seed \(seed)")
    }
  }

  /// What a terminal behind `fairlead attach` has and xterm.js lacks.
  @Test(arguments: [
    "\u{1B}[>1u", "\u{1B}[>1u\u{1B}[>5u\u{1B}[<u", "\u{1B}[=5u",
    "\u{1B}[=1u\u{1B}[=4;2u\u{1B}[=1;3u",
    "\u{1B}[>1u\u{1B}[?1049h\u{1B}[>3u\u{1B}[=8;2u", "\u{1B}[?47h\u{1B}[>3u\u{1B}[?47l\u{1B}[>1u",
    "\u{1B}[>4;2m", "\u{1B}[>4;2m\u{1B}[>1;3m\u{1B}[>4m", "\u{1B}[>4n", "\u{1B}[>u\u{1B}[<99u",
    String(repeating: "\u{1B}[>7u", count: 40), "\u{1B}[>99999u\u{1B}[=99999;9u\u{1B}[>99;99m",
  ]) func restoresTheKeyboard(output: String) {
    let bytes = Array(("$ " + output + "x\u{1B}[<1u").utf8)
    for cut in [3, bytes.count / 2, bytes.count - 5, bytes.count - 1, bytes.count] {
      Self.check(
        bytes, cut: cut, columns: 12, rows: 2, scrollback: 1, output.debugDescription)
    }
  }

  /// Where there is anything to bring, the bytes for it are there; a reset takes all of it back.
  @Test func theKeyboardIsPartOfASnapshot() {
    let screen = Screen(columns: 80, rows: 24)
    screen.write(Array("\u{1B}[>1u\u{1B}[?1049h\u{1B}[>5u\u{1B}[>4;2m".utf8))
    let snapshot = String(decoding: screen.snapshot(), as: UTF8.self)
    for part in ["\u{1B}[>1u", "\u{1B}[?47h\u{1B}[H\u{1B}[>5u", "\u{1B}[>4;2m"] {
      #expect(snapshot.contains(part), "\(part.debugDescription)")
    }
    #expect(
      !String(decoding: Screen(columns: 80, rows: 24).snapshot(), as: UTF8.self).contains("u"))
    screen.write(Array("\u{1B}c".utf8))
    #expect(StateDump.dump(screen) == StateDump.dump(Screen(columns: 80, rows: 24)))
  }

  @Test func whoReadsASnapshotIsAskedNothing() {
    var numbers = OutputGenerator(seed: 1)
    let screen = Screen(columns: 40, rows: 10)
    screen.write(numbers.stream(pieces: 500))
    _ = screen.takeAnswers()
    let reader = Self.restored(screen)
    #expect(reader.takeAnswers() == [])
  }

  @Test func aSnapshotCostsWhatIsSeenAndLittleMore() {
    let screen = Screen(columns: 80, rows: 24)
    screen.write(Array(String(repeating: "\u{1B}[31mred\u{1B}[0m plain\r\n", count: 100).utf8))
    // Per line: two changes of colour, the text, and the line's end; nothing for what is blank.
    #expect(screen.snapshot().count < 100 * 24 + 400)
  }
}
