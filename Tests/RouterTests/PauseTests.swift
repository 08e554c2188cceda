// What a client says while its link is away, or its stream is being opened again: it is kept for the node
// and said once (promises P1, P2).

import Links
import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import Wire

@testable import Router

@Suite struct PauseTests {
  let router: EmbeddedRouter
  let session = SessionID(unchecked: "s")

  /// A live stream that was sent "hello".
  init() throws {
    router = try EmbeddedRouter()
    try router.greet()
    try router.open(session)
    router.node.send(.output(offset: 0, ByteBuffer(string: "hello")), stream: 1)
    router.loop.run()
    #expect(try router.frames(stream: 1).last?.type == .output)
  }

  /// The link breaks, and the client is told.
  private func pause() throws {
    router.node.link?.close()
    router.loop.run()
    #expect(try router.frames(stream: 1).last == .event(.paused))
    router.node.received = []
  }

  /// The stream's OPEN over the next link.
  private func reopened() throws -> LinkOpen {
    router.loop.advanceTime(by: .seconds(5))
    guard case .linkOpen(let request) = router.nodeHeard(1).first else {
      throw ChildError("the stream is not opened again: \(router.node.received)")
    }
    return request
  }

  private func answer() {
    router.node.received = []
    router.node.send(ScriptedNode.opened(session, output: 5), stream: 1)
    router.loop.run()
  }

  @Test func whatIsAcknowledgedDuringAPauseIsInTheNextOpen() throws {
    try pause()
    try router.send(.outputAck(offset: 5, consumed: 5), stream: 1)
    let request = try reopened()
    #expect(request.sent == 5)
    #expect(request.consumed == 5)
    answer()
    #expect(router.nodeHeard(1) == [], "it knows")
  }

  @Test func whatIsAcknowledgedWhileTheOpenIsUnderWayFollowsIt() throws {
    try pause()
    let request = try reopened()
    #expect(request.sent == 5)
    #expect(request.consumed == 0)
    try router.send(.outputAck(offset: 3, consumed: 3), stream: 1)
    try router.send(.outputAck(offset: 5, consumed: 5), stream: 1)
    answer()
    #expect(router.nodeHeard(1) == [.outputAck(offset: 5, consumed: 5)])
  }

  @Test(
    "the size and the colours that the client has when a stream is opened again are those that the node has",
    arguments: [true, false])
  func whatTheTerminalIsLikeIsKnownAfterAPause(isOpening: Bool) throws {
    let size = TerminalSize(columns: 100, rows: 30)
    let colors = ThemeColors(foreground: "#262c33", background: "#fdfcf9")
    try pause()
    if isOpening { _ = try reopened() }
    try router.send(.resize(size), stream: 1)
    try router.send(
      .colors(ThemeColors(foreground: "#262c33", background: "#fdfcf9", cursor: "no colour")),
      stream: 1)
    if !isOpening {
      let request = try reopened()
      #expect(request.open.size == size)
      #expect(request.open.colors == colors)
    }
    answer()
    #expect(router.nodeHeard(1) == (isOpening ? [.resize(size), .colors(colors)] : []))
  }

  @Test(arguments: [true, false]) func takeDuringAPauseIsSaidOnce(isOpening: Bool) throws {
    try pause()
    if isOpening { _ = try reopened() }
    try router.send(.take, stream: 1)
    if !isOpening { _ = try reopened() }
    #expect(!router.nodeHeard(1).contains(.take))
    answer()
    #expect(router.nodeHeard(1) == [.take])
    router.node.send(.event(.sizeOwner(ClientID(unchecked: "tab"))), stream: 1)
    router.loop.run()
    try pause()
    _ = try reopened()
    answer()
    #expect(router.nodeHeard(1) == [])
  }

  @Test func killAndSizeDuringAPauseAreNotLost() throws {
    try pause()
    let size = TerminalSize(columns: 99, rows: 33)
    try router.send(.resize(size), stream: 1)
    try router.send(.kill, stream: 1)
    #expect(try reopened().open.size == size)
    answer()
    #expect(router.nodeHeard(1) == [.kill])
  }
}
