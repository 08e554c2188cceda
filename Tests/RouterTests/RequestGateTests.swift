// The gate before a client that reads its answer late, or never: the answer arrives whole, or its time ends.

import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Router

/// A socket that takes what is written when the test says so.
private final class Socket: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  var isFull = false
  private var waiting: [(data: NIOAny, promise: EventLoopPromise<Void>?)] = []
  private var context: ChannelHandlerContext?

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) {
    for (_, promise) in waiting { promise?.fail(ChannelError.ioOnClosedChannel) }
    waiting = []
    self.context = nil
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    waiting.append((data, promise))
  }

  func flush(context: ChannelHandlerContext) { if !isFull { drain() } }

  func drain() {
    isFull = false
    let ready = waiting
    waiting = []
    for (data, promise) in ready { context?.write(data, promise: promise) }
    context?.flush()
  }
}

/// Answers a request at its end, or without waiting for its body.
private final class Server: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart
  /// Otherwise only the answer's head goes out, and the test ends it.
  var isWhole = true

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): if head.hasBody { answer(context) }
    case .body: break
    case .end: answer(context)
    }
  }

  private func answer(_ context: ChannelHandlerContext) {
    let head = HTTPResponseHead(
      version: .http1_1, status: .ok, headers: ["Content-Length": "4"])
    context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    if isWhole { end(context) }
  }

  func end(_ context: ChannelHandlerContext) {
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "body")))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}

private struct Gate {
  let channel = EmbeddedChannel()
  let socket = Socket()
  let server = Server()
  var loop: EmbeddedEventLoop { channel.embeddedEventLoop }

  init() throws {
    let encoder = HTTPResponseEncoder()
    let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
    let channel = channel
    let server = server
    let keeper = GateKeeper(
      upgrade: { _ in nil }, isKnown: { _ in true },
      serve: { try channel.pipeline.syncOperations.addHandler(server) },
      didLeaveHTTP: { _ in })
    try channel.pipeline.syncOperations.addHandlers(
      socket, encoder, decoder, RequestGate(keeper, encoder: encoder, decoder: decoder))
    channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
  }

  func ask(_ fields: String = "") throws {
    try channel.writeInbound(
      ByteBuffer(string: "GET /assets/large HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"))
  }

  /// What has gone out since the last time.
  func heard() throws -> String {
    var text = ""
    while let piece = try channel.readOutbound(as: ByteBuffer.self) {
      text += String(buffer: piece)
    }
    return text
  }
}

@Suite struct RequestGateTests {
  @Test func anAnswerToABodyThatNeverComesHasItsTime() throws {
    let gate = try Gate()
    gate.socket.isFull = true
    try gate.ask("Content-Length: 1\r\n")
    gate.loop.advanceTime(by: RouterLimits.bodyDeadline + .seconds(1))
    #expect(gate.channel.isActive, "it may be read still")
    gate.loop.advanceTime(by: RouterLimits.answerDeadline)
    #expect(!gate.channel.isActive)
  }

  enum End: CaseIterable { case shutdown, halfClose }

  private func end(_ gate: Gate, _ end: End) {
    switch end {
    case .shutdown: gate.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    case .halfClose: gate.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }
  }

  @Test(arguments: End.allCases)
  func anAnswerThatWaitsForItsReaderIsNotCut(by end: End) throws {
    let gate = try Gate()
    gate.socket.isFull = true
    // Two, and the first that is out must not take the second one along.
    try gate.ask()
    gate.loop.run()
    try gate.ask()
    self.end(gate, end)
    #expect(gate.channel.isActive)
    gate.socket.drain()
    let heard = try gate.heard()
    #expect(heard.ranges(of: "body").count == 2, "\(heard)")
    gate.loop.advanceTime(by: RouterLimits.linger)
    #expect(!gate.channel.isActive)
  }

  @Test(arguments: End.allCases)
  func anAnswerThatHasBegunIsTheLast(before end: End) throws {
    let gate = try Gate()
    gate.server.isWhole = false
    try gate.ask()
    self.end(gate, end)
    #expect(gate.channel.isActive)
    let context = try gate.channel.pipeline.syncOperations.context(handler: gate.server)
    gate.server.end(context)
    #expect(try gate.heard().hasSuffix("body"))
    gate.loop.advanceTime(by: RouterLimits.linger)
    #expect(!gate.channel.isActive)
  }

  @Test(arguments: End.allCases) func whoAsksNothingIsClosedAtOnce(by end: End) throws {
    let gate = try Gate()
    try gate.ask()
    #expect(try gate.heard().hasSuffix("body"))
    self.end(gate, end)
    #expect(!gate.channel.isActive)
  }
}
