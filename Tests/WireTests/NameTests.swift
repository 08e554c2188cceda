// The words that come from outside are checked where they enter: names, hexadecimal numbers, targets,
// sizes (promise P9).

import NIOCore
import Testing
import Wire

@Suite struct NameTests {
  @Test(arguments: ["a", "A-z_09", String(repeating: "x", count: 64)])
  func aNameIsTakenAsItIs(text: String) { #expect(SessionID(text)?.rawValue == text) }

  @Test(arguments: [
    "", String(repeating: "x", count: 65), "a b", "a/b", "a.b", "ä", "a\u{0}", "a\u{301}", "{a}",
  ])
  func whatIsNoNameIsRefused(text: String) { #expect(SessionID(text) == nil) }

  @Test func randomNamesAreNamesAndDiffer() {
    let names = (0..<1_000).map { _ in SessionID.random().rawValue }
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { SessionID.isValidName($0) && $0.utf8.count == 22 })
    // A dash would be an option of a command.
    #expect(names.allSatisfy { $0.first?.isLetter == true })
  }

  @Test(
    arguments: [
      ("0", 0), ("f", 15), ("00000000000000ff", 255), ("FFFFFFFFFFFFFFFF", UInt64.max),
    ] as [(String, UInt64)])
  func aHexadecimalNumberIsRead(text: String, value: UInt64) {
    #expect(Life(text)?.rawValue == value)
  }

  @Test(arguments: ["", "+1", "-0", "-1", "0x1", "g", " 1", "11111111111111111", "１"])
  func whatIsNoHexadecimalNumberIsRefused(text: String) { #expect(Life(text) == nil) }

  @Test func aRandomNumberIsWrittenAs16DigitsAndReadBack() {
    #expect(Life(rawValue: 10).description == "000000000000000a")
    for _ in 0..<100 {
      let life = Life.random()
      #expect(Life(life.description) == life)
    }
  }

  @Test(arguments: ["pty", "docker:ab", "docker:0a_b.c-d", "swarm:web.1", "new-kind2:a=b,c=d:e/f"])
  func aTargetIsTakenAsItIs(text: String) { #expect(Target(text)?.description == text) }

  @Test(
    "a target is a short word, and short visible text behind it",
    arguments: [
      "", ":", ":a", "PTY", "pty ", "-pty", "1pty", "p_t", "docker:", "docker:a b",
      "docker:a\u{0}b",
      "docker:a\n", "docker:äb", "docker:\u{301}a", "döcker:ab",
      "docker:" + String(repeating: "a", count: 257), String(repeating: "a", count: 33),
    ])
  func badTargets(text: String) { #expect(Target(text) == nil) }

  @Test(arguments: ["root", "_apt", "www-data", "a.b", "A9", "0", "1000", "2147483647"])
  func aUserIsTakenAsItIs(text: String) { #expect(UserName(text)?.rawValue == text) }

  @Test(
    "a user has one spelling, and cannot become a group, an option or nobody's number",
    arguments: [
      "", "-1", "-u", ".a", "00", "0x0", "01000", "+1", "2147483648", "4294967295", "1a", "a:b",
      "0:0", "a b", "a/b", "a,b", "ä", "a\u{0}", "１", String(repeating: "a", count: 33),
    ])
  func badUsers(text: String) { #expect(UserName(text) == nil) }

  @Test func aSizeIsColumnsAndRowsWithinTheirBounds() {
    #expect(TerminalSize("120x40") == TerminalSize(columns: 120, rows: 40))
    #expect(TerminalSize("1x1000")?.isValid == true)
    for bad in [
      "", "x", "80", "80x", "0x1", "1x0", "1001x1", "+80x24", "-1x1", "8 0x24", "80x24x1",
    ]
      + ["99999999999999999999x1"]
    {
      #expect(TerminalSize(bad) == nil, "\(bad)")
    }
  }

  @Test func aTextIsClippedBetweenItsCharacters() {
    #expect("abc".clipped(to: 3) == "abc")
    #expect("abc".clipped(to: 2) == "ab")
    #expect("a€".clipped(to: 3) == "a")
    #expect("€".clipped(to: 2) == "")
    // One visible character of 2,001 bytes.
    #expect(("e" + String(repeating: "\u{301}", count: 1_000)).clipped(to: 100).utf8.count == 99)
  }
}
