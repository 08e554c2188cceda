// A link at the end of a channel's pipeline (promises P1 and P6).

import Links
import NIOCore
import NIOEmbedded
import Testing
import Wire

@Suite struct SocketTransportTests {
  let channel = EmbeddedChannel()
  let peer = RecordingPeer()
  let link: Link

  init() throws {
    let transport = SocketTransport()
    try channel.pipeline.syncOperations.addHandler(transport)
    link = Link(eventLoop: channel.eventLoop, peer: peer, transport: transport)
    transport.attach(link)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
  }

  @Test func framesGoBothWays() throws {
    link.send(.inputAck(offset: 1), stream: 1)
    link.send(.kill, stream: 1)
    channel.embeddedEventLoop.run()
    #expect(
      try channel.readOutbound(as: ByteBuffer.self)
        == ByteBuffer(bytes: [3, 0x24, 1, 1, 2, 0x14, 1]))
    #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
    try channel.writeInbound(ByteBuffer(bytes: [2, 0x19, 1]))
    #expect(peer.frames == [.take])
    _ = try? channel.finish()
  }

  @Test func aFullChannelIsNotWrittenTo() throws {
    channel.isWritable = false
    channel.pipeline.fireChannelWritabilityChanged()
    link.send(.kill, stream: 1)
    channel.embeddedEventLoop.run()
    #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
    channel.isWritable = true
    channel.pipeline.fireChannelWritabilityChanged()
    channel.embeddedEventLoop.run()
    #expect(try channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(bytes: [2, 0x14, 1]))
    _ = try? channel.finish()
  }

  @Test func anErrorOfTheChannelEndsTheLinkWithIt() throws {
    channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "read"))
    channel.embeddedEventLoop.run()
    #expect(!channel.isActive)
    #expect(peer.closed == 1)
    #expect((peer.error as? IOError)?.errnoCode == 104)
  }

  @Test func theOtherEndsLeavingIsNoError() throws {
    _ = try channel.finish()
    #expect(peer.closed == 1)
    #expect(peer.error == nil)
  }

  @Test func closingTheLinkClosesTheChannel() throws {
    link.send(.kill, stream: 1)
    link.close()
    channel.embeddedEventLoop.run()
    #expect(try channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(bytes: [2, 0x14, 1]))
    #expect(!channel.isActive)
    #expect(peer.closed == 1)
  }
}
