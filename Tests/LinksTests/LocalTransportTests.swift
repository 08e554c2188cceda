// A link inside one process: what is written arrives in order, from the first byte on, and either end
// can close it (promise P1).

import Links
import NIOCore
import NIOEmbedded
import Testing
import Wire

@Suite final class LocalTransportTests {
  /// Both ends on one loop that runs when told, so that every order of events is the test's own.
  let loop = EmbeddedEventLoop()
  let near = RecordingPeer()
  let far = RecordingPeer()
  let nearLink: Link
  private let accepted = Accepted()

  private final class Accepted { var link: Link? }

  init() {
    let far = NIOLoopBound(far, eventLoop: loop)
    let accepted = NIOLoopBound(accepted, eventLoop: loop)
    let loop = NIOLoopBound(loop, eventLoop: loop)
    let transport = LocalTransport.connect(from: self.loop, to: self.loop) { transport in
      let link = Link(eventLoop: loop.value, peer: far.value, transport: transport)
      transport.attach(link)
      accepted.value.link = link
    }
    nearLink = Link(eventLoop: self.loop, peer: near, transport: transport)
    transport.attach(nearLink)
  }

  /// A link and its transport hold each other until they are closed.
  deinit {
    nearLink.close()
    loop.run()
  }

  @Test func whatIsSentBeforeTheOtherEndExistsArrivesInOrder() {
    for number in 0..<100 { nearLink.send(.inputAck(offset: UInt64(number)), stream: 1) }
    loop.run()
    for number in 100..<200 { nearLink.send(.inputAck(offset: UInt64(number)), stream: 1) }
    loop.run()
    #expect(far.frames == (0..<200).map { .inputAck(offset: $0) })
  }

  @Test func answersComeBack() {
    far.onFrame = { [accepted] _ in accepted.link?.send(.take, stream: 1) }
    nearLink.send(.kill, stream: 1)
    loop.run()
    #expect(near.frames == [.take])
  }

  @Test func closingTheNearEndTellsTheFarOneAfterWhatWasSaid() {
    nearLink.send(.kill, stream: 1)
    nearLink.close()
    loop.run()
    #expect(far.frames == [.kill])
    #expect(far.closed == 1)
    #expect(far.error == nil)
    #expect(near.closed == 1)
  }

  @Test func closingTheFarEndTellsTheNearOne() throws {
    loop.run()
    let link = try #require(accepted.link)
    link.send(.take, stream: 1)
    link.close()
    nearLink.send(.kill, stream: 1)
    loop.run()
    #expect(near.frames == [.take])
    #expect(near.closed == 1)
    #expect(far.closed == 1)
    #expect(far.frames.isEmpty, "what arrives after the end is nobody's")
  }

  @Test func anEndThatIsFarAheadWaitsForTheOther() {
    loop.run()
    let input = Frame.input(offset: 0, ByteBuffer(repeating: 0, count: 16_000))
    var isAsked = 0
    // The far end's loop is this one: while the near end writes, it takes nothing.
    while !nearLink.isCongested, isAsked < 10_000 {
      nearLink.send(input, stream: 1)
      isAsked += 1
    }
    loop.run()
    #expect(far.frames.count == isAsked)
    #expect(!nearLink.isCongested)
    #expect(near.drained == 1)
  }
}
