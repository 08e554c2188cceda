// The client's side of a stream: it resumes at the byte where it left off, resends what was not
// acknowledged and nothing else, and gives credit for what was consumed (promises P1, P2).

import NIOCore
import Testing
import Wire

@testable import Client

@Suite struct ClientStreamTests {
  let life = Life(rawValue: 7)

  func opened(
    _ resumed: Opened.Resumed, output: UInt64 = 0, input: UInt64 = 0, life: Life? = nil,
    inDoubt: Bool? = nil
  ) -> Frame {
    .opened(
      Opened(
        session: SessionID(unchecked: "s"), life: life ?? self.life, epoch: Epoch(1),
        created: resumed == .new, resumed: resumed, output: output, input: input,
        inDoubt: inDoubt, size: .standard, mode: .driver))
  }

  func live() throws -> ClientStream {
    var stream = ClientStream(
      Open(session: SessionID(unchecked: "s"), create: Creation(), size: .standard))
    _ = stream.begin()
    _ = try stream.receive(opened(.new))
    return stream
  }

  func sent(_ actions: [ClientStream.Action]) -> [Frame] {
    actions.compactMap { if case .send(let frame) = $0 { frame } else { nil } }
  }

  func told(_ actions: [ClientStream.Action]) -> [TerminalEvent] {
    actions.compactMap { if case .emit(let event) = $0 { event } else { nil } }
  }

  func open(_ frame: Frame) throws -> Open {
    guard case .open(let open) = frame else { throw WireError(.unexpected, "no OPEN") }
    return open
  }

  func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

  @Test func anOpenThatResumesIsNotExclusive() throws {
    var stream = ClientStream(
      Open(session: nil, create: Creation(), size: .standard, exclusive: true))
    _ = stream.begin()
    _ = try stream.receive(opened(.new))
    let resume = try open(stream.begin())
    #expect(resume.exclusive == nil && resume.problem == nil)
  }

  @Test func aSessionIsNamedBeforeItIsCreatedSoThatTwoOpensCreateOne() throws {
    var stream = ClientStream(Open(session: nil, create: Creation(), size: .standard))
    let first = try open(stream.begin())
    let second = try open(stream.begin())
    #expect(first.session == stream.session)
    #expect(second.session == stream.session)
    #expect(second.create != nil)
  }

  /// Promise P10: what nobody will have typed is told with the end.
  @Test func aStreamThatIsRefusedTellsWhatWasTypedInVain() throws {
    var stream = try live()
    _ = stream.type(bytes("echo hi\n"))
    _ = stream.begin()
    _ = stream.type(bytes("ls\n"))
    let refused = Refused(.lost, "lost")
    #expect(
      told(try stream.receive(.refused(refused)))
        == [.inDoubt(bytes("echo hi\nls\n")), .refused(refused)])
  }

  @Test func whatWasLostIsToldOnceAndStartedAnewWhereThatIsWanted() throws {
    let creating = Open(
      session: SessionID(unchecked: "s"), create: Creation(), size: .standard, exclusive: true)
    let lost = Refused(.lost, "lost")
    var stream = ClientStream(creating, startsAnew: true)
    _ = stream.begin()
    _ = stream.type(bytes("ls\n"))
    #expect(try stream.receive(.refused(lost)) == [.emit(.lost(lost)), .openAgain])
    #expect(try open(stream.begin()).create != nil)
    let actions = try stream.receive(opened(.new))
    #expect(sent(actions) == [.input(offset: 0, bytes("ls\n"))])
    #expect(
      told(try stream.receive(.refused(lost))).contains(.refused(lost)), "it ran: that is an end")
    var strict = ClientStream(creating)
    _ = strict.begin()
    #expect(told(try strict.receive(.refused(lost))) == [.refused(lost)])
  }

  @Test func aResumeGoesOnAtTheNextByteAndNeverCreates() throws {
    var stream = try live()
    let actions = try stream.receive(.output(offset: 0, bytes("hello")))
    #expect(told(actions) == [.output(offset: 0, bytes("hello"))])
    let resume = try open(stream.begin())
    #expect(resume.create == nil)
    #expect(resume.resume == Resume(life: life, next: 5, input: 0))
    _ = try stream.receive(opened(.exact, output: 5))
    _ = try stream.receive(.output(offset: 5, bytes("!")))
    #expect(stream.next == 6)
  }

  @Test(arguments: [3, 6] as [UInt64]) func outputElsewhereIsAProtocolError(offset: UInt64) throws {
    var stream = try live()
    _ = try stream.receive(.output(offset: 0, bytes("hello")))
    #expect(throws: WireError.self) { try stream.receive(.output(offset: offset, bytes("x"))) }
  }

  @Test func onlyUnacknowledgedInputIsSentAgain() throws {
    var stream = try live()
    #expect(sent(stream.type(bytes("abcdef"))) == [.input(offset: 0, bytes("abcdef"))])
    _ = try stream.receive(.inputAck(offset: 2))
    let resume = try open(stream.begin())
    #expect(resume.resume?.input == 2)
    #expect(stream.type(bytes("g")).isEmpty)
    let actions = try stream.receive(opened(.exact, output: 0, input: 4))
    #expect(sent(actions) == [.input(offset: 4, bytes("efg"))])
  }

  @Test func aSecondOpenedOnTheSameStreamSendsAgainToo() throws {
    var stream = try live()
    _ = stream.type(bytes("abc"))
    #expect(try told(stream.receive(.event(.paused))) == [.state(.paused)])
    #expect(stream.type(bytes("d")).isEmpty)
    let actions = try stream.receive(opened(.exact, output: 0, input: 1))
    #expect(sent(actions) == [.input(offset: 1, bytes("bcd"))])
  }

  @Test func anotherLifeMakesUnacknowledgedInputDoubtful() throws {
    var stream = try live()
    _ = stream.type(bytes("rm -rf x\n"))
    _ = try stream.receive(.inputAck(offset: 3))
    _ = stream.begin()
    let actions = try stream.receive(
      opened(.snapshot, output: 0, input: 0, life: Life(rawValue: 8)))
    #expect(told(actions).contains(.inDoubt(bytes("-rf x\n"))))
    #expect(sent(actions).isEmpty)
    #expect(sent(stream.type(bytes("y"))) == [.input(offset: 0, bytes("y"))])
  }

  @Test func whatTheServerDoubtsIsReportedAndDropped() throws {
    var stream = try live()
    _ = stream.type(bytes("abc"))
    _ = stream.begin()
    let actions = try stream.receive(opened(.exact, output: 0, input: 2, inDoubt: true))
    #expect(told(actions).contains(.inDoubt(bytes("abc"))))
    #expect(sent(stream.type(bytes("d"))) == [.input(offset: 2, bytes("d"))])
  }

  @Test func aLongPasteWaits() throws {
    var stream = try live()
    let paste = ByteBuffer(repeating: 0x61, count: 100_000)
    let first = sent(stream.type(paste)).reduce(0) { $0 + inputBytes($1) }
    // But for what an interrupt may need.
    let most = WireLimits.inputInFlight - ClientLimits.reserve
    #expect(first == most)
    let second = try sent(stream.receive(.inputAck(offset: 20_000)))
    #expect(second.reduce(0) { $0 + inputBytes($1) } == 20_000)
    #expect(stream.waitingInput == 100_000 - most - 20_000)
  }

  /// As a terminal does with what was typed before an interrupt; what was sent may have arrived, and stays.
  @Test func anInterruptTakesThePlaceOfWhatWasNotSent() throws {
    var stream = try live()
    _ = stream.type(ByteBuffer(repeating: 0x61, count: 100_000))
    let most = WireLimits.inputInFlight - ClientLimits.reserve
    let actions = stream.interrupt(bytes("\u{3}"))
    #expect(told(actions) == [.notTyped(bytes: 100_000 - most, because: .interrupted)])
    // It does not wait for the paste to be acknowledged.
    #expect(sent(actions) == [.input(offset: UInt64(most), bytes("\u{3}"))])
    #expect(stream.waitingInput == 0)
    // What is typed behind it does, and is no part of its frame.
    #expect(stream.type(bytes("ls")).isEmpty)
    let next = try sent(stream.receive(.inputAck(offset: 1_000)))
    #expect(next == [.input(offset: UInt64(most) + 1, bytes("ls"))])
  }

  @Test func anInterruptBeforeThereIsAConnectionHasAFrameOfItsOwn() throws {
    var stream = try live()
    _ = stream.begin()
    _ = stream.type(bytes("make"))
    #expect(told(stream.interrupt(bytes("\u{3}"))) == [.notTyped(bytes: 4, because: .interrupted)])
    #expect(told(stream.interrupt(bytes("\u{1c}"))).isEmpty, "one does not take another's place")
    _ = stream.type(bytes("ls"))
    #expect(
      try sent(stream.receive(opened(.new))) == [
        .input(offset: 0, bytes("\u{3}")), .input(offset: 1, bytes("\u{1c}")),
        .input(offset: 2, bytes("ls")),
      ])
  }

  /// What follows an interrupt is not read as the rest of what it cut.
  @Test(arguments: [
    ("\u{1B}[200~abc", "def\u{1B}[201~x", "\u{1B}[201~"), ("abc\u{1B}[1;", "5Cdef", "5C"),
    ("abc\u{1B}", "[Adef", "[A"), ("ab\u{1B}[20", "1~\u{1B}[200~x\u{1B}[201~", "1~"),
    ("abc", "\u{1B}[Adef", ""),
    ("\u{1B}O", "Px", "P"), ("\u{1B}", "\u{1B}[A", ""), ("\u{1B}[A", "bc", ""),
    ("ab", "\u{1B}[200~c\u{1B}[201~", ""),
  ]) func anInterruptCutsNoKeyAndClosesAPastesFrame(sent typed: String, waits: String, kept: String)
    throws
  {
    var input = InputBuffer()
    _ = try input.opened(at: 0, isInDoubt: false)
    let most = WireLimits.inputInFlight - ClientLimits.reserve
    let first = String(repeating: "a", count: most - typed.utf8.count) + typed
    _ = input.append(ByteBuffer(string: first))
    while input.next() != nil {}
    _ = input.append(ByteBuffer(string: waits))
    let rest = max(0, waits.utf8.count - kept.utf8.count)
    let dropped = input.interrupt(bytes("\u{3}"))
    #expect(dropped == rest)
    var sent = ByteBuffer()
    while case .input(_, let piece)? = input.next() { sent.writeImmutableBuffer(piece) }
    #expect(sent == bytes(kept + "\u{3}"))
  }

  @Test func anInterruptWithNothingQueuedIsAKey() throws {
    var stream = try live()
    #expect(stream.interrupt(bytes("\u{3}")) == [.send(.input(offset: 0, bytes("\u{3}")))])
  }

  /// The server claims input that was never sent; what else its OPENED says is not believed either.
  @Test func anOpenedThatIsNotBelievedChangesNothing() throws {
    var stream = try live()
    _ = try stream.receive(.output(offset: 0, bytes("hello")))
    _ = stream.type(ByteBuffer(repeating: 0x61, count: 100_000))
    _ = stream.begin()
    for input in [UInt64(WireLimits.inputInFlight) + 1, Varint.maximum] {
      #expect(throws: WireError.self) {
        try stream.receive(opened(.new, output: 900, input: input))
      }
      #expect(stream.next == 5)
      #expect(try open(stream.begin()).resume == Resume(life: life, next: 5, input: 0))
    }
  }

  /// Promise P10: and what arrives has no gap, so that nothing is typed without its beginning.
  @Test func whatIsTooMuchIsRefusedAndSaid() throws {
    var stream = try live()
    let paste = ByteBuffer(repeating: 0x61, count: ClientLimits.input - 10)
    #expect(told(stream.type(paste)).isEmpty)
    #expect(told(stream.type(bytes("0123456789"))).isEmpty)
    for refused in ["x", "yz"] {
      #expect(
        told(stream.type(bytes(refused)))
          == [.notTyped(bytes: refused.utf8.count, because: .tooMuchWaits)])
    }
    // There is room again; but between that and what waits, something is missing.
    _ = try stream.receive(.inputAck(offset: 10_000))
    #expect(
      told(stream.type(bytes("echo"))) == [.notTyped(bytes: 4, because: .tooMuchWaits)])
    #expect(
      told(stream.interrupt(bytes("\u{3}"))).contains {
        if case .notTyped(_, .interrupted) = $0 { true } else { false }
      })
    #expect(told(stream.type(bytes("echo"))).isEmpty)
  }

  @Test func whatIsResentBeginsWhereItArrived() throws {
    var stream = try live()
    let text = (0..<30_000).map { "\($0)," }.joined()
    for piece in stride(from: 0, to: text.utf8.count, by: 1_000) {
      _ = stream.type(ByteBuffer(bytes: text.utf8.dropFirst(piece).prefix(1_000)))
    }
    _ = try stream.receive(.inputAck(offset: 12_345))
    _ = stream.begin()
    // The node had accepted more than it has written.
    var typed = try sent(stream.receive(opened(.exact, output: 0, input: 54_321)))
    var arrived = 54_321
    while arrived < text.utf8.count {
      for case .input(let offset, let piece) in typed {
        #expect(offset == UInt64(arrived))
        #expect(
          piece.readableBytesView.elementsEqual(
            text.utf8.dropFirst(arrived).prefix(piece.readableBytes)))
        arrived += piece.readableBytes
      }
      typed = try sent(stream.receive(.inputAck(offset: UInt64(arrived))))
    }
    #expect(stream.unacknowledgedInput == 0)
  }

  func inputBytes(_ frame: Frame) -> Int {
    if case .input(_, let bytes) = frame { bytes.readableBytes } else { 0 }
  }

  @Test func creditIsGivenAtHalfAWindowAndWithInputAndSoonWhenAllIsConsumed() throws {
    var stream = try live()
    let piece = ByteBuffer(repeating: 0x61, count: 16_000)
    for index in 0..<4 { _ = try stream.receive(.output(offset: UInt64(index * 16_000), piece)) }
    #expect(stream.consume(16_000).isEmpty)
    #expect(stream.consume(16_000).isEmpty)
    #expect(
      stream.consume(16_000) == [.send(.outputAck(offset: 64_000, consumed: 48_000))])
    #expect(stream.consume(15_000).isEmpty)
    #expect(stream.consume(1_000) == [.acknowledgeSoon])
    var typing = stream
    #expect(
      sent(typing.type(bytes("k"))) == [
        .outputAck(offset: 64_000, consumed: 64_000), .input(offset: 0, bytes("k")),
      ])
    #expect(typing.acknowledge().isEmpty)
    #expect(stream.acknowledge() == [.send(.outputAck(offset: 64_000, consumed: 64_000))])
  }

  @Test func theCountBeginsAnewWithEachOpenAndLateConsumptionIsNotCounted() throws {
    var stream = try live()
    _ = try stream.receive(.output(offset: 0, bytes("hello")))
    _ = stream.begin()
    _ = try stream.receive(opened(.exact, output: 5))
    _ = try stream.receive(.output(offset: 5, bytes("abc")))
    #expect(stream.consume(5).isEmpty)
    #expect(stream.consume(3) == [.acknowledgeSoon])
    #expect(stream.acknowledge() == [.send(.outputAck(offset: 8, consumed: 3))])
  }

  /// Else the server waits for credit, and the client for output, for good (P7).
  @Test func whatIsConsumedDuringAPauseIsAcknowledgedWhenItIsOver() throws {
    var stream = try live()
    _ = try stream.receive(.output(offset: 0, bytes("hello")))
    _ = try stream.receive(.event(.paused))
    #expect(stream.consume(5).isEmpty)
    let actions = try stream.receive(opened(.exact, output: 5))
    #expect(actions.contains(.acknowledgeSoon))
    #expect(stream.acknowledge() == [.send(.outputAck(offset: 5, consumed: 5))])
  }

  @Test func aSnapshotIsToldWholeAndItsPartsGiveCredit() throws {
    var stream = try live()
    func part(_ first: Bool, _ last: Bool) -> Frame {
      .snapshot(
        SnapshotPart(
          id: 1, isFirst: first, isLast: last, offset: 90, size: .standard,
          bytes: ByteBuffer(repeating: 0x20, count: 20_000)))
    }
    #expect(try sent(stream.receive(part(true, false))) == [])
    // Cut here, there is no screen to go on from.
    var cut = stream
    #expect(try open(cut.begin()).resume == Resume(life: life, next: nil, input: 0))
    #expect(
      try sent(stream.receive(part(false, false))) == [
        .outputAck(offset: 0, consumed: 40_000)
      ])
    let whole = ByteBuffer(repeating: 0x20, count: 60_000)
    #expect(
      try stream.receive(part(false, true))
        == [.emit(.snapshot(offset: 90, size: .standard, whole))])
    #expect(stream.consume(60_000) == [.acknowledgeSoon])
    _ = try stream.receive(.output(offset: 90, bytes("x")))
    #expect(stream.next == 91)
  }

  @Test func aRefusalWithRetryIsTriedAgainAndOthersAreFinal() throws {
    var stream = ClientStream(Open(session: SessionID(unchecked: "s"), size: .standard))
    _ = stream.begin()
    #expect(
      try stream.receive(.refused(Refused(.unavailable, "wait", retry: 300)))
        == [.reopen(afterMilliseconds: 300, reason: "wait")])
    _ = stream.begin()
    let gone = Refused(.gone, "it has ended")
    #expect(try stream.receive(.refused(gone)) == [.emit(.refused(gone)), .finish])
    #expect(stream.isOver)
  }

  @Test func aTakeThatItsConnectionMayHaveTakenAlongIsSentAgain() throws {
    let client = ClientID.random()
    var stream = ClientStream(
      Open(session: SessionID(unchecked: "s"), create: Creation(), size: .standard), of: client)
    _ = stream.begin()
    _ = try stream.receive(opened(.new))
    #expect(sent(stream.take()) == [.take])
    _ = stream.begin()
    #expect(try sent(stream.receive(opened(.exact))) == [.take])
    _ = try stream.receive(.event(.sizeOwner(client)))
    _ = stream.begin()
    #expect(try sent(stream.receive(opened(.exact))).isEmpty)
  }

  @Test func sizeAndEndSurviveAReconnect() throws {
    var stream = try live()
    _ = stream.begin()
    #expect(stream.resize(TerminalSize(columns: 100, rows: 30)).isEmpty)
    #expect(stream.kill().isEmpty)
    #expect(try open(stream.begin()).size == TerminalSize(columns: 100, rows: 30))
    #expect(try sent(stream.receive(opened(.exact, output: 0))) == [.kill])
  }
}

@Suite struct EndpointTests {
  @Test(arguments: [
    ("http://127.0.0.1:7070", "http://127.0.0.1:7070"), ("ws://h/", "http://h:80"),
    ("http://[::1]:9/a/b/", "http://[::1]:9/a/b"), ("HTTP://x:1", "http://x:1"),
    ("https://h/a", "https://h:443/a"), ("wss://h:8443", "https://h:8443"),
  ]) func urlsAreRead(text: String, endpoint: String) throws {
    #expect(try Endpoint(text).description == endpoint)
  }

  @Test(arguments: [
    "", "localhost:7070", "http://", "http://h:0", "http://h:x", "http://h/?a",
    "http://a b", "ftp://h",
  ]) func othersAreNot(text: String) {
    #expect(throws: ClientError.self) { try Endpoint(text) }
  }
}

@Suite struct ReconnectingTests {
  @Test func atOnceThenDoublingUpToTenSeconds() {
    var reconnecting = Reconnecting()
    let largest: (ClosedRange<Double>) -> Double = { $0.upperBound }
    #expect(reconnecting.next(lasted: .seconds(60), random: largest) == .zero)
    let delays = (0..<8).map { _ in reconnecting.next(lasted: nil, random: largest) }
    #expect(delays.first == .milliseconds(500))
    #expect(delays.last == .seconds(10))
    #expect(reconnecting.next(lasted: .milliseconds(5), random: largest) == .seconds(10))
    #expect(reconnecting.next(lasted: .seconds(2), random: largest) == .zero)
  }

  @Test func aFirstAttemptThatFailsWaits() {
    var reconnecting = Reconnecting()
    #expect(reconnecting.next(lasted: nil, random: { $0.upperBound }) == .milliseconds(250))
  }
}
