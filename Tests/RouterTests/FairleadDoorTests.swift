// RFC 6455 at the edge: whatever a client does to the WebSocket, it hears a close code and a reason,
// and costs bounded memory (promises P6, P9).

import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import Wire

@testable import Router

@Suite struct FairleadDoorTests {
  typealias Message = WebSocketMessage
  let router: EmbeddedRouter
  let hello = Frame.hello(Hello(client: ClientID(unchecked: "tab"))).bytes(stream: 0)

  init() throws { router = try EmbeddedRouter() }

  @Test func messageBoundariesCarryNoMeaning() throws {
    let ping = Frame.ping(7).bytes(stream: 0)
    let all = hello + ping + ping
    try router.send(Message.bytes(Message.binary, Array(all[..<5]), isFinal: false))
    try router.send(Message.bytes(Message.ping, [1]))
    try router.send(Message.bytes(Message.continuation, [], isFinal: false))
    try router.send(Message.bytes(Message.continuation, Array(all[5..<20])))
    try router.send(Message.bytes(Message.binary, Array(all[20...])))
    #expect(try router.frames(stream: 0).map(\.type) == [.welcome, .pong, .pong])
    #expect(router.messages.first == Message(first: 0x80 | Message.pong, payload: [1]))
  }

  @Test func answersOfOneTickShareAMessage() throws {
    try router.send(
      Message.bytes(Message.binary, hello + Frame.ping(1).bytes(stream: 0))
        + Message.bytes(Message.binary, Frame.ping(2).bytes(stream: 0)))
    #expect(router.messages.count == 1)
    #expect(try router.frames(stream: 0).count == 3)
  }

  @Test(
    "what breaks RFC 6455 is told by a close code",
    arguments: [
      ("text", Message.bytes(Message.text, Array("hello".utf8)), 1003),
      (
        "too long", Message.bytes(Message.binary, [], length: RouterLimits.webSocketFrame + 1), 1009
      ),
      ("huge", Message.bytes(Message.binary, [], length: Int.max), 1009),
      ("a continuation of nothing", Message.bytes(Message.continuation, [1]), 1002),
      (
        "a message inside a message",
        Message.bytes(Message.binary, [], isFinal: false) + Message.bytes(Message.binary, []), 1002
      ),
      ("an unknown opcode", Message.bytes(0x3, []), 1002),
      ("an unknown control opcode", Message.bytes(0xB, []), 1002),
      ("without mask", Message.bytes(Message.binary, [0], isMasked: false), 1002),
      ("a reserved bit", Message.bytes(Message.binary, [0], reserved: 4), 1002),
      ("a fragmented ping", Message.bytes(Message.ping, [], isFinal: false), 1002),
      ("a long ping", Message.bytes(Message.ping, [UInt8](repeating: 0, count: 126)), 1002),
      ("a close of one byte", Message.bytes(Message.close, [3]), 1002),
      ("a close code never sent", Message.bytes(Message.close, [0x03, 0xED]), 1002),
      ("a close reason not in UTF-8", Message.bytes(Message.close, [0x03, 0xE8, 0xFF]), 1007),
    ] as [(String, [UInt8], UInt16)])
  func violations(what: String, bytes: [UInt8], code: UInt16) throws {
    try? router.send(bytes)
    let closing = try #require(router.closing)
    #expect(closing.code == code)
    #expect(!closing.reason.isEmpty)
    router.loop.advanceTime(by: .seconds(1))
    #expect(!router.channel.isActive)
  }

  @Test(
    arguments: [[], [0x03, 0xE8], [0x03, 0xE9] + Array("bye".utf8), [0x0F, 0xA0]] as [[UInt8]])
  func aCloseIsAnsweredInKind(payload: [UInt8]) throws {
    try router.send(Message.bytes(Message.close, payload))
    #expect(router.messages == [Message(first: 0x88, payload: payload)])
    #expect(router.routerLoop.clientCount == 0)
    router.loop.advanceTime(by: .seconds(1))
    #expect(!router.channel.isActive)
  }

  @Test func nothingIsTakenAfterTheClose() throws {
    try router.greet()
    try router.send(Message.bytes(Message.text, []) + Message.bytes(Message.ping, []))
    #expect(router.messages.last?.closing?.code == 1003)
  }

  @Test func aSilentConnectionIsPingedAndThenClosed() throws {
    try router.greet()
    router.loop.advanceTime(by: .seconds(10))
    #expect(router.messages.last?.opcode == Message.ping)
    try router.send(Message.bytes(Message.pong, []))
    router.loop.advanceTime(by: .seconds(20))
    #expect(router.channel.isActive)
    router.loop.advanceTime(by: .seconds(10))
    #expect(!router.channel.isActive)
    #expect(router.routerLoop.clientCount == 0)
  }

  @Test func pingsOfAClientThatReadsNothingCostNothing() throws {
    try router.greet()
    _ = router.messages
    router.channel.isWritable = false
    for _ in 0..<1_000 {
      try router.send(Message.bytes(Message.ping, [UInt8](repeating: 1, count: 125)))
    }
    #expect(try router.channel.readOutbound(as: ByteBuffer.self) == nil)
    #expect(router.channel.isActive)
  }
}
