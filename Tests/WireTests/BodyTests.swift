// JSON bodies: what a newer peer adds is ignored, what an older one leaves out has a default, and what
// a hostile one invents is refused (promise P9).

import NIOCore
import Testing
import Wire

/// The frame with `json` as its body, read.
private func read(_ type: FrameType, _ json: some Sequence<UInt8>) throws -> Frame? {
  let body = Array(json)
  var wire = ByteBuffer()
  wire.writeVarint(UInt64(2 + body.count))
  wire.writeInteger(type.rawValue)
  wire.writeVarint(1)
  wire.writeBytes(body)
  return try decode(Array(wire.readableBytesView)).first?.frame
}

private func read(_ type: FrameType, _ json: String) throws -> Frame? { try read(type, json.utf8) }

private func error(_ type: FrameType, _ json: some Sequence<UInt8>) -> WireError? {
  do {
    _ = try read(type, json)
    return nil
  } catch {
    return error as? WireError
  }
}

/// Why it is not taken: it ends the connection, or is an OPEN's, which is refused.
private func problem(_ type: FrameType, _ json: String) -> String? {
  if case .unreadableOpen(let problem) = try? read(type, json) { return problem }
  return error(type, json.utf8)?.message
}

@Suite struct BodyTests {
  @Test(
    "an OPEN that is an object is refused for its fields, and ends nothing",
    arguments: [
      #"{"create":{"target":"Telnet:x"}}"#, #"{"create":{"target":"docker:"}}"#,
      #"{"create":{"target":5}}"#, #"{"create":[]}"#, #"{"session":"a b"}"#, #"{"size":{}}"#,
      #"{"create":{"env":{"A":1}}}"#, #"{"resume":{}}"#,
    ])
  func unreadableOpen(json: String) throws {
    guard case .unreadableOpen(let problem) = try read(.open, json) else {
      Issue.record("it was taken")
      return
    }
    #expect(problem.hasPrefix("open: "))
    #expect(
      error(.close, #"{"reason":{}}"#.utf8)?.code == .malformed, "other frames are the program's")
    for wrong in ["[]", "1", "null", "{", #"{"session":"s",}x"#] {
      #expect(error(.open, wrong.utf8)?.code == .malformed, "\(wrong)")
    }
  }

  @Test func missingKeysHaveTheirDefaults() throws {
    #expect(try read(.open, "{}") == .open(Open(session: nil, size: .standard)))
    #expect(
      try read(.open, #"{"create":{}}"#)
        == .open(Open(session: nil, create: Creation(), size: .standard)))
    #expect(
      try read(.open, #"{"session":"s","resume":{"life":"A"}}"#)
        == .open(
          Open(session: SessionID("s"), resume: Resume(life: Life(rawValue: 10)), size: .standard)))
    #expect(
      try read(.refused, #"{"code":"x","message":""}"#)
        == .refused(Refused(.init(rawValue: "x"), "")))
    #expect(try read(.event, #"{"event":"paused"}"#) == .event(.paused))
    #expect(try read(.ended, #"{"reason":"lost"}"#) == .ended(Ended(reason: .lost, status: nil)))
    #expect(
      try read(.hello, #"{"versions":[1],"client":"c"}"#) == .hello(Hello(client: ClientID("c"))))
  }

  @Test func unknownKeysAreIgnored() throws {
    #expect(
      try read(.close, #"{"reason":"done","new":{"a":[1,null,true,"x"]},"":0}"#) == .close(.done))
    #expect(
      try read(.open, ##" { "mode" : "watcher" , "colors":{"selection":"#fff"}, "x":1e5 } "##)
        == .open(Open(session: nil, size: .standard, mode: .watcher, colors: ThemeColors())))
  }

  @Test(
    "what is not the object that is asked for is refused",
    arguments: [
      "", " ", "null", "1", "[]", "\"reason\"", "{", "{}", "{}{}", "{\"reason\":1}",
      "{reason:\"a\"}",
      "{\"reason\":\"a\"", "{\"reason\":\"a\"}x", "{\"reason\":null}", "{'reason':'a'}",
      "{\"reason\":\"\u{1}\"}", "{\"reason\":\"\\ud800\"}", "{\"reason\":\"\\u12\"}",
    ])
  func refused(json: String) { #expect(error(.close, json.utf8)?.code == .malformed) }

  @Test(
    "invalid bytes are refused",
    arguments: [
      [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82],
    ]
      as [[UInt8]])
  func invalidUTF8(bytes: [UInt8]) {
    let json = Array(#"{"reason":""#.utf8) + bytes + Array("\"}".utf8)
    #expect(error(.close, json)?.code == .malformed)
  }

  @Test func anotherEncodingThanUTF8IsRefused() {
    let json = #"{"reason":"done"}"#
    let big = json.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    let little = json.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    for bytes in [big, little, [0xFE, 0xFF] + big, [0xFF, 0xFE] + little] {
      #expect(error(.close, bytes)?.code == .malformed)
    }
  }

  @Test("nesting is bounded", arguments: ["[", "{\"a\":"])
  func nesting(opening: String) {
    let depth = (WireLimits.frameBody - 100) / opening.utf8.count
    let nested = String(repeating: opening, count: depth)
    #expect(error(.close, #"{"reason":"done","x":\#(nested)"#.utf8)?.code == .malformed)
    let closing = opening == "[" ? "]" : "}"
    let half = depth / 2
    let whole =
      String(repeating: opening, count: half) + "0" + String(repeating: closing, count: half)
    #expect(error(.close, #"{"reason":"done","x":\#(whole)}"#.utf8)?.code == .malformed)
  }

  @Test(
    "numbers out of range are refused",
    arguments: [
      "1e400", "-1e400", "99999999999999999999", "1.5", "-9223372036854775809", "0x10", "NaN",
      "Infinity", "--1", String(repeating: "9", count: 15_000),
      "1e" + String(repeating: "9", count: 900),
    ])
  func numbers(text: String) {
    #expect(problem(.open, #"{"size":{"columns":\#(text),"rows":1}}"#) != nil, "\(text)")
  }

  @Test(
    "what a LINK_OPEN says was consumed was sent, and both are counts of bytes",
    arguments: [
      ("9", "8", true), ("0", "0", true), ("\(Varint.maximum)", "\(Varint.maximum)", true),
      ("8", "9", false), ("0", "18446744073709551615", false),
      ("9223372036854775808", "0", false), ("18446744073709551615", "0", false),
      ("18446744073709551615", "18446744073709551615", false), ("-1", "0", false),
    ])
  func credit(sent: String, consumed: String, isGood: Bool) {
    let json =
      #"{"client":"c","access":{},"from":"","open":{},"sent":\#(sent),"consumed":\#(consumed)}"#
    #expect((error(.linkOpen, json.utf8) == nil) == isGood)
  }

  @Test func whoSomebodyIsHasABound() {
    func error(subject: String) -> WireError? {
      let json =
        #"{"client":"c","access":{"subject":"\#(subject)"},"from":"","open":{},"sent":0,"consumed":0}"#
      return WireTests.error(.linkOpen, json.utf8)
    }
    #expect(error(subject: String(repeating: "a", count: WireLimits.subject)) == nil)
    #expect(error(subject: String(repeating: "a", count: WireLimits.subject + 1)) != nil)
    #expect(error(subject: #"a\u0007"#) != nil)
  }

  @Test(
    "a time in create",
    arguments: [
      ("90s", "90s"), ("60s", "1m"), ("90m", "90m"), ("24h", "1d"), ("365d", "365d"),
      ("never", "never"), ("0s", "0s"),
    ])
  func lifetimes(text: String, canonical: String) throws {
    let value = try #require(Lifetime(text))
    #expect(value.description == canonical)
    #expect(Lifetime(canonical) == value)
    let open = try read(.open, #"{"create":{"idle":"\#(text)"}}"#)
    #expect(open == .open(Open(session: nil, create: Creation(idle: value), size: .standard)))
  }

  @Test(arguments: [
    "", "s", "90", "-1s", "+1s", "1.5h", "1w", "366d", "999999999d", "9999999999s", "1 s", "Never",
    "٣s",
  ])
  func whatIsNoTimeIsRefused(text: String) {
    #expect(Lifetime(text) == nil)
    #expect(problem(.open, #"{"create":{"idle":"\#(text)"}}"#) != nil)
  }

  @Test func aDuplicateKeyIsTakenOnceAndHarmsNothing() throws {
    let frame = try read(.close, #"{"reason":"a","reason":"b"}"#)
    let reasons = ["a", "b"].map { Frame.close(Close(.init(rawValue: $0))) }
    #expect(frame.map(reasons.contains) == true)
  }

  @Test(
    "an error names the key",
    arguments: [
      (FrameType.open, #"{"session":"a b"}"#, "\"session\""),
      (.open, #"{"create":{"target":"ssh:"}}"#, "\"create.target\""),
      (.open, #"{"create":{"user":"a b"}}"#, "\"create.user\""),
      (.open, #"{"resume":{"life":"xyz"}}"#, "\"resume.life\""),
      (.open, #"{"resume":{}}"#, "\"life\" is missing"), (.open, #"{"mode":"king"}"#, "\"mode\""),
      (.open, #"{"resume":{"life":"1","next":-1}}"#, "open: "),
      (.hello, #"{"client":"c"}"#, "\"versions\" is missing"),
    ])
  func names(type: FrameType, json: String, part: String) {
    let message = problem(type, json) ?? ""
    #expect(message.contains(part), "\(message)")
  }

  @Test(
    "an OPEN that contradicts itself or a bound has a problem",
    arguments: [
      #"{}"#, #"{"session":"a","create":{},"resume":{"life":"1"}}"#,
      #"{"session":"a","size":{"columns":0,"rows":1}}"#,
      #"{"session":"a","size":{"columns":1,"rows":1001}}"#, #"{"create":{"command":[""]}}"#,
      #"{"create":{"command":["a\u0000b"]}}"#, #"{"create":{"cwd":"\u0000"}}"#,
      #"{"create":{"env":{"":"x"}}}"#, #"{"create":{"env":{"a=b":"x"}}}"#,
      #"{"create":{"keep":"never"}}"#, #"{"create":{"keep":"8d"}}"#, #"{"create":{"idle":"0s"}}"#,
      #"{"create":{"timeout":"0s"}}"#, #"{"session":"a","exclusive":true}"#,
      #"{"create":{"command":[\#(String(repeating: "\"a\",", count: 256))"a"]}}"#,
      #"{"create":{"env":{\#((0...256).map { "\"v\($0)\":\"\"" }.joined(separator: ","))}}}"#,
    ])
  func problems(json: String) throws {
    guard case .open(let open) = try read(.open, json) else {
      Issue.record("not an OPEN")
      return
    }
    #expect(open.problem != nil)
  }

  @Test(arguments: [
    #"{"create":{}}"#, #"{"session":"a"}"#, #"{"session":"a","create":{"command":["sh"]}}"#,
  ])
  func andAGoodOneHasNone(json: String) throws {
    guard case .open(let open) = try read(.open, json) else {
      Issue.record("not an OPEN")
      return
    }
    #expect(open.problem == nil)
  }
}
