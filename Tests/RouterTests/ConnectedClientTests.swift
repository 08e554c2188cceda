// A client's connection: every frame is checked, errors end the stream or the connection with the
// words of docs/protocol.md, and what waits for a slow client is bounded and fair (P6, P7, P9).

import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import Wire

@testable import Router

@Suite struct ConnectedClientTests {
  let router: EmbeddedRouter
  let session = SessionID(unchecked: "s")

  init() throws { router = try EmbeddedRouter() }

  private func expectEnd(_ code: String, _ part: String) throws {
    let closing = try #require(router.closing)
    #expect(closing.code == 1002)
    #expect(closing.reason.hasPrefix(code + ": "), "\(closing.reason)")
    #expect(closing.reason.contains(part), "\(closing.reason)")
    #expect(router.routerLoop.clientCount == 0)
  }

  // MARK: HELLO

  @Test func aConnectionThatSaysNothingEnds() throws {
    router.loop.advanceTime(by: RouterLimits.helloDeadline)
    try expectEnd("unexpected", "no HELLO")
  }

  @Test func aConnectionBeginsWithHELLO() throws {
    try router.send(.ping(1), stream: 0)
    try expectEnd("unexpected", "HELLO")
  }

  @Test func anotherVersionIsRefused() throws {
    try router.send(.hello(Hello(versions: [2], client: ClientID("c"))), stream: 0)
    try expectEnd("unexpected", "version 1")
  }

  @Test func aClientNamesItself() throws {
    try router.send(.hello(Hello()), stream: 0)
    try expectEnd("malformed", "client")
  }

  @Test func helloIsAnsweredByTheLimits() throws {
    try router.greet()
    guard case .welcome(let welcome) = try router.frames(stream: 0).first else {
      Issue.record("no WELCOME")
      return
    }
    #expect(welcome.version == 1)
    #expect(welcome.limits.streams == 64)
    router.loop.advanceTime(by: RouterLimits.helloDeadline)
    #expect(router.channel.isActive)
  }

  @Test func anOpenMayFollowHelloWithoutWaiting() throws {
    router.know(session)
    let both =
      Frame.hello(Hello(client: ClientID("c"))).bytes(stream: 0)
      + Frame.open(Open(session: session, size: .standard)).bytes(stream: 1)
    try router.send(WebSocketMessage.bytes(WebSocketMessage.binary, both))
    guard case .linkOpen(let open) = router.nodeHeard(1).first else {
      Issue.record("the node heard no OPEN")
      return
    }
    #expect(open.client == ClientID("c"))
    #expect(open.access == .open)
    #expect(open.from == "local" || open.from == "127.0.0.1")
  }

  // MARK: Errors that end the connection

  @Test(
    "a frame that is not for a client to send",
    arguments: [
      .output(offset: 0, ByteBuffer()), .inputAck(offset: 1), .hello(Hello(client: ClientID("c"))),
      ScriptedNode.opened(SessionID(unchecked: "s")), .refused(Refused(.gone, "")),
      .welcome(Welcome(time: 0)), .event(.paused), .resized(offset: 0, .standard),
      .ended(Ended(reason: .exited, status: nil)),
      .linkOpen(
        LinkOpen(
          client: ClientID(unchecked: "victim"), access: .open, from: "::1",
          open: Open(session: SessionID("s"), size: .standard))),
      .request(LinkRequest(id: 1, method: .kill, session: SessionID("s"))),
      .response(LinkResponse(id: 1, isLast: true)),
    ] as [Frame])
  func serverFrames(frame: Frame) throws {
    try router.greet()
    try router.open()
    let before = router.node.received.count
    try router.send(frame, stream: 1)
    try expectEnd("unexpected", "\(frame.type) is not for a client")
    #expect(router.node.received.dropFirst(before).allSatisfy { $0.frame.type == .close })
  }

  @Test(
    "a frame for a stream that was never opened",
    arguments: [
      .input(offset: 0, ByteBuffer()), .outputAck(offset: 0, consumed: 0), .kill, .take,
      .resize(.standard), .colors(ThemeColors()), .close(.done),
    ] as [Frame], [0, 2, 1 << 40] as [UInt64])
  func unknownStream(frame: Frame, stream: UInt64) throws {
    try router.greet()
    try router.open()
    try router.send(frame, stream: stream)
    try expectEnd("unexpected", "never opened")
  }

  @Test(arguments: [0, 1, 4, 5] as [UInt64]) func streamNumbersOnlyRise(number: UInt64) throws {
    try router.greet()
    try router.open(stream: 5)
    try router.send(.open(Open(session: session, size: .standard)), stream: number)
    try expectEnd("unexpected", "stream \(number)")
  }

  @Test(
    "bytes that are no frame",
    arguments: [
      ("malformed", [0x00]), ("malformed", [3, 0x13, 1, 0x7B]), ("unknown_type", [2, 0x3F, 1]),
      ("frame_too_long", [0x80, 0xFF, 0xFF, 0xFF]),
    ] as [(String, [UInt8])])
  func noFrame(code: String, bytes: [UInt8]) throws {
    try router.greet()
    try router.send(WebSocketMessage.bytes(WebSocketMessage.binary, bytes))
    try expectEnd(code, "")
  }

  @Test func aReasonIsShortHoweverLongWhatItQuotes() throws {
    try router.greet()
    let key = String(repeating: "e\u{301}", count: 2_000)
    let body = Array(#"{"\#(key)":1}"#.utf8)
    var frame = ByteBuffer()
    frame.writeVarint(UInt64(body.count + 2))
    // A CLOSE without a reason.
    frame.writeBytes([0x13, 1] + body)
    try router.send(
      WebSocketMessage.bytes(WebSocketMessage.binary, Array(frame.readableBytesView)))
    try expectEnd("malformed", "close")
    #expect(router.messages.last.map { $0.payload.count <= 125 } == true)
  }

  // MARK: Errors that end the stream

  @Test func the65thStreamIsTooManyAndTheOthersGoOn() throws {
    try router.greet()
    for number in 1...64 { try router.open(stream: UInt64(number)) }
    try router.send(.open(Open(session: session, size: .standard)), stream: 65)
    guard case .refused(let refusal) = try router.frames(stream: 65).first else {
      Issue.record("not refused")
      return
    }
    #expect(refusal.code == .tooMany)
    // One leaves, and there is room.
    try router.send(.close(.done), stream: 1)
    try router.open(stream: 66)
    #expect(try router.frames(stream: 66).map(\.type) == [.opened])
  }

  private func expectClose(_ reason: String) throws {
    #expect(try router.frames(stream: 1).last == .close(Close(.init(rawValue: reason))))
    #expect(router.nodeHeard(1).last.map { $0.type == .close } ?? true)
    try router.send(.input(offset: 0, ByteBuffer(string: "x")), stream: 1)
    #expect(router.channel.isActive, "frames for a closed stream are ignored")
    #expect(router.closing == nil)
  }

  @Test func inputBeforeOpened() throws {
    try router.greet()
    router.know(session)
    try router.send(.open(Open(session: session, size: .standard)), stream: 1)
    try router.send(.input(offset: 0, ByteBuffer(string: "x")), stream: 1)
    try expectClose("input_before_opened")
  }

  @Test func anAcknowledgementOfWhatWasNeverSent() throws {
    try router.greet()
    try router.open()
    router.node.send(.output(offset: 0, ByteBuffer(string: "abc")), stream: 1)
    router.loop.run()
    try router.send(.outputAck(offset: 3, consumed: 3), stream: 1)
    #expect(router.nodeHeard(1).last == .outputAck(offset: 3, consumed: 3))
    try router.send(.outputAck(offset: 4, consumed: 4), stream: 1)
    try expectClose("bad_ack")
  }

  @Test(arguments: [(0, 1), (1, 0), (1_001, 1), (1, 1_001), (Int(UInt32.max), 1)])
  func aSizeOutOfRange(columns: Int, rows: Int) throws {
    try router.greet()
    try router.open()
    try router.send(.resize(TerminalSize(columns: columns, rows: rows)), stream: 1)
    try expectClose("bad_size")
  }

  /// A user's word, such as a container's name, ends no other terminal of the page.
  @Test func anOpenThatIsNotUnderstoodIsRefused() throws {
    try router.greet()
    try router.open()
    let body = Array(#"{"create":{"target":"docker:a b"}}"#.utf8)
    try router.send(
      WebSocketMessage.bytes(
        WebSocketMessage.binary, [UInt8(body.count + 2), 0x10, 2] + body))
    guard case .refused(let refusal) = try router.frames(stream: 2).first else {
      Issue.record("not refused")
      return
    }
    #expect(refusal.code == .badRequest)
    #expect(refusal.message.contains("create.target"))
    #expect(refusal.retry == nil)
    #expect(router.channel.isActive)
    try router.open(SessionID(unchecked: "t"), stream: 3)
    #expect(try router.frames(stream: 3).first?.type == .opened)
  }

  @Test func anOpenWithAProblemIsRefusedWithIt() throws {
    try router.greet()
    try router.send(.open(Open(session: nil, size: .standard)), stream: 1)
    guard case .refused(let refusal) = try router.frames(stream: 1).first else {
      Issue.record("not refused")
      return
    }
    #expect(refusal.code == .badRequest)
    #expect(refusal.message.contains("what to create"))
    #expect(router.channel.isActive)
  }

  @Test func aStreamOfAnotherKindIsRefusedAndTheConnectionLivesOn() throws {
    try router.greet()
    let heard = router.node.received.count
    let open = Open(kind: StreamKind(rawValue: "channel"), session: nil, size: .standard)
    try router.send(.open(open), stream: 1)
    guard case .refused(let refusal) = try router.frames(stream: 1).first else {
      Issue.record("not refused")
      return
    }
    #expect(refusal.code == .unknownKind && refusal.retry == nil)
    #expect(refusal.message.contains("channel"))
    #expect(router.node.received.count == heard)
    #expect(router.channel.isActive)
    try router.open(stream: 3)
    #expect(try router.frames(stream: 3).first?.type == .opened)
  }

  @Test func theNodeHearsWhenAClientLeavesAndItsSessionStays() throws {
    try router.greet()
    try router.open()
    _ = try router.channel.finish()
    router.loop.run()
    #expect(router.nodeHeard(1).last == .close(.disconnected))
  }
}

@Suite struct SlowClientTests {
  let router: EmbeddedRouter

  init() throws { router = try EmbeddedRouter() }

  private func setWritable(_ isWritable: Bool) {
    router.channel.isWritable = isWritable
    router.channel.pipeline.fireChannelWritabilityChanged()
    router.loop.run()
  }

  @Test func anEchoDoesNotWaitBehindAFlood() throws {
    try router.greet()
    try router.open(SessionID(unchecked: "flood"), stream: 1)
    try router.open(SessionID(unchecked: "echo"), stream: 2)
    setWritable(false)
    let piece = ByteBuffer(repeating: 0x78, count: WireLimits.dataPayload)
    for number in 0..<16 {
      router.node.send(
        .output(offset: UInt64(number * WireLimits.dataPayload), piece), stream: 1)
    }
    router.node.send(.output(offset: 0, ByteBuffer(string: "echo")), stream: 2)
    router.loop.run()
    setWritable(true)
    let order = try WebSocketMessage.frames(router.messages).filter { $0.frame.type == .output }
    #expect(order.count == 17)
    #expect(order.firstIndex { $0.stream == 2 } == 1, "by turns")
  }

  @Test func whatWaitsIsJoinedAndInOrder() throws {
    try router.greet()
    try router.open()
    setWritable(false)
    var expected = ""
    for number in 0..<1_000 {
      let text = "\(number) "
      router.node.send(
        .output(offset: UInt64(expected.utf8.count), ByteBuffer(string: text)), stream: 1)
      expected += text
      router.loop.run()
    }
    setWritable(true)
    let frames = try router.frames(stream: 1).filter { $0.type == .output }
    #expect(frames.count == 1)
    #expect(frames == [.output(offset: 0, ByteBuffer(string: expected))])
  }

  @Test func whatIsJoinedStaysAFrameAndCrossesNoSizeChange() throws {
    try router.greet()
    try router.open()
    setWritable(false)
    let piece = 1_000
    var offset = 0
    func send(_ count: Int) {
      for _ in 0..<count {
        router.node.send(
          .output(offset: UInt64(offset), Pattern.bytes(at: offset, count: piece)), stream: 1)
        offset += piece
      }
    }
    send(20)
    let size = TerminalSize(columns: 90, rows: 30)
    router.node.send(.resized(offset: UInt64(offset), size), stream: 1)
    send(3)
    router.loop.run()
    setWritable(true)
    let frames = try router.frames(stream: 1).dropFirst()
    let most = WireLimits.dataPayload / piece * piece
    #expect(
      Array(frames) == [
        .output(offset: 0, Pattern.bytes(at: 0, count: most)),
        .output(offset: UInt64(most), Pattern.bytes(at: most, count: 20 * piece - most)),
        .resized(offset: UInt64(20 * piece), size),
        .output(offset: UInt64(20 * piece), Pattern.bytes(at: 20 * piece, count: 3 * piece)),
      ])
  }

  @Test func aHiddenTabThatAnswersPINGIsNotAStuckClient() throws {
    try router.greet()
    try router.open()
    router.node.send(.output(offset: 0, Pattern.bytes(at: 0, count: 16_000)), stream: 1)
    router.loop.run()
    // Its timers hardly run: it acknowledges nothing for ten minutes, but its browser answers.
    for _ in 0..<60 {
      router.loop.advanceTime(by: RouterLimits.pingInterval)
      #expect(router.messages.last?.opcode == WebSocketMessage.ping)
      try router.send(WebSocketMessage.bytes(WebSocketMessage.pong, []))
    }
    #expect(router.channel.isActive)
    #expect(router.nodeHeard(1).map(\.type) == [.linkOpen], "nor does its node hear of it")
    try router.send(.outputAck(offset: 16_000, consumed: 16_000), stream: 1)
    #expect(router.nodeHeard(1).last == .outputAck(offset: 16_000, consumed: 16_000))
  }

  @Test func aClientThatNeverReadsIsCut() throws {
    try router.greet()
    try router.open()
    setWritable(false)
    for _ in 0..<RouterLimits.unsentFrames {
      router.node.send(.event(.title("x")), stream: 1)
    }
    router.loop.run()
    #expect(router.routerLoop.clientCount == 1)
    router.node.send(.event(.title("x")), stream: 1)
    router.loop.run()
    #expect(router.routerLoop.clientCount == 0)
    #expect(router.nodeHeard(1).last?.type == .close)
    router.loop.advanceTime(by: .seconds(1))
    #expect(!router.channel.isActive)
  }

  @Test func answersThatAreNeverReadEndTheConnection() throws {
    try router.greet()
    setWritable(false)
    let pings = (0..<1_000).flatMap { Frame.ping(UInt64($0)).bytes(stream: 0) }
    var sent = 0
    while router.routerLoop.clientCount == 1, sent < 1_000 {
      try router.send(WebSocketMessage.bytes(WebSocketMessage.binary, pings))
      sent += 1
    }
    #expect(router.routerLoop.clientCount == 0)
    #expect(sent * pings.count <= RouterLimits.unsentAnswers + 2 * pings.count)
  }
}
