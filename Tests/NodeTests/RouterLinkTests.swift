// When a stream's output leaves: an echo at once, a flood in whole frames, and what is left of it soon
// after (promise P7).

import Auth
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
  private let nobody = Nobody()
  private let pipe: FakePipe
  private let session: Session
  private let routerLink: RouterLink
  private let link: Link

  init() throws {
    pipe = FakePipe(loop)
    session = Session(
      id: .random(), epoch: Epoch(1), creation: Creation(), subject: nil, size: .standard,
      pipe: pipe,
      settings: NodeSettings(), createdAt: 0, owner: nobody)
    routerLink = RouterLink(owner: nobody)
    link = Link(eventLoop: loop, peer: routerLink, transport: transport)
    routerLink.start(link)
    link.transportDidRead(frame(.hello(Hello(cluster: "test")), stream: 0))
    let request = LinkOpen(
      client: .random(), access: .open, from: "a test",
      open: Open(session: session.id, size: .standard))
    let stream = SessionStream(
      number: 1, request: request, rights: .write, mayKill: true, link: routerLink)
    routerLink.add(stream)
    session.attach(stream, request: request, created: true)
    _ = try sent()
  }

  deinit {
    link.close()
    loop.run()
  }

  @Test func anEchoLeavesAtOnceHoweverManyBeforeItAreNotAcknowledged() throws {
    for _ in 0..<100 {
      pipe.prints(100)
      #expect(try sent() == [100])
    }
  }

  @Test func aFloodLeavesInWholeFrames() throws {
    pipe.prints(WireLimits.dataPayload)
    #expect(try sent() == [WireLimits.dataPayload])
    for _ in 0..<2 {
      for _ in 0..<3 {
        pipe.prints(4_096)
        #expect(try sent() == [])
      }
      pipe.prints(WireLimits.dataPayload - 3 * 4_096)
      #expect(try sent() == [WireLimits.dataPayload])
    }
  }

  @Test func theRestOfAFloodLeavesSoonAfterIt() throws {
    for _ in 0..<3 {
      pipe.prints(WireLimits.dataPayload)
      pipe.prints(4_096)
      #expect(try sent() == [WireLimits.dataPayload, 4_096], "the turn was its own already")
      pipe.prints(100)
      #expect(try sent() == [])
      loop.advanceTime(by: NodeLimits.gathering)
      loop.advanceTime(by: NodeLimits.gathering)
      #expect(try sent() == [100])
    }
  }

  @Test func theRestOfAFloodLeavesWhenTheClientHasSeenWhatWasBefore() throws {
    pipe.prints(WireLimits.dataPayload)
    #expect(try sent() == [WireLimits.dataPayload])
    pipe.prints(100)
    #expect(try sent() == [])
    link.transportDidRead(frame(.outputAck(offset: 1, consumed: 1), stream: 1))
    #expect(try sent() == [100])
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
    return sizes
  }
}

private func frame(_ frame: Frame, stream: UInt64) -> ByteBuffer {
  var buffer = ByteBuffer()
  buffer.writeFrame(frame, stream: stream)
  return buffer
}

private final class FakePipe: Pipe {
  let eventLoop: any EventLoop
  weak var delegate: (any PipeDelegate)?
  var isReading = false
  var hasForegroundJob: Bool? { nil }
  init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }
  func prints(_ count: Int) { delegate?.pipeDidRead(ByteBuffer(repeating: 0x61, count: count)) }
  func write(_ bytes: ByteBuffer) {}
  func resize(_ size: TerminalSize) {}
  func signal(_ signal: PipeSignal) {}
  func terminate(grace: TimeAmount) {}
}

private final class FakeTransport: LinkTransport {
  let isWritable = true
  var writes: [ByteBuffer] = []
  func write(_ buffer: ByteBuffer) { writes.append(buffer) }
  func close() {}
}

/// The node behind the session and the link, which does nothing.
private final class Nobody: SessionOwner, RouterLinkOwner {
  let clusterName = "test"
  let linkKey: LinkKey? = nil
  let welcome = Welcome(time: 0, node: "test")
  func sessionDidEnd(_ session: Session) {}
  func routerLink(_ link: RouterLink, open request: LinkOpen, stream: UInt64) {}
  func routerLink(_ link: RouterLink, request: LinkRequest) {}
  func routerLinkDidClose(_ link: RouterLink) {}
  func routerLink(_ link: RouterLink, refused problem: String) {}
}
