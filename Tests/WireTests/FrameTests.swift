// The framing of fairlead.v1: what is written is read back, whatever the pieces it arrives in, and
// what is malformed ends in the error that docs/protocol.md gives it (promise P9).

import NIOCore
import Testing
import Wire

/// One frame of every type, with every field set.
let everyFrame: [Frame] = {
  let size = TerminalSize(columns: 120, rows: 40)
  let client = ClientID(unchecked: "tab-1")
  let session = SessionID(unchecked: "s_1")
  let open = Open(
    session: session,
    create: Creation(
      target: Target(unchecked: "docker:web"), command: ["sh", "-c", "echo \"hi\""],
      environment: ["LANG": "C.UTF-8", "EMPTY": ""], workingDirectory: "/tmp",
      user: UserName("www-data"), idle: .never, keep: .seconds(90), timeout: .seconds(86_400)),
    size: size, mode: .watcher,
    colors: ThemeColors(foreground: "#ffffff", background: "#000000", cursor: "#ff0000"),
    exclusive: true)
  let resuming = Open(
    session: session, resume: Resume(life: Life(rawValue: 7), next: 9, input: 11), size: size)
  let summary = SessionSummary(
    session: session, node: "a", life: Life(rawValue: 7), epoch: Epoch(3), target: "pty",
    command: ["sh"], user: UserName("0"), state: .ended, status: .signalled(number: 9),
    reason: .idle, ended: 5,
    size: size, title: "vi", created: 1, idle: 2, output: 3, input: 4,
    viewers: [.init(client: client, mode: .driver, sub: "ann")])
  return [
    .hello(Hello(client: client, token: "t", router: "r", cluster: "c")),
    .welcome(Welcome(time: 1_700_000_000_000, node: "a", incarnation: Incarnation(rawValue: 5))),
    .goAway(GoAway(reason: "restart", within: 1_000, spread: 500)),
    .ping(0x0102_0304_0506_0708), .pong(.max),
    .token(Renewal(token: "t", within: 1, expires: 2)), .open(open), .open(resuming),
    .opened(
      Opened(
        session: session, life: Life(rawValue: .max), epoch: Epoch(1), created: true,
        resumed: .snapshot, output: Varint.maximum, input: 5, inDoubt: true, size: size,
        mode: .driver, mayKill: true, state: .ended, differs: ["owner", "command"])),
    .refused(Refused(.gone, "it ended", retry: 5, status: .exited(code: 3))),
    .refused(Refused(.exists, "it exists", state: .running, differs: ["env"])),
    .close(.superseded), .kill,
    .ended(Ended(reason: .exited, status: .signalled(number: 15), message: "terminated")),
    .event(
      .viewers([.init(client: client, mode: .watcher, sub: "ann")], sizeOwner: client)),
    .event(.title("vi")), .event(.stalled("why")), .event(.stalled(nil)),
    .resize(size), .resized(offset: 70_000, size), .take,
    .colors(ThemeColors(background: "#fdfcf9")),
    .output(offset: 70_000, ByteBuffer(string: "hello")), .output(offset: 0, ByteBuffer()),
    .output(offset: 1, ByteBuffer(repeating: 0xFF, count: WireLimits.dataPayload)),
    .snapshot(
      SnapshotPart(
        id: 1, isFirst: true, isLast: false, offset: 1 << 40, size: size,
        bytes: ByteBuffer(string: "\u{1B}c"))),
    .snapshot(
      SnapshotPart(id: 1, isFirst: false, isLast: true, offset: 5, size: size, bytes: ByteBuffer())),
    .outputAck(offset: 5, consumed: 1 << 40), .input(offset: 3, ByteBuffer(string: "ls\r")),
    .inputAck(offset: Varint.maximum),
    .linkOpen(
      LinkOpen(
        client: client,
        access: Access(
          subject: "a", rights: .admin, asCreator: nil, names: true, namesAsCreator: true),
        from: "::1", incarnation: Incarnation(rawValue: 5), epoch: Epoch(2), sent: 9, consumed: 8,
        again: true, open: resuming)),
    .request(
      LinkRequest(id: 1, method: .screen, session: session, format: .ansi, scrollback: 100)),
    .response(
      LinkResponse(id: 1, isLast: true, sessions: [summary], text: "x", error: .notFound)),
  ]
}()

func decode(_ bytes: [UInt8]) throws -> [(stream: UInt64, frame: Frame)] {
  var decoder = FrameDecoder()
  decoder.append(ByteBuffer(bytes: bytes))
  var frames: [(stream: UInt64, frame: Frame)] = []
  while let next = try decoder.next() { frames.append(next) }
  return frames
}

/// The code of the error that `bytes` end in.
func errorCode(_ bytes: [UInt8]) -> WireError.Code? {
  do {
    _ = try decode(bytes)
    return nil
  } catch {
    return (error as? WireError)?.code
  }
}

@Suite struct FrameTests {
  @Test func everyTypeIsCoveredHere() {
    #expect(Set(everyFrame.map(\.type)) == Set(FrameType.allCases))
  }

  @Test(
    "every frame survives, on any stream, in any pieces",
    arguments: [1, 2, 3, 7, 1_000, 20_000])
  func pieces(size: Int) throws {
    let streams: [UInt64] = [0, 1, 63, 64, 20_000, Varint.maximum]
    var wire = ByteBuffer()
    for (number, frame) in everyFrame.enumerated() {
      wire.writeFrame(frame, stream: streams[number % streams.count])
    }
    var decoder = FrameDecoder()
    var read: [Frame] = []
    while let piece = wire.readSlice(length: min(size, wire.readableBytes)),
      piece.readableBytes > 0
    {
      decoder.append(piece)
      while let (stream, frame) = try decoder.next() {
        #expect(stream == streams[read.count % streams.count])
        read.append(frame)
      }
    }
    #expect(read == everyFrame)
    #expect(decoder.bufferedBytes == 0)
  }

  @Test func theExamplesOfTheProtocolPageAreExact() throws {
    var ping = ByteBuffer()
    ping.writeFrame(.ping(0x0102_0304_0506_0708), stream: 0)
    #expect(Array(ping.readableBytesView) == [0x0A, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    var input = ByteBuffer()
    input.writeFrame(.input(offset: 5, ByteBuffer(string: "ls\n")), stream: 1)
    #expect(Array(input.readableBytesView) == [0x06, 0x23, 0x01, 0x05, 0x6C, 0x73, 0x0A])
  }

  @Test(
    "each layout of the protocol page, byte by byte",
    arguments: [
      (.kill, [2, 0x14, 1]), (.take, [2, 0x19, 1]),
      (.resize(TerminalSize(columns: 80, rows: 24)), [5, 0x17, 1, 0x40, 80, 24]),
      (
        .resized(offset: 3, TerminalSize(columns: 50, rows: 24)), [5, 0x18, 1, 3, 50, 24]
      ),
      (.outputAck(offset: 3, consumed: 4), [4, 0x22, 1, 3, 4]),
      (.inputAck(offset: 9), [3, 0x24, 1, 9]),
      (.output(offset: 2, ByteBuffer(string: "a")), [4, 0x20, 1, 2, 0x61]),
      (
        .snapshot(
          SnapshotPart(
            id: 1, isFirst: true, isLast: true, offset: 2,
            size: TerminalSize(columns: 50, rows: 24),
            bytes: ByteBuffer(string: "a"))), [8, 0x21, 1, 1, 3, 2, 50, 24, 0x61]
      ),
      (.close(.done), [19, 0x13, 1] + Array(#"{"reason":"done"}"#.utf8)),
    ] as [(Frame, [UInt8])])
  func layout(frame: Frame, bytes: [UInt8]) {
    var wire = ByteBuffer()
    wire.writeFrame(frame, stream: 1)
    #expect(Array(wire.readableBytesView) == bytes)
  }

  @Test func anOutputWrittenInTwoStepsIsTheSameFrame() {
    var whole = ByteBuffer()
    whole.writeFrame(.output(offset: 70_000, ByteBuffer(string: "hello")), stream: 70)
    var steps = ByteBuffer()
    steps.writeOutputHeader(stream: 70, offset: 70_000, count: 5)
    steps.writeString("hello")
    #expect(whole == steps)
  }

  // MARK: Errors

  @Test func unknownTypesFrom0x40UpAreSkippedAndOthersRefused() throws {
    #expect(try decode([2, 0x41, 1, 3, 0xFF, 1, 9, 2, 0x14, 1]).map(\.frame) == [.kill])
    for type: UInt8 in [0x00, 0x07, 0x1B, 0x25, 0x33, 0x3F] {
      #expect(errorCode([2, type, 1]) == .unknownType)
    }
  }

  @Test func anOversizedFrameIsRefusedBeforeItArrives() {
    // 2^16 bytes, and 2^62 - 1.
    #expect(errorCode([0x80, 0x01, 0x00, 0x00]) == .frameTooLong)
    #expect(errorCode([UInt8](repeating: 0xFF, count: 8)) == .frameTooLong)
  }

  @Test("the largest body passes and the next does not", arguments: [1, 1 << 30] as [UInt64])
  func largestBody(stream: UInt64) throws {
    func frame(type: UInt8, body: Int) -> [UInt8] {
      var bytes = ByteBuffer()
      bytes.writeVarint(UInt64(1 + Varint.length(stream) + body))
      bytes.writeInteger(type)
      bytes.writeVarint(stream)
      bytes.writeRepeatingByte(0, count: body)
      return Array(bytes.readableBytesView)
    }
    for type: UInt8 in [0x20, 0x23, 0x50] {
      #expect(errorCode(frame(type: type, body: WireLimits.frameBody)) == nil)
      #expect(errorCode(frame(type: type, body: WireLimits.frameBody + 1)) == .frameTooLong)
    }
  }

  @Test(
    "what cannot be read is malformed",
    arguments: [
      ("no type", [0x00]), ("no stream", [0x01, 0x14]), ("a cut stream", [0x02, 0x14, 0x40]),
      ("PING of 7 bytes", [9, 4, 0, 1, 2, 3, 4, 5, 6, 7]),
      ("PING of 9 bytes", [11, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
      ("INPUT without offset", [2, 0x23, 1]), ("INPUT with a cut offset", [3, 0x23, 1, 0xC0]),
      ("OUTPUT_ACK of one number", [3, 0x22, 1, 5]),
      ("OUTPUT_ACK of three", [5, 0x22, 1, 5, 5, 5]), ("RESIZE of one", [3, 0x17, 1, 80]),
      ("RESIZED of two", [4, 0x18, 1, 1, 1]), ("KILL with a body", [3, 0x14, 1, 0]),
      ("TAKE with a body", [3, 0x19, 1, 0]), ("SNAPSHOT without marks", [3, 0x21, 1, 1]),
      ("SNAPSHOT without size", [5, 0x21, 1, 1, 3, 0]), ("an empty body", [2, 0x13, 1]),
    ] as [(String, [UInt8])])
  func malformed(what: String, bytes: [UInt8]) {
    #expect(errorCode(bytes) == .malformed)
  }

  @Test func anEnormousSizeIsReadWithoutOverflow() throws {
    let bytes: [UInt8] = [18, 0x17, 1] + [UInt8](repeating: 0xFF, count: 16)
    guard case .resize(let size) = try decode(bytes).first?.frame else {
      Issue.record("no RESIZE")
      return
    }
    #expect(!size.isValid)
  }

  // MARK: Memory

  @Test func theBeginningOfAFrameDoesNotHoldOnToItsReadBuffer() throws {
    var read = ByteBuffer()
    read.reserveCapacity(64 * 1024)
    read.writeFrame(.ping(1), stream: 0)
    read.writeBytes([6, 0x23, 1])
    var decoder = FrameDecoder()
    decoder.append(read)
    #expect(try decoder.next()?.frame == .ping(1))
    #expect(try decoder.next() == nil)
    #expect(decoder.bufferedBytes == 3)
    // Nobody else refers to the bytes: they are changed in place.
    #expect(read.modifyIfUniquelyOwned { _ in true } == true)
  }

  @Test func noTextThatQuotesAClientMakesAFrameTooLong() throws {
    let nasty = String(repeating: "\u{1}\"€\u{301}", count: 5_000)
    var wire = ByteBuffer()
    wire.writeFrame(.refused(Refused(.startFailed, nasty)), stream: 1)
    wire.writeFrame(.ended(Ended(reason: .exited, status: nil, message: nasty)), stream: 1)
    #expect(try decode(Array(wire.readableBytesView)).count == 2)
  }
}

extension FrameTests {
  @Test("an OPEN of the largest size fits in the router's envelope", arguments: [0x61, 0x22, 0x01])
  func largestOpen(character: UInt8) throws {
    // Largest as received: no key more than needed, one long string of `character`.
    let escaped = String(Character(Unicode.Scalar(character)))
    func body(_ count: Int) throws -> Open? {
      var wire = ByteBuffer()
      let text = String(repeating: escaped, count: count)
      wire.writeFrame(
        .open(Open(session: nil, create: Creation(command: [text]), size: .standard)), stream: 1)
      guard let frame = try? decode(Array(wire.readableBytesView)).first?.frame,
        case .open(let open) = frame
      else { return nil }
      return open
    }
    var low = 0
    var high = WireLimits.frameBody
    while low + 1 < high {
      let middle = (low + high) / 2
      if try body(middle) == nil { high = middle } else { low = middle }
    }
    var open = try #require(try body(low))
    let name = String(repeating: "x", count: 64)
    open.session = SessionID(unchecked: name)
    open.resume = Resume(life: .random(), next: Varint.maximum, input: Varint.maximum)
    var wire = ByteBuffer()
    wire.writeFrame(
      .linkOpen(
        LinkOpen(
          client: ClientID(unchecked: name),
          access: Access(
            subject: String(repeating: "\"", count: 320), rights: .admin, asCreator: .admin),
          from: name,
          incarnation: .random(), epoch: Epoch(.max), sent: Varint.maximum,
          consumed: Varint.maximum, open: open)),
      stream: Varint.maximum)
    #expect(try decode(Array(wire.readableBytesView)).count == 1)
  }
}

extension FrameTests {
  /// Promise P9: whoever adds a length to an offset may do so.
  @Test("an offset that no varint could carry is refused", arguments: [Varint.maximum + 1, .max])
  func offsetsBeyondVarints(offset: UInt64) throws {
    func opened(output: UInt64, input: UInt64) -> Frame {
      .opened(
        Opened(
          session: SessionID(unchecked: "s"), life: Life(rawValue: 1), epoch: Epoch(1),
          created: false, resumed: .exact, output: output, input: input, size: .standard,
          mode: .driver))
    }
    func open(next: UInt64? = nil, input: UInt64? = nil, attempt: UInt64? = nil) -> Frame {
      let resume = Resume(life: Life(rawValue: 1), next: next, input: input)
      var open = Open(session: SessionID(unchecked: "s"), resume: resume, size: .standard)
      open.attempt = attempt
      return .open(open)
    }
    for frame in [
      opened(output: offset, input: 0), opened(output: 0, input: offset), open(next: offset),
      open(input: offset), open(attempt: offset),
    ] {
      var wire = ByteBuffer()
      wire.writeFrame(frame, stream: 1)
      let bytes = Array(wire.readableBytesView)
      if case .open(let open) = frame {
        // Only its own stream is refused.
        #expect(open.problem != nil)
        guard case .unreadableOpen? = try decode(bytes).first?.frame else {
          Issue.record("it was read")
          continue
        }
      } else {
        let error = #expect(throws: WireError.self) { try decode(bytes) }
        #expect(error?.code == .malformed)
      }
    }
    var wire = ByteBuffer()
    wire.writeFrame(opened(output: Varint.maximum, input: Varint.maximum), stream: 1)
    #expect(try decode(Array(wire.readableBytesView)).count == 1)
  }

  @Test("a size that no terminal has is written all the same")
  func impossibleSizes() throws {
    let size = TerminalSize(columns: -1, rows: .min)
    var wire = ByteBuffer()
    wire.writeFrame(.resize(size), stream: 1)
    wire.writeFrame(.resized(offset: 1, size), stream: 1)
    wire.writeFrame(
      .snapshot(
        SnapshotPart(
          id: 1, isFirst: true, isLast: true, offset: 1, size: size, bytes: ByteBuffer())),
      stream: 1)
    #expect(try decode(Array(wire.readableBytesView)).count == 3)
  }
}
