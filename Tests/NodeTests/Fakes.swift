// What stands around a session under test: a pipe that a test speaks for, a link that keeps what is
// written, and a loop that does nothing.

import Auth
import Link
import NIOCore
import NIOEmbedded
import Pipes
import Wire

@testable import Node

func bytes(_ frame: Frame, stream: UInt64 = 1) -> ByteBuffer {
  var buffer = ByteBuffer()
  buffer.writeFrame(frame, stream: stream)
  return buffer
}

final class FakePipe: Pipe {
  let eventLoop: any EventLoop
  weak var delegate: (any PipeDelegate)?
  var isReading = false
  var hasForegroundJob: Bool?
  private(set) var sizes: [TerminalSize] = []
  private(set) var written = ByteBuffer()
  private(set) var isTerminated = false

  init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func prints(_ count: Int) { delegate?.pipeDidRead(ByteBuffer(repeating: 0x61, count: count)) }
  func prints(_ text: String) { delegate?.pipeDidRead(ByteBuffer(string: text)) }
  func ends() { delegate?.pipeDidEnd(.exited(code: 0), reason: nil) }

  func write(_ bytes: ByteBuffer) {
    written.writeImmutableBuffer(bytes)
    delegate?.pipeDidWrite(bytes.readableBytes)
  }
  func resize(_ size: TerminalSize) { sizes.append(size) }
  func signal(_ signal: PipeSignal) {}
  func terminate(grace: TimeAmount) { isTerminated = true }
}

final class FakeTransport: LinkTransport {
  let isWritable = true
  var writes: [ByteBuffer] = []
  func write(_ buffer: ByteBuffer) { writes.append(buffer) }
  func close() {}
}

/// The node behind the session and the link.
final class Nobody: SessionOwner, RouterLinkOwner {
  let clusterName = "test"
  let linkKey: LinkKey? = nil
  let welcome = Welcome(time: 0, node: "test")
  let turns: ScreenTurns
  let pages = PageSource.heap
  private(set) var ended: [Session] = []

  init(_ eventLoop: any EventLoop) { turns = ScreenTurns(eventLoop: eventLoop) }

  func sessionDidEnd(_ session: Session) { ended.append(session) }
  func routerLink(_ link: RouterLink, open request: LinkOpen, stream: UInt64) {}
  func routerLink(_ link: RouterLink, request: LinkRequest) {}
  func routerLinkDidClose(_ link: RouterLink) {}
  func routerLink(_ link: RouterLink, refused problem: String) {}
}

extension Session {
  convenience init(
    _ pipe: FakePipe, owner: any SessionOwner, creation: Creation = Creation(),
    subject: String? = nil, size: TerminalSize = .standard, settings: NodeSettings = NodeSettings()
  ) {
    self.init(
      id: .random(), epoch: Epoch(1), creation: creation,
      creator: ClientIdentity(client: .random(), subject: subject), size: size, pipe: pipe,
      settings: settings, createdAt: 0, owner: owner)
  }
}

/// A session on a loop of the test's, and clients on one link to it.
final class EmbeddedSession {
  let loop = EmbeddedEventLoop()
  let pipe: FakePipe
  let nobody: Nobody
  let session: Session
  private let transport = FakeTransport()
  private let routerLink: RouterLink
  private let link: Link
  private var decoder = FrameDecoder()
  private var heard: [(stream: UInt64, frame: Frame)] = []

  init(
    _ creation: Creation = Creation(), subject: String? = nil, size: TerminalSize = .standard,
    settings: NodeSettings = NodeSettings()
  ) {
    pipe = FakePipe(loop)
    nobody = Nobody(loop)
    session = Session(
      pipe, owner: nobody, creation: creation, subject: subject, size: size, settings: settings)
    routerLink = RouterLink(owner: nobody)
    link = Link(eventLoop: loop, peer: routerLink, transport: transport)
    routerLink.start(link)
    link.transportDidRead(bytes(.hello(Hello(cluster: "test")), stream: 0))
  }

  deinit {
    link.close()
    // No timer may hold the loop, and the loop them.
    loop.advanceTime(by: .seconds(60))
  }

  @discardableResult
  func attach(
    _ number: UInt64, mode: StreamMode = .driver, size: TerminalSize = .standard,
    access: Access = .open, sent: UInt64 = 0, consumed: UInt64 = 0, isNew: Bool = false
  ) -> SessionStream {
    let request = LinkOpen(
      client: .random(), access: access, from: "a test", sent: sent, consumed: consumed,
      open: Open(session: session.id, size: size, mode: mode))
    let stream = SessionStream(
      number: number, request: request, rights: access.rights(owner: session.owner) ?? .read,
      owner: session.owner, link: routerLink)
    routerLink.add(stream)
    session.attach(stream, request: request, created: isNew)
    return stream
  }

  func send(_ frame: Frame, stream: UInt64 = 1) {
    link.transportDidRead(bytes(frame, stream: stream))
  }

  /// What has left for the stream so far, and what has yet to.
  func frames(_ stream: UInt64 = 1) throws -> [Frame] {
    settle()
    for write in transport.writes { decoder.append(write) }
    transport.writes = []
    while let next = try decoder.next() { heard.append(next) }
    return heard.filter { $0.stream == stream }.map(\.frame)
  }

  /// Gives every screen its turns until nothing waits for one.
  func settle() {
    loop.run()
    while session.awaitsTurn || session.hasWork {
      loop.advanceTime(by: NodeLimits.screenPause)
      loop.run()
    }
  }
}
