// A link: one write per tick, no more than the other end takes, and an end that is always told
// (promises P6, P7).

import Links
import NIOCore
import NIOEmbedded
import Testing
import Wire

/// A peer that records what it is told and sends what it is given.
final class RecordingPeer: LinkPeer {
  var frames: [Frame] = []
  var closed = 0
  var error: (any Error)?
  var drained = 0
  /// Data frames to fill in, one each time it is asked.
  var toFill: [Frame] = []
  var onFrame: ((Frame) -> Void)?

  func linkDidReceive(_ frame: Frame, stream: UInt64) {
    frames.append(frame)
    onFrame?(frame)
  }

  func linkFill(_ buffer: inout ByteBuffer) -> Bool {
    while buffer.readableBytes < LinkLimits.queued, !toFill.isEmpty {
      buffer.writeFrame(toFill.removeFirst(), stream: 1)
    }
    return !toFill.isEmpty
  }

  func linkDidDrain() { drained += 1 }

  func linkDidClose(_ error: (any Error)?) {
    closed += 1
    self.error = error
  }
}

/// A transport that records, and is writable when it is told.
final class RecordingTransport: LinkTransport {
  var isWritable = true
  var writes: [ByteBuffer] = []
  var closed = 0
  func write(_ buffer: ByteBuffer) { writes.append(buffer) }
  func close() { closed += 1 }
}

private func bytes(_ frames: [Frame]) -> ByteBuffer {
  var buffer = ByteBuffer()
  for frame in frames { buffer.writeFrame(frame, stream: 1) }
  return buffer
}

private func frames(_ writes: [ByteBuffer]) throws -> [Frame] {
  var decoder = FrameDecoder()
  for write in writes { decoder.append(write) }
  var frames: [Frame] = []
  while let (_, frame) = try decoder.next() { frames.append(frame) }
  return frames
}

@Suite final class LinkTests {
  let loop = EmbeddedEventLoop()
  let peer = RecordingPeer()
  let transport = RecordingTransport()
  let link: Link

  init() { link = Link(eventLoop: loop, peer: peer, transport: transport) }

  /// A link and its transport hold each other until they are closed.
  deinit {
    link.close()
    loop.run()
  }

  @Test func whatIsSentInATickLeavesInOneWrite() throws {
    peer.toFill = [.output(offset: 0, ByteBuffer(string: "a"))]
    for offset in 1...10 { link.send(.inputAck(offset: UInt64(offset)), stream: 1) }
    #expect(transport.writes.isEmpty)
    loop.run()
    #expect(transport.writes.count == 1)
    let sent = try frames(transport.writes)
    #expect(sent.count == 11)
    #expect(sent.last == .output(offset: 0, ByteBuffer(string: "a")))
    loop.run()
    #expect(transport.writes.count == 1)
  }

  @Test func aFloodLeavesInPortions() {
    let flood = Frame.output(offset: 0, ByteBuffer(repeating: 0, count: WireLimits.dataPayload))
    peer.toFill = Array(repeating: flood, count: 20)
    link.setNeedsFlush()
    loop.run()
    #expect(peer.toFill.isEmpty)
    #expect(transport.writes.count == 4)
    #expect(transport.writes.allSatisfy { $0.readableBytes < LinkLimits.queued + 16 * 1024 })
  }

  @Test func nothingIsWrittenToAFullTransportAndAllOfItLater() throws {
    transport.isWritable = false
    peer.toFill = [.output(offset: 0, ByteBuffer(string: "a"))]
    link.send(.inputAck(offset: 1), stream: 1)
    loop.run()
    #expect(transport.writes.isEmpty)
    #expect(peer.toFill.count == 1, "data waits where its window is counted")
    transport.isWritable = true
    link.transportDidBecomeWritable()
    loop.run()
    #expect(
      try frames(transport.writes) == [
        .inputAck(offset: 1), .output(offset: 0, ByteBuffer(string: "a")),
      ])
  }

  @Test func aCongestedLinkSaysSoAndSaysWhenItHasDrained() {
    transport.isWritable = false
    let input = Frame.input(offset: 0, ByteBuffer(repeating: 0, count: 10_000))
    for _ in 0..<6 { link.send(input, stream: 1) }
    #expect(!link.isCongested)
    link.send(input, stream: 1)
    #expect(link.isCongested)
    loop.run()
    #expect(peer.drained == 0)
    transport.isWritable = true
    link.transportDidBecomeWritable()
    loop.run()
    #expect(!link.isCongested)
    #expect(peer.drained == 1)
  }

  @Test func anEndThatNeverReadsIsCutBeforeItCostsMore() {
    transport.isWritable = false
    let input = Frame.input(offset: 0, ByteBuffer(repeating: 0, count: 10_000))
    for _ in 0...(LinkLimits.unsent / 10_000) {
      link.send(input, stream: 1)
      loop.run()
    }
    #expect(peer.closed == 1)
    #expect(peer.error is WireError)
    #expect(transport.closed == 1)
    link.send(input, stream: 1)
    loop.run()
    #expect(peer.closed == 1)
    #expect(transport.writes.isEmpty)
  }

  @Test func aPINGIsAnsweredAndNeitherReachesThePeer() throws {
    link.transportDidRead(bytes([.ping(7), .pong(8), .kill]))
    loop.run()
    #expect(try frames(transport.writes) == [.pong(7)])
    #expect(peer.frames == [.kill])
  }

  @Test func silenceIsAskedAboutAndThenEndsTheLink() throws {
    link.keepAlive()
    loop.advanceTime(by: .seconds(3))
    loop.run()
    guard case .ping = try frames(transport.writes).first else {
      Issue.record("no PING after 3 s of silence")
      return
    }
    loop.advanceTime(by: .seconds(9))
    #expect(peer.closed == 1)
    #expect("\(peer.error ?? ChannelError.eof)".contains("no answer"))
    #expect(transport.closed == 1)
  }

  @Test func aLinkThatHearsSomethingIsNeitherAskedNorClosed() {
    link.keepAlive()
    for _ in 0..<30 {
      loop.advanceTime(by: .seconds(1))
      link.transportDidRead(bytes([.kill]))
    }
    #expect(transport.writes.isEmpty)
    #expect(peer.closed == 0)
  }

  @Test func bytesThatAreNoFrameEndTheLinkAndNothingAfterThemIsTaken() {
    var read = bytes([.kill])
    read.writeBytes([2, 0x3F, 1])
    read.writeImmutableBuffer(bytes([.take]))
    link.transportDidRead(read)
    link.transportDidRead(bytes([.take]))
    #expect(peer.frames == [.kill])
    #expect(peer.closed == 1)
    #expect((peer.error as? WireError)?.code == .unknownType)
  }

  @Test func nothingIsTakenAfterThePeerClosedInTheMiddleOfARead() {
    peer.onFrame = { [link] _ in link.close() }
    link.transportDidRead(bytes([.kill, .take]))
    #expect(peer.frames == [.kill])
    #expect(peer.closed == 1)
  }

  @Test func anOrderlyEndSendsWhatWasSaidBefore() throws {
    link.send(.goAway(GoAway(reason: "x", within: 0, spread: 0)), stream: 0)
    link.close()
    link.close()
    loop.run()
    #expect(try frames(transport.writes).map(\.type) == [.goAway])
    #expect(peer.closed == 1)
    #expect(peer.error == nil)
    #expect(!link.isOpen)
  }

  @Test func theTransportsEndIsToldOnce() {
    link.transportDidClose(ChannelError.eof)
    link.transportDidClose(nil)
    #expect(peer.closed == 1)
    #expect(peer.error is ChannelError)
    #expect(transport.closed == 0)
  }
}
