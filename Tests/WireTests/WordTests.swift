// Words that steer what is done are types, and the bytes on the wire are what they always were. What only a
// newer peer says is kept as it is, and taken for nothing else (promise P10).

import NIOCore
import Testing
import Wire

/// The body of the frame as JSON.
private func json(_ frame: Frame) throws -> String {
  var wire = ByteBuffer()
  wire.writeFrame(frame, stream: 1)
  _ = wire.readVarint()
  _ = wire.readInteger(as: UInt8.self)
  _ = wire.readVarint()
  return String(buffer: wire)
}

private func read(_ type: FrameType, _ json: String) throws -> Frame? {
  var wire = ByteBuffer()
  wire.writeVarint(UInt64(2 + json.utf8.count))
  wire.writeInteger(type.rawValue)
  wire.writeVarint(1)
  wire.writeString(json)
  return try decode(Array(wire.readableBytesView)).first?.frame
}

@Suite struct WordTests {
  private static let client = ClientID(unchecked: "c")

  private static let fixtures: [(Frame, String)] = [
    (
      .ended(Ended(reason: .exited, status: .exited(code: 3))),
      #"{"reason":"exited","status":{"code":3}}"#
    ),
    (
      .ended(Ended(reason: .killed, status: .signalled(number: 9))),
      #"{"reason":"killed","status":{"signal":9}}"#
    ),
    (.ended(Ended(reason: .idle, status: nil)), #"{"reason":"idle"}"#),
    (.ended(Ended(reason: .timeout, status: nil)), #"{"reason":"timeout"}"#),
    (.ended(Ended(reason: .stopped, status: nil)), #"{"reason":"stopped"}"#),
    (.ended(Ended(reason: .lost, status: nil, message: "m")), #"{"message":"m","reason":"lost"}"#),
    (.event(.paused), #"{"event":"paused"}"#),
    (
      .event(.viewers([.init(client: client, mode: .driver)], sizeOwner: client)),
      #"{"event":"viewers","owner":"c","viewers":[{"client":"c","mode":"driver"}]}"#
    ),
    (.event(.viewers([], sizeOwner: nil)), #"{"event":"viewers","viewers":[]}"#),
    (.event(.sizeOwner(client)), #"{"event":"size_owner","owner":"c"}"#),
    (.event(.sizeOwner(nil)), #"{"event":"size_owner"}"#),
    (.event(.title("vi")), #"{"event":"title","title":"vi"}"#),
    (.event(.stalled("m")), #"{"event":"stalled","message":"m"}"#),
    (.event(.stalled(nil)), #"{"event":"stalled"}"#),
    (.event(.refused("no")), #"{"event":"refused","message":"no"}"#),
    (.close(.superseded), #"{"reason":"superseded"}"#),
    (.close(.disconnected), #"{"reason":"disconnected"}"#),
    (
      .request(
        LinkRequest(id: 1, method: .screen, session: SessionID(unchecked: "s"), format: .ansi)),
      #"{"format":"ansi","id":1,"method":"screen","session":"s"}"#
    ),
    (
      .request(LinkRequest(id: 1, method: .superseded, epoch: Epoch(2))),
      #"{"epoch":2,"id":1,"method":"superseded"}"#
    ),
    (
      .response(LinkResponse(id: 1, isLast: true, error: .notFound)),
      #"{"error":"not_found","id":1,"isLast":true}"#
    ),
    (
      .response(LinkResponse(id: 1, isLast: true, error: .tooLarge)),
      #"{"error":"too_large","id":1,"isLast":true}"#
    ),
    (
      .response(LinkResponse(id: 1, isLast: true, error: .busy)),
      #"{"error":"busy","id":1,"isLast":true}"#
    ),
    (
      .response(LinkResponse(id: 1, isLast: true, error: .forbidden)),
      #"{"error":"forbidden","id":1,"isLast":true}"#
    ),
    (
      .open(Open(session: SessionID(unchecked: "s"), size: .standard)),
      #"{"mode":"driver","session":"s","size":{"columns":80,"rows":24}}"#
    ),
    (
      .refused(.unknown(StreamKind(rawValue: "files"))),
      #"{"code":"unknown_kind","message":"no streams of kind \"files\" here"}"#
    ),
  ]

  @Test("a body is written to the byte as before, and read back", arguments: fixtures)
  func fixture(frame: Frame, text: String) throws {
    #expect(try json(frame) == text)
    #expect(try read(frame.type, text) == frame)
  }

  @Test(
    "a word of a newer peer is kept, and is none of ours",
    arguments: [
      (.ended, #"{"reason":"moved"}"#), (.close, #"{"reason":"moved"}"#),
      (.event, #"{"event":"moved"}"#),
      (.request, #"{"id":1,"method":"move"}"#),
      (.request, #"{"format":"html","id":1,"method":"screen"}"#),
      (.response, #"{"error":"moved","id":1,"isLast":true}"#),
    ] as [(FrameType, String)])
  func newer(type: FrameType, text: String) throws {
    let frame = try #require(try read(type, text))
    #expect(try json(frame) == text)
    switch frame {
    case .ended(let ended):
      #expect(![.exited, .killed, .idle, .timeout, .stopped, .lost].contains(ended.reason))
    case .event(let event): #expect(event == .unknown(kind: "moved"))
    default: break
    }
  }

  @Test func anOpenOfAnotherKindIsReadWhateverItsOtherKeysHold() throws {
    let channel = StreamKind(rawValue: "channel")
    let text = #"{"kind":"channel","size":"large","session":["a"],"create":7}"#
    let expected = Open(kind: channel, session: nil, size: .standard)
    #expect(try read(.open, text) == .open(expected))
    let link = #"{"client":"c","access":{},"from":"","sent":0,"consumed":0,"open":\#(text)}"#
    guard case .linkOpen(let request) = try read(.linkOpen, link) else {
      Issue.record("not taken")
      return
    }
    #expect(request.open.kind == channel, "a link carries it to a node, which refuses it")
    #expect(try json(.open(expected)).contains(#""kind":"channel""#))
    guard case .unreadableOpen = try read(.open, #"{"kind":1}"#) else {
      Issue.record("a kind is a word")
      return
    }
  }

  @Test func aTerminalIsWhatIsMeantWithoutAWord() throws {
    let open = Open(session: SessionID(unchecked: "s"), size: .standard)
    #expect(try read(.open, #"{"kind":"terminal","session":"s"}"#) == .open(open))
    #expect(try read(.open, #"{"session":"s"}"#) == .open(open))
  }

  @Test func aKindThatIsRefusedCannotSteerWhoReadsWhy() {
    let nasty = StreamKind(rawValue: "\u{1b}[2J" + String(repeating: "x", count: 5_000))
    let message = Refused.unknown(nasty).message
    #expect(message.utf8.count < 200 && !message.unicodeScalars.contains("\u{1b}"))
  }
}
