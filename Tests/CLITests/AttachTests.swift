// The pure parts of `fairlead attach`: what the user's terminal answers is not typed, keys are not
// mistaken for answers, `~.` detaches, and the terminal is given back as it was.

import ArgumentParser
import Testing
import Wire

@testable import fairlead

@Suite struct ReplyFilterTests {
  func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test(arguments: [
    "\u{1b}[?62;22;52c", "\u{1b}[>1;7802;0c", "\u{1b}P!|00000000\u{1b}\\", "\u{1b}[24;80R",
    "\u{1b}[?5;1R", "\u{1b}[0n", "\u{1b}[?2026;2$y", "\u{1b}[4;1$y", "\u{1b}[?1u",
    "\u{1b}[8;24;80t", "\u{1b}]11;rgb:0000/0000/0000\u{1b}\\", "\u{1b}]10;rgb:ff/ff/ff\u{7}",
    "\u{1b}]4;1;rgb:80/00/00\u{7}", "\u{1b}P>|XTerm(380)\u{1b}\\",
    "\u{1b}P1+r544e=787465726d\u{1b}\\", "\u{1b}P1$r0m\u{1b}\\",
  ]) func repliesAreDropped(reply: String) {
    var filter = ReplyFilter()
    #expect(filter.filter(bytes("a" + reply + "b")) == bytes("ab"))
    #expect(filter.holdTime == nil)
    // In pieces of one byte as well.
    var typed: [UInt8] = []
    for byte in bytes("a" + reply + "b") { typed += filter.filter([byte]) }
    #expect(typed == bytes("ab"))
  }

  @Test(arguments: [
    "hello\r", "\u{1b}[A", "\u{1b}OA", "\u{1b}OR", "\u{1b}[13~", "\u{1b}[1;5C", "\u{1b}[1;2R",
    "\u{1b}b", "\u{1b}\u{1b}[A", "\u{1b}[<0;10;5M", "\u{1b}[M !!", "\u{1b}[I", "\u{1b}[97;5u", "é漢",
    "\u{1b}[200~a\u{1b}[0nb\u{1b}[201~", "\u{1b}]x\u{1b}a",
  ]) func keysAreTyped(keys: String) {
    var filter = ReplyFilter()
    #expect(filter.filter(bytes(keys)) + filter.release() == bytes(keys))
  }

  @Test func aLoneEscapeIsHeldAndThenTyped() {
    var filter = ReplyFilter()
    #expect(filter.filter([0x1b]).isEmpty)
    #expect(filter.holdTime != nil)
    #expect(filter.release() == [0x1b])
    #expect(filter.filter(bytes("[A")) == bytes("[A"))
  }

  @Test func f3WithAModifierIsAReportOnlyWhileOneIsDue() {
    var filter = ReplyFilter()
    filter.expectCursorReport()
    #expect(filter.filter(bytes("\u{1b}[1;2R")).isEmpty)
    #expect(filter.filter(bytes("\u{1b}[1;2R")) == bytes("\u{1b}[1;2R"))
  }

  @Test func afterAPasteRepliesAreDroppedAgain() {
    var filter = ReplyFilter()
    #expect(
      filter.filter(bytes("\u{1b}[200~x\u{1b}[201~\u{1b}[0ny"))
        == bytes("\u{1b}[200~x\u{1b}[201~y"))
  }
}

@Suite struct EscapeKeysTests {
  func read(_ texts: String...) -> [EscapeKeys.Action] {
    var keys = EscapeKeys()
    return texts.flatMap { keys.read(Array($0.utf8)) }
  }

  func type(_ text: String) -> EscapeKeys.Action { .type(Array(text.utf8)) }

  @Test func tildeDotDetachesAtTheBeginningOfALine() {
    #expect(read("~.") == [.detach])
    #expect(read("ls\r~", ".rest") == [type("ls\r"), .detach])
    #expect(read("ls\n~.") == [type("ls\n"), .detach])
  }

  @Test func elsewhereItIsTyped() {
    #expect(read("a~.") == [type("a~.")])
    #expect(read("~x") == [type("~x")])
    #expect(read("~", "/") == [type("~/")])
    #expect(read("~~.") == [type("~.")])
    #expect(read("~?ls") == [.help, type("ls")])
  }

  @Test func whatIsPastedIsNeverACommand() {
    let paste = "\u{1b}[200~a\r~.\u{1b}[201~"
    #expect(read(paste) == [type(paste)])
    #expect(read(paste + "\r~.") == [type(paste + "\r"), .detach])
  }
}

@Suite struct ScreenTrackerTests {
  @Test(arguments: [
    ("hello", true), ("\u{1b}", false), ("\u{1b}[3", false), ("\u{1b}[31m", true),
    ("\u{1b}]0;ti", false), ("\u{1b}]0;title\u{7}", true), ("\u{1b}Pq\u{1b}\\", true),
    ("\u{1b}(", false), ("\u{1b}(0", true), ("漢", true),
  ]) func knowsWhetherASequenceIsCut(text: String, isBetween: Bool) {
    var tracker = ScreenTracker()
    tracker.follow(text.utf8)
    #expect(tracker.isBetweenSequences == isBetween)
  }

  @Test func aCharacterCutInTheMiddle() {
    var tracker = ScreenTracker()
    tracker.follow(Array("漢".utf8).dropLast())
    #expect(!tracker.isBetweenSequences)
  }

  @Test func givesBackWhatTheProgramSet() {
    var tracker = ScreenTracker()
    tracker.follow("\u{1b}[?1049h\u{1b}[?1000;1006h\u{1b}[?25l\u{1b}[?2004h\u{1b}[?2004l".utf8)
    #expect(
      tracker.restoration == "\u{1b}[?1000l\u{1b}[?1006l\u{1b}[?1049l\u{1b}[?25h\u{1b}[0m")
    tracker.follow("\u{1b}c".utf8)
    #expect(tracker.restoration == "\u{1b}[0m")
  }

  @Test func countsCursorQueries() {
    var tracker = ScreenTracker()
    tracker.follow("\u{1b}[6n\u{1b}[c\u{1b}[6n".utf8)
    #expect(tracker.takeCursorQueries() == 2)
    #expect(tracker.takeCursorQueries() == 0)
  }
}

@Suite struct TerminalSizeTests {
  @Test func aTerminalLargerThanASessionCanBeGetsTheLargestThatFits() {
    func fitting(_ columns: Int, _ rows: Int) -> TerminalSize? {
      RawTerminal.fitting(TerminalSize(columns: columns, rows: rows))
    }
    #expect(fitting(1_500, 40) == TerminalSize(columns: 1_000, rows: 40))
    #expect(fitting(65_535, 65_535) == TerminalSize(columns: 1_000, rows: 1_000))
    #expect(fitting(80, 24) == .standard)
    #expect(fitting(0, 24) == nil, "a terminal that does not know")
  }
}

@Suite struct ExitCodeTests {
  private func code(_ reason: String, _ status: Wire.ExitStatus?) -> Int32 {
    Attachment.exitCode(reason: reason, status).rawValue
  }

  @Test func isTheProcesssOwnWhereThatIsKnown() {
    #expect(code("exited", .exited(code: 7)) == 7)
    #expect(code("exited", .exited(code: 0)) == 0)
    #expect(code("killed", .signalled(number: 9)) == 137)
    #expect(code("idle", .signalled(number: 1)) == 129)
    #expect(code("exited", nil) == 255)
    #expect(code("lost", nil) == 255)
    #expect(code("lost", .exited(code: 0)) == 255)
    #expect(code("exited", .exited(code: 256)) == 255)
    #expect(code("exited", .exited(code: -1)) == 255)
    #expect(code("exited", .signalled(number: .max)) == 255)
  }
}

@Suite struct MisuseTests {
  @Test func aSlipOfTheHandIsSeen() {
    let commands = ["attach", "session", "sessions", "screen", "new"]
    #expect(Misuse.meant(by: "atach", among: commands) == "attach")
    #expect(Misuse.meant(by: "attahc", among: commands) == "attach")
    #expect(Misuse.meant(by: "sesions", among: commands) == "sessions")
    #expect(Misuse.meant(by: "scr", among: commands) == "screen")
    #expect(Misuse.meant(by: "list", among: commands) == nil)
    #expect(Misuse.meant(by: String(repeating: "x", count: 100_000), among: commands) == nil)
  }

  @Test func distances() {
    #expect(Misuse.distance("kitten", "sitting") == 3)
    #expect(Misuse.distance("ab", "ba") == 1)
    #expect(Misuse.distance("", "abc") == 3)
    #expect(Misuse.distance("--sort", "--cert") == 2)
  }
}

@Suite struct ShellQuotingTests {
  @Test func wordsAreThoseThatAShellReads() {
    #expect(shellQuoted(["make", "-j8", "all"]) == "make -j8 all")
    #expect(shellQuoted(["sh", "-c", "echo a  b"]) == "sh -c 'echo a  b'")
    #expect(shellQuoted(["it's", "", "a$b"]) == #"'it'\''s' '' 'a$b'"#)
    #expect(shellQuoted(["a\nb'\\\u{1b}"]) == #"$'a\nb\'\\\u001b'"#)
    #expect(shellQuoted(["\u{e0041}"]) == #"$'\U000e0041'"#)
  }
}

@Suite struct TableTests {
  @Test func columnsAreAligned() {
    var table = Table("ID", "N", "NAME", numeric: [1])
    table.add("a", "10", "x")
    table.add("long-id", "9", "")
    #expect(table.text == "ID        N  NAME\na        10  x\nlong-id   9")
  }

  @Test func controlCharactersAreShownAsSuch() {
    #expect(printable("a\u{1b}[31mb\n") == "a\u{fffd}[31mb\u{fffd}")
  }

  @Test(
    arguments: [
      (0, "now"), (5_000, "5s"), (61_000, "1m 1s"), (900_000, "15m"), (12_000_000, "3h 20m"),
      (86_400_000, "1d"), (187_200_000, "2d 4h"),
    ] as [(UInt64, String)]) func timesAreHuman(milliseconds: UInt64, text: String)
  {
    #expect(humanTime(milliseconds: milliseconds) == text)
  }

  @Test(
    arguments: [
      (0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (20_971_520, "20 MiB"),
      (1_048_576, "1 MiB"),
    ] as [(UInt64, String)]) func sizesAreHuman(count: UInt64, text: String)
  {
    #expect(humanBytes(count) == text)
  }
}
