// A real `fairlead serve` between a client that breaks every rule and one that only works: the first
// hears what was wrong, the second notices nothing (promises P7, P9).

import NIOCore
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct HostileClientTests {
  typealias Message = WebSocketMessage

  /// A server with a session at work: `body` does its worst to it, and the session must go on.
  private func besideAWorkingSession(
    _ body: (_ port: Int) async throws -> Void
  ) async throws {
    let server = try Fairlead.start(["serve", "--listen", "127.0.0.1:0", "--no-auth"])
    let port = try port(in: try await server.line(with: "http://"))
    let working = try await RawClient.greet(port: port)
    working.send(
      .open(
        Open(
          session: nil, create: Creation(command: ["sh", "-c", "stty -echo; echo go; exec cat"]),
          size: .standard)), stream: 1)
    try await eventually("the session works") {
      try working.output(stream: 1).contains("go\r\n")
    }
    // However long it takes, the working client shows that it lives.
    let living = working.keepAlive()
    defer { living.cancel() }
    try await body(port)
    working.send(.input(offset: 0, ByteBuffer(string: "still here\n")), stream: 1)
    try await eventually("the session still works") {
      try working.output(stream: 1).contains("still here\r\n")
    }
    #expect(!working.isClosed)
    #expect(
      try working.frames(stream: 1).allSatisfy { $0.type != .close && $0 != .event(.paused) })
    #expect(server.isRunning)
    server.signal(15)
    #expect(try await server.waitForExit() == 0)
  }

  /// Sends `bytes` on a connection that was greeted, and expects it to end like this.
  private func expect(
    _ bytes: [UInt8], endsWith code: UInt16, _ part: String, port: Int
  ) async throws {
    let client = try await RawClient.greet(port: port)
    client.send(bytes)
    try await eventually("the connection ends: \(part)") { client.isClosed }
    let closing = try #require(client.closing)
    #expect(closing.code == code)
    #expect(closing.reason.contains(part), "\(closing.reason)")
  }

  /// One answer must not hold up the link that others share.
  @Test func aScreenThatIsTooLargeForAnAnswer() async throws {
    let cell = #"\033[38;2;1%d%d;2;3;48;2;4;5;1%d%dmx"#
    let script = """
      awk 'BEGIN { for (y = 0; y < 800; y++) { for (x = 0; x < 200; x++)
        printf "\(cell)", y % 10, x % 10, x % 10, y % 10; print "" } print "painted" }'; exec cat
      """
    try await besideAWorkingSession { port in
      let painter = try await RawClient.greet(port: port)
      painter.send(
        .open(
          Open(
            session: SessionID(unchecked: "large"),
            create: Creation(command: ["sh", "-c", script]),
            size: TerminalSize(columns: 200, rows: 50))), stream: 1)
      let screen = ["screen", "large", "--api", "http://127.0.0.1:\(port)", "--scrollback", "all"]
      // Nobody acknowledges what it prints, so that it goes on when the painter leaves.
      try await painter.frame("OPENED", stream: 1) { $0.type == .opened }
      painter.send(.close(.done), stream: 1)
      try await eventually("it is painted") {
        try await Fairlead.run(screen).output.contains("painted")
      }
      let coloured = try await Fairlead.run(screen + ["--format", "ansi"])
      #expect(coloured.code != 0)
      let beginning = coloured.output.prefix(300)
      #expect(beginning.contains("too large in this format"))
    }
  }

  @Test func framesThatBreakTheProtocol() async throws {
    try await besideAWorkingSession { port in
      func message(_ frame: [UInt8]) -> [UInt8] { Message.bytes(Message.binary, frame) }
      try await expect(message([3, 0x13, 1, 0x7B]), endsWith: 1002, "malformed: close", port: port)
      try await expect(message([0x80, 1, 0, 0]), endsWith: 1002, "frame_too_long: ", port: port)
      try await expect(message([2, 0x3F, 0]), endsWith: 1002, "unknown_type: ", port: port)
      try await expect(
        message(Frame.input(offset: 0, ByteBuffer(string: "rm")).bytes(stream: 1)),
        endsWith: 1002, "unexpected: input on stream 1, which was never opened", port: port)
      try await expect(
        message(Frame.output(offset: 0, ByteBuffer()).bytes(stream: 1)), endsWith: 1002,
        "unexpected: output is not for a client", port: port)
      try await expect(Message.bytes(Message.text, [0x61]), endsWith: 1003, "binary", port: port)
      try await expect(
        Message.bytes(Message.binary, [], length: 1 << 40), endsWith: 1009, "too long", port: port)
    }
  }

  @Test func garbageBeforeAndAfterTheUpgrade() async throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("HostileClientTests.garbageBeforeAndAfterTheUpgrade: seed \(seed)")
    var state = seed
    func garbage(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33)
      }
    }
    try await besideAWorkingSession { port in
      for round in 0..<20 {
        let before = try await RawClient.connect(port: port)
        // A first byte that begins no HTTP method.
        before.send([0x16] + garbage(1 + round * 50))
        try await eventually("garbage instead of HTTP is answered") { before.headers != nil }
        #expect(String(buffer: before.received).hasPrefix("HTTP/1.1 400"))

        let after = try await RawClient.greet(port: port)
        // Unmasked, so no frame of a client.
        after.send([0x82, 0x05] + garbage(1_000 + round * 50))
        try await eventually("garbage instead of WebSocket ends the connection") { after.isClosed }
        #expect(after.closing?.code == 1002)

        let inside = try await RawClient.greet(port: port)
        // A type that nobody may skip, then anything.
        inside.send(Message.bytes(Message.binary, [2, 0x3F, 0] + garbage(1_000)))
        try await eventually("garbage instead of frames ends the connection") { inside.isClosed }
        #expect(inside.closing?.code == 1002)
      }
    }
  }

  @Test func requestsThatNeverEndOrNeverBegin() async throws {
    try await besideAWorkingSession { port in
      let silent = try await RawClient.connect(port: port)
      let slow = try await RawClient.connect(port: port)
      slow.send("GET /v1/connect HTTP/1.1\r\nHost: local")
      let large = try await RawClient.connect(port: port)
      large.send("GET /v1/connect HTTP/1.1\r\nX: ")
      for _ in 0..<100 where !large.isClosed {
        try? await large.sendAndWait([UInt8](repeating: 0x61, count: 1_024))
      }
      try await eventually("a header of 100 KiB is refused") { large.isClosed }
      // A reset, since more was on its way, may overtake the answer.
      let answer = String(buffer: large.received)
      #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"))
      let many = try await RawClient.connect(port: port)
      many.send("GET / HTTP/1.1\r\n")
      for number in 0..<3_000 where !many.isClosed {
        try? await many.sendAndWait(Array("X-\(number): 1\r\n".utf8))
      }
      try await eventually("3,000 headers are refused") { many.isClosed }
      // One byte at a time does not buy more time.
      try await eventually("a request that drips is cut") {
        slow.send("h")
        return slow.isClosed
      }
      try await eventually("a connection that says nothing is cut") { silent.isClosed }
    }
  }

  @Test func upgradesThatAreNotForUs() async throws {
    func answer(_ port: Int, _ change: (String) -> String) async throws -> String {
      let client = try await RawClient.connect(port: port)
      client.send(change(RawClient.upgradeRequest))
      try await eventually("an answer") { client.headers != nil }
      return String(String(buffer: client.received).prefix(12))
    }
    try await besideAWorkingSession { port in
      #expect(try await answer(port) { $0 } == "HTTP/1.1 101")
      #expect(
        try await answer(port) {
          $0.replacing("Host: localhost", with: "Host: localhost\r\nOrigin: https://evil.example")
        } == "HTTP/1.1 403")
      let other = try await answer(port) { $0.replacing("fairlead.v1", with: "other.v1") }
      #expect(other == "HTTP/1.1 426" || other == "HTTP/1.1 400")
      #expect(
        try await answer(port) { $0.replacing("/v1/connect", with: "/v1/other") } == "HTTP/1.1 404")
    }
  }

  @Test func aCommandThatDoesNotExist() async throws {
    try await besideAWorkingSession { port in
      let client = try await RawClient.greet(port: port)
      let long = "/no/such/" + String(repeating: "é\"\u{1}", count: 1_000)
      for (stream, command) in [(1, "/no/such/program"), (2, long)] as [(UInt64, String)] {
        client.send(
          .open(Open(session: nil, create: Creation(command: [command]), size: .standard)),
          stream: stream)
        let frame = try await client.frame("REFUSED", stream: stream) { $0.type == .refused }
        guard case .refused(let refusal) = frame else {
          Issue.record("\(frame)")
          return
        }
        #expect(refusal.code == .startFailed)
        #expect(refusal.message.contains("/no/such/"))
        #expect(refusal.retry == nil)
      }
      #expect(!client.isClosed)
    }
  }

  @Test func aFloodOfSizesIsAFewForTheTerminalAndTheLastOneCounts() async throws {
    try await besideAWorkingSession { port in
      let client = try await RawClient.greet(port: port)
      client.send(
        .open(Open(session: nil, create: Creation(command: ["cat"]), size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      let start = ContinuousClock.now
      for _ in 0..<20 {
        let sizes = (0..<2_000).flatMap { number in
          Frame.resize(TerminalSize(columns: 80 + number % 80, rows: 24)).bytes(stream: 1)
        }
        try await client.sendAndWait(Message.bytes(Message.binary, sizes))
      }
      let last = TerminalSize(columns: 97, rows: 31)
      client.send(.resize(last), stream: 1)
      try await client.frame("the last size", stream: 1) {
        if case .resized(_, let size) = $0 { size == last } else { false }
      }
      let changes = try client.frames(stream: 1).filter { $0.type == .resized }.count
      // As often as a terminal's size is changed at all (SessionLimits.resizeInterval), and no more.
      let most = (ContinuousClock.now - start) / .milliseconds(30) + 2
      #expect(Double(changes) <= most, "\(changes) changes of the size")
      #expect(!client.isClosed)
    }
  }

  @Test func aClientThatReadsNothing() async throws {
    try await besideAWorkingSession { port in
      let deaf = try await RawClient.greet(port: port, isReading: false)
      deaf.send(
        .open(
          Open(
            session: nil,
            create: Creation(command: ["sh", "-c", "while :; do echo aaaaaaaaaaaaaaaaaaaa; done"]),
            size: .standard)), stream: 1)
      let pings = Message.bytes(
        Message.binary, (0..<1_000).flatMap { Frame.ping(UInt64($0)).bytes(stream: 0) })
      // 40 MB of questions: the answers are its own to read, and it is cut before they cost that much.
      var isCut = false
      for _ in 0..<4_000 where !isCut {
        do { try await deaf.sendAndWait(pings) } catch { isCut = true }
      }
      #expect(isCut)
    }
  }
}
