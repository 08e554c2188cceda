// One loop of a router with a client's channel and a scripted node, all on an embedded event loop: a
// test decides when time passes and what the node says.

import Links
import Logging
import NIOCore
import NIOEmbedded
import NIOWebSocket
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

/// A node that answers HELLO, and otherwise what the test says.
final class ScriptedNode: LinkPeer {
  static let id = NodeID(unchecked: "node")
  static let incarnation = Incarnation(rawValue: 1)
  var link: Link?
  var received: [(stream: UInt64, frame: Frame)] = []
  var connections = 0
  var isGreeting = true
  /// Called for every frame but HELLO.
  var onFrame: ((ScriptedNode, Frame, UInt64) -> Void)?
  var fill: [(Frame, UInt64)] = []

  func accept(_ transport: LocalTransport, on loop: any EventLoop) {
    connections += 1
    let link = Link(eventLoop: loop, peer: self, transport: transport)
    transport.attach(link)
    self.link = link
  }

  func linkDidReceive(_ frame: Frame, stream: UInt64) {
    if case .hello = frame {
      if isGreeting { greet() }
    } else {
      received.append((stream, frame))
      onFrame?(self, frame, stream)
    }
  }

  func greet() {
    link?.send(
      .welcome(Welcome(time: 0, node: Self.id.rawValue, incarnation: Self.incarnation)), stream: 0)
  }

  func send(_ frame: Frame, stream: UInt64) { link?.send(frame, stream: stream) }
  func linkFill(_ buffer: inout ByteBuffer) -> Bool { false }
  func linkDidDrain() {}
  func linkDidClose(_ error: (any Error)?) { link = nil }

  static func opened(
    _ session: SessionID, output: UInt64 = 0, input: UInt64 = 0, resumed: Opened.Resumed = .exact
  ) -> Frame {
    .opened(
      Opened(
        session: session, life: Life(rawValue: 9), epoch: Epoch(1), created: resumed == .new,
        resumed: resumed, output: output, input: input, size: .standard, mode: .driver,
        mayKill: true))
  }

  /// What the registry says of it.
  static func entry(port: Int = 1) -> NodeEntry {
    NodeEntry(
      record: NodeRecord(
        id: id, incarnation: incarnation, loops: [NodeAddress(host: "127.0.0.1", port: port)],
        labels: ["pty": "true"], capacity: 100),
      leaseMilliseconds: 10_000)
  }
}

final class EmbeddedRouter {
  let channel: EmbeddedChannel
  let loop: EmbeddedEventLoop
  let node = ScriptedNode()
  let routerLoop: RouterLoop
  private var heard = ByteBuffer()

  init(registry: any Registry = MemoryRegistry()) throws {
    let loop = EmbeddedEventLoop()
    self.loop = loop
    let node = NIOLoopBound(node, eventLoop: loop)
    let configuration = RouterConfiguration(
      name: "router", host: "", port: 0,
      connectLocally: { eventLoop, _ in
        LocalTransport.connect(from: eventLoop, to: eventLoop) { transport in
          node.value.accept(transport, on: eventLoop)
        }
      }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    routerLoop = RouterLoop(
      eventLoop: loop, context: RouterContext(configuration, registry: registry))
    routerLoop.update(NodeDirectory([ScriptedNode.entry()]))
    channel = EmbeddedChannel(loop: loop)
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(WebSocketFrameEncoder())
    try pipeline.addHandler(
      ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: RouterLimits.webSocketFrame)))
    try pipeline.addHandler(FairleadDoor(loop: routerLoop))
    channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
  }

  deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

  /// Makes a session known, so that no registry is asked.
  func know(_ session: SessionID) {
    guard
      let route = routerLoop.directory.route(
        session, node: ScriptedNode.id, incarnation: nil, epoch: Epoch(1))
    else { return }
    routerLoop.context.remember(session, at: route, epoch: Epoch(1))
  }

  func send(_ bytes: [UInt8]) throws {
    try channel.writeInbound(ByteBuffer(bytes: bytes))
    loop.run()
  }

  func send(_ frame: Frame, stream: UInt64) throws {
    try send(WebSocketMessage.bytes(WebSocketMessage.binary, frame.bytes(stream: stream)))
  }

  func greet() throws {
    try send(.hello(Hello(client: ClientID(unchecked: "tab"))), stream: 0)
  }

  /// Opens `session` on `stream`, and the node says OPENED.
  func open(_ session: SessionID = SessionID(unchecked: "s"), stream: UInt64 = 1) throws {
    know(session)
    try send(.open(Open(session: session, size: .standard)), stream: stream)
    let opening = try #require(node.received.last, "the node got an OPEN")
    node.send(ScriptedNode.opened(session), stream: opening.stream)
    loop.run()
  }

  var messages: [WebSocketMessage] {
    while let piece = try? channel.readOutbound(as: ByteBuffer.self) {
      heard.writeImmutableBuffer(piece)
    }
    return WebSocketMessage.parse(heard)
  }

  func frames(stream: UInt64) throws -> [Frame] {
    try WebSocketMessage.frames(messages).filter { $0.stream == stream }.map(\.frame)
  }

  var closing: (code: UInt16, reason: String)? { messages.last?.closing }

  func nodeHeard(_ stream: UInt64) -> [Frame] {
    node.received.filter { $0.stream == stream }.map(\.frame)
  }
}
