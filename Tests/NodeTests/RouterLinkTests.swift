// When a stream's output leaves: an echo at once, a flood in whole frames, and what is left of it soon
// after (promise P7).

import Link
import NIOCore
import NIOEmbedded
import Pipes
import Testing
import Wire

@testable import Node

@Suite final class RouterLinkTests {
  private let loop = EmbeddedEventLoop()
  private let transport = FakeTransport()
  private let nobody: Nobody
  private let pipe: FakePipe
  private let session: Session
  private let routerLink: RouterLink
  private let link: Link
  private let frame = WireLimits.dataPayload
  private var received: UInt64 = 0

  init() throws {
    pipe = FakePipe(loop)
    nobody = Nobody(loop)
    session = Session(pipe, owner: nobody)
    routerLink = RouterLink(owner: nobody)
    link = Link(eventLoop: loop, peer: routerLink, transport: transport)
    routerLink.start(link)
    link.transportDidRead(bytes(.hello(Hello(cluster: "test")), stream: 0))
    let request = LinkOpen(
      client: .random(), access: .open, from: "a test",
      open: Open(session: session.id, size: .standard))
    let stream = SessionStream(
      number: 1, request: request, rights: .write, owner: nil, link: routerLink)
    routerLink.add(stream)
    session.attach(stream, request: request, created: true)
    _ = try sent()
  }

  deinit {
    link.close()
    // No timer may hold the loop, and the loop them.
    loop.advanceTime(by: .seconds(60))
  }

  @Test func anEchoLeavesAtOnceThoughThoseBeforeItAreNotAcknowledged() throws {
    for _ in 0..<100 {
      pipe.prints(100)
      #expect(try sent() == [100])
    }
  }

  @Test func aFloodLeavesInWholeFrames() throws {
    pipe.prints(frame)
    #expect(try sent() == [frame])
    var waiting = 0
    for _ in 0..<12 {
      // As a terminal hands it out.
      pipe.prints(4_096)
      waiting += 4_096
      let isWhole = waiting >= frame
      #expect(try sent() == (isWhole ? [frame] : []))
      if isWhole { waiting -= frame }
    }
  }

  @Test func theRestOfAFloodLeavesSoonAfterIt() throws {
    for _ in 0..<3 {
      pipe.prints(frame + 100)
      #expect(try sent() == [frame])
      loop.advanceTime(by: NodeLimits.gathering * 2)
      #expect(try sent() == [100])
      acknowledge()
    }
  }

  @Test func whatWaitsBehindAWholeFrameHasATimeOfItsOwn() throws {
    let half = NodeLimits.gathering.nanoseconds / 2
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    loop.advanceTime(by: .nanoseconds(half))
    pipe.prints(frame)
    #expect(try sent() == [frame])
    loop.advanceTime(by: .nanoseconds(half))
    #expect(try sent() == [], "the timer of the one before")
    loop.advanceTime(by: NodeLimits.gathering)
    #expect(try sent() == [100])
    loop.advanceTime(by: NodeLimits.gathering * 4)
    #expect(try sent() == [])
  }

  @Test func theRestOfAFloodLeavesWhenTheClientHasSeenWhatWasBefore() throws {
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    link.transportDidRead(bytes(.outputAck(offset: 1, consumed: 1)))
    #expect(try sent() == [100])
  }

  @Test func theEndWaitsForNothing() throws {
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    pipe.delegate?.pipeDidEnd(.exited(code: 0), reason: nil)
    #expect(try sent() == [100])
    #expect(session.streams.isEmpty, "ENDED was said")
  }

  @Test func aChangeOfSizeWaitsForNothing() throws {
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    link.transportDidRead(bytes(.resize(TerminalSize(columns: 100, rows: 30))))
    #expect(try sent() == [100])
    #expect(session.size.columns == 100)
  }

  @Test func aStreamThatLeavesWhileItWaitsIsForgotten() throws {
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    link.transportDidRead(bytes(.close(.done)))
    loop.advanceTime(by: NodeLimits.gathering * 2)
    #expect(try sent() == [])
  }

  /// The sizes of the OUTPUT frames that have left since the last time.
  private func sent() throws -> [Int] {
    loop.run()
    var decoder = FrameDecoder()
    for write in transport.writes { decoder.append(write) }
    transport.writes = []
    var sizes: [Int] = []
    while let (_, frame) = try decoder.next() {
      if case .output(_, let bytes) = frame { sizes.append(bytes.readableBytes) }
    }
    received += UInt64(sizes.reduce(0, +))
    return sizes
  }

  private func acknowledge() {
    link.transportDidRead(bytes(.outputAck(offset: received, consumed: received)))
  }
}
