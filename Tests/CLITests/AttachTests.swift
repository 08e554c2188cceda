// The pure parts of `fairlead attach`: what the user's terminal answers is not typed, keys are not
// mistaken for answers, `~.` detaches, and the terminal is given back as it was.

import ArgumentParser
import Screen
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
    "\u{1b}P1+r544e=787465726d\u{1b}\\", "\u{1b}P1$r0m\u{1b}\\", "\u{1b}]lvi\u{1b}\\",
    "\u{1b}]52;c;aGk=\u{7}", "\u{1b}P1!~00FF\u{1b}\\", "\u{1b}_Gi=1;OK\u{1b}\\",
  ]) func repliesAreDropped(reply: String) {
    var filter = ReplyFilter()
    filter.expectStrings(2)
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
    // Alt-Shift-P or Alt-] and what is typed behind it, up to a Ctrl-G.
    "\u{1b}Pecho\u{7}", "\u{1b}P1$r0m\u{7}", "\u{1b}]2x\u{7}", "\u{1b}]2;title\u{7}",
    "\u{1b}]lx\u{7}", "\u{1b}]1\u{1b}[A", "\u{1b}_x\u{1b}\\", "\u{1b}P1x\u{1b}\\",
  ]) func keysAreTyped(keys: String) {
    for due in [0, 1] {
      var filter = ReplyFilter()
      filter.expectStrings(due)
      #expect(filter.filter(bytes(keys)) + filter.release() == bytes(keys))
    }
  }

  /// What nobody asked for is typed, and at once.
  @Test func stringsAreKeysUnlessOneIsDue() {
    var filter = ReplyFilter()
    let reply = "\u{1b}]11;rgb:0000/0000/0000\u{1b}\\"
    for byte in bytes("\u{1b}]11;") {
      _ = filter.filter([byte])
      #expect(filter.holdTime == nil || byte == 0x1b)
    }
    filter = ReplyFilter()
    #expect(filter.filter(bytes(reply)) + filter.release() == bytes(reply))
    filter.expectStrings(1)
    #expect(filter.filter(bytes(reply)).isEmpty)
    #expect(filter.filter(bytes(reply)) + filter.release() == bytes(reply))
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

  /// However the keyboard was told to say it: kitty's protocol, all of its flags, and modifyOtherKeys.
  @Test(arguments: [
    ["\u{1b}[13u", "\u{1b}[126u", "\u{1b}[46u"],
    [
      "\u{1b}[13;1:1u", "\u{1b}[13;1:3u", "\u{1b}[57441;2u", "\u{1b}[96:126;2u",
      "\u{1b}[96:126;2:3u",
      "\u{1b}[57441;1:3u", "\u{1b}[46u",
    ],
    ["\u{1b}[13;129u", "\u{1b}[96;130;126u", "\u{1b}[46;129;46u"], ["\r", "\u{1b}[96;2u", "."],
    ["\r", "\u{1b}[27;2;126~", "."], ["\u{1b}[57414u", "~", "\u{1b}[57409u"],
    ["\r", "\u{1b}[I", "~", "\u{1b}[<35;3;4M", "\u{1b}[O", "."],
  ]) func keysAreMatchedNotBytes(keys: [String]) {
    #expect(read("x" + keys.joined()).last == .detach)
    var escape = EscapeKeys()
    let actions = (["x"] + keys).flatMap { escape.read(Array($0.utf8)) }
    #expect(actions.last == .detach, "\(actions)")
  }

  @Test(arguments: [
    "\u{1b}[13u\u{1b}[126;5u.", "\u{1b}[13;5u~.", "\r\u{1b}[126;3u\u{1b}[46u",
    "\r\u{1b}[126u\u{1b}[46;5u", "\r\u{1b}[96;1u.", "\r\u{1b}[A~.", "\r\u{1b}[1;2A~.",
    "\ra\u{1b}[126u.",
    "\r\u{1b}[27;5;126~.", "\r\u{1b}[126;1:3u.", "\r\u{1b}[99999999999u~.", "\r\u{1b}[;;;u~.",
    "\r\u{1b}[126;99999999999u.",
  ]) func otherKeysAreTyped(keys: String) {
    let actions = read(keys)
    var typed: [UInt8] = []
    for case .type(let bytes) in actions { typed += bytes }
    #expect(typed == Array(keys.utf8), "\(actions)")
  }

  @Test func aHeldTildeIsTypedWithWhatCameBehindIt() {
    let keys = "\u{1b}[126u\u{1b}[126;1:3u\u{1b}[97u"
    #expect(read("\r" + keys) == [type("\r" + keys)])
    #expect(read("\u{1b}[126u", "\u{1b}[126u.") == [type("\u{1b}[126u.")])
    #expect(read("\u{1b}[126u\u{1b}[47;2u") == [.help])
  }

  @Test func interruptsAreToldFromWhatIsTyped() {
    #expect(
      read("ab\u{3}cd\u{1c}\u{1a}") == [
        type("ab"), .interrupt(3), type("cd"), .interrupt(0x1c), .interrupt(0x1a),
      ])
    #expect(read("~\u{3}") == [type("~"), .interrupt(3)])
    let paste = "\u{1b}[200~a\u{3}b\u{1b}[201~"
    #expect(read(paste + "\u{3}") == [type(paste), .interrupt(3)])
  }

  @Test func whatIsPastedIsNeverACommand() {
    let paste = "\u{1b}[200~a\r~.\u{1b}[201~"
    #expect(read(paste) == [type(paste)])
    #expect(read(paste + "\r~.") == [type(paste + "\r"), .detach])
  }
}

@Suite struct ScreenTrackerTests {
  /// A terminal that has read `output`: its model, and what is kept beside it.
  private func tracked(_ output: String) -> (model: Screen, tracker: ScreenTracker) {
    let model = Screen(columns: 80, rows: 24, scrollback: 0)
    var tracker = ScreenTracker()
    model.write(Array(output.utf8))
    tracker.follow(output.utf8) { model.knows(privateMode: $0) }
    return (model, tracker)
  }

  private func restoration(_ output: String) -> String {
    let (model, tracker) = tracked(output)
    return String(decoding: tracker.restoration(model), as: UTF8.self)
  }

  @Test func givesBackWhatTheProgramSet() {
    let set = "\u{1b}[?1049h\u{1b}[?1000;1006h\u{1b}[?25l\u{1b}[?2004h\u{1b}[?2004l"
    let restored = restoration(set)
    #expect(restored.hasPrefix("\u{1b}[?1049l"))
    for part in ["\u{1b}[?1000l", "\u{1b}[?1006l", "\u{1b}[?25h"] {
      #expect(restored.contains(part))
    }
    #expect(!restored.contains("2004"))
    #expect(restoration("\u{1b}[31m\u{1b}[0m") == "\u{1b}[0m")
  }

  /// Each of these was left behind once.
  @Test(arguments: [
    ("\u{1b}[?7l", "\u{1b}[?7h"), ("\u{1b}[4h", "\u{1b}[4l"), ("\u{1b}[20h", "\u{1b}[20l"),
    ("\u{1b}]4;1;#102030\u{7}", "\u{1b}]104\u{1b}\\"),
    ("\u{1b}]10;red;#111111\u{7}", "\u{1b}]111\u{1b}\\"),
    ("\u{1b}]12;#111111\u{7}", "\u{1b}]112\u{1b}\\"),
    ("\u{1b}]8;;http://x/\u{7}", "\u{1b}]8;;\u{1b}\\"),
    ("\u{1b}[>1u", "\u{1b}[<1u"), ("\u{1b}[=5;1u", "\u{1b}[=0;1u"), ("\u{1b}[>4;2m", "\u{1b}[>4m"),
    ("\u{1b}[>4n", "\u{1b}[>4m"), ("\u{1b}[?2048h", "\u{1b}[?2048l"),
    ("\u{1b}[?2031h", "\u{1b}[?2031l"),
    ("\u{1b}[?8l", "\u{1b}[?8h"), ("\u{1b}]17;#222222\u{1b}\\", "\u{1b}]117\u{1b}\\"),
    ("\u{1b}]5;0;#222222\u{7}", "\u{1b}]105\u{1b}\\"),
    ("\u{1b}]22;text\u{7}", "\u{1b}]22;\u{1b}\\"),
    ("\u{1b}]9;4;1;50\u{7}", "\u{1b}]9;4;0\u{1b}\\"), ("\u{1b}[?2l", "\u{1b}<"),
    ("\u{1b}]2;half a title", "\u{1b}\\\u{18}"), ("\u{1b}[3", "\u{18}"),
    ("\u{1b}[22t", "\u{1b}[23;2t"),
    ("\u{1b}[3g", "\u{1b}H"), ("\u{1b}[5;9r", "\u{1b}[r"), ("\u{1b}(0", "\u{1b}(B"),
  ]) func isUndone(set: String, undone: String) {
    #expect(restoration(set).contains(undone))
    // And not where it was undone by a reset, or never set.
    #expect(
      restoration(
        set
          + "\u{18}\u{1b}[?2h\u{1b}[?8h\u{1b}c\u{1b}]104\u{7}\u{1b}]111\u{7}\u{1b}]112\u{7}\u{1b}[20l\u{1b}[23t"
      )
        == "\u{1b}[0m")
  }

  /// Each buffer has its own keyboard flags: those of the alternate one go before it does, the primary one's after.
  @Test func keyboardFlagsAreUndoneWhereTheyWereSet() {
    let restored = restoration(
      "\u{1b}[>1u\u{1b}[?1049h\u{1b}[>3u\u{1b}[>5u\u{1b}[=7u\u{1b}[<1u")
    #expect(restored.hasPrefix("\u{1b}[<1u\u{1b}[?1049l"))
    #expect(restored.hasSuffix("\u{1b}[0m\u{1b}[<1u"))
    #expect(
      restoration("\u{1b}[=1u\u{1b}[?47h\u{1b}[?47l\u{1b}[>1u\u{1b}[<u").hasSuffix(
        "\u{1b}[0m\u{1b}[=0;1u"))
    #expect(restoration("\u{1b}[?47h\u{1b}[=1u").hasPrefix("\u{1b}[=0;1u\u{1b}[?47l"))
  }

  @Test func queriesAreCountedAndTakenOnce() {
    var tracker = tracked("\u{1b}[6n\u{1b}[c\u{1b}[6n").tracker
    #expect(tracker.takeCursorQueries() == 2)
    #expect(tracker.takeCursorQueries() == 0)
    #expect(tracker.takeStringQueries() == 0)
    tracker =
      tracked(
        "\u{1b}]11;?\u{7}\u{1b}]4;1;?;2;?\u{1b}\\\u{1b}P$qm\u{1b}\\\u{1b}P+q544e;436f\u{1b}\\\u{1b}[>q\u{1b}[=c"
          + "\u{1b}[21t\u{1b}[1;1;1;1;2;2*y\u{1b}_Gi=1,a=q;\u{1b}\\\u{1b}]52;c;?\u{7}"
      ).tracker
    #expect(tracker.takeStringQueries() == 12)
  }

  /// Promise P6: whatever a program sends.
  @Test func whatIsRestoredIsBoundedWhateverAProgramSends() {
    let many = (3_000..<9_000).map { "\u{1b}[?\($0)h\u{1b}[>1u" }.joined()
    #expect(restoration(many).utf8.count < 1_000)
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
  private func code(_ reason: EndReason, _ status: Wire.ExitStatus?) -> Int32 {
    AttachedClient.exitCode(reason: reason, status).rawValue
  }

  @Test func isTheProcesssOwnWhereThatIsKnown() {
    #expect(code(.exited, .exited(code: 7)) == 7)
    #expect(code(.exited, .exited(code: 0)) == 0)
    #expect(code(.killed, .signalled(number: 9)) == 137)
    #expect(code(.idle, .signalled(number: 1)) == 129)
    #expect(code(.exited, nil) == 255)
    #expect(code(.lost, nil) == 255)
    #expect(code(.lost, .exited(code: 0)) == 255)
    #expect(code(.exited, .exited(code: 256)) == 255)
    #expect(code(.exited, .exited(code: -1)) == 255)
    #expect(code(.exited, .signalled(number: .max)) == 255)
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
    #expect(table.text == "ID        N  NAME\na        10  x\nlong-id   9  -")
  }

  @Test func controlCharactersAreShownAsSuch() {
    #expect(printable("a\u{1b}[31mb\n\u{9b}\u{202e}") == "a␛[31mb␊\u{fffd}\u{fffd}")
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
