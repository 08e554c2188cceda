// What stands around a session under test: a pipe that a test speaks for, a link that keeps what is
// written, and a loop that knows one session.

import Links
import NIOCore
import NIOEmbedded
import Pipes
import Sessions
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

  func write(_ bytes: ByteBuffer, from source: InputSource) {
    written.writeImmutableBuffer(bytes)
    delegate?.pipeDidWrite(bytes.readableBytes)
  }
  func resize(_ size: TerminalSize) { sizes.append(size) }
  func terminate(grace: TimeAmount) { isTerminated = true }
}

final class FakeTransport: LinkTransport {
  let isWritable = true
  var writes: [ByteBuffer] = []
  func write(_ buffer: ByteBuffer) { writes.append(buffer) }
  func close() {}
}

/// The loop that a session and a connection under test belong to.
final class FakeLoop: SessionDelegate, RouterConnectionDelegate {
  let screenTurns: ScreenTurns<Session>
  var greeting: NodeGreeting {
    NodeGreeting(cluster: "test", welcome: Welcome(time: 0, node: "test"), key: nil)
  }
  private(set) var ended: [Session] = []
  /// Who is asked for the session of an OPEN.
  var session: Session?
  weak var connection: RouterConnection?

  init(_ eventLoop: any EventLoop) { screenTurns = ScreenTurns(eventLoop: eventLoop) }

  func sessionIsEnding(_ session: Session) -> EventLoopFuture<Void>? { nil }
  func sessionDidEnd(_ session: Session) { ended.append(session) }
  func sessionIsUpToDate(_ session: Session) {}
  func sessionWasTaken(_ session: Session) {}
  func connection(_ number: UInt64) -> (any SessionConnection)? { connection }
  func connection(
    _ connection: RouterConnection, didReceive request: LinkOpen, stream: UInt64
  ) {
    guard let session else { return }
    connection.open(stream, request, of: session, isFirst: request.open.create != nil)
  }
  func connection(_ connection: RouterConnection, didReceive question: LinkRequest) {}
  func connection(_ connection: RouterConnection, wasRefused problem: String) {}
  func connectionDidClose(_ connection: RouterConnection) {}
}

extension Session {
  convenience init(_ pipe: FakePipe, loop: FakeLoop, size: TerminalSize = .standard) {
    let core = SessionCore(
      id: SessionID(unchecked: "s"), epoch: Epoch(1), creation: Creation(),
      creator: ClientIdentity(client: .random(), subject: nil), size: size,
      settings: SessionSettings(), createdTime: 0, now: pipe.eventLoop.now)
    self.init(core, pipe: pipe, screenTurns: loop.screenTurns, delegate: loop)
  }

  var logEnd: UInt64 { core.log.end }
  var hasWork: Bool { core.hasWork }
  var ended: Ended? { core.ended }
}

/// A session on a loop of the test's, and a connection to it.
final class EmbeddedSession {
  let loop = EmbeddedEventLoop()
  let pipe: FakePipe
  let node: FakeLoop
  let session: Session
  private let transport = FakeTransport()
  private let connection: RouterConnection
  private let link: Link
  private var decoder = FrameDecoder()
  private var heard: [(stream: UInt64, frame: Frame)] = []

  init(size: TerminalSize = .standard) {
    pipe = FakePipe(loop)
    node = FakeLoop(loop)
    session = Session(pipe, loop: node, size: size)
    node.session = session
    connection = RouterConnection(number: 0, from: "a test", delegate: node)
    node.connection = connection
    link = Link(eventLoop: loop, peer: connection, transport: transport)
    connection.start(link)
    send(.hello(Hello(cluster: "test")), stream: 0)
  }

  deinit {
    link.close()
    // No timer may hold the loop, and the loop them.
    loop.advanceTime(by: .seconds(60))
  }

  /// - Parameter isFirst: the session was started for it.
  func attach(_ stream: UInt64, mode: StreamMode = .driver, isFirst: Bool = false) {
    send(
      .linkOpen(
        LinkOpen(
          client: .random(), access: .open, from: "a test",
          open: Open(
            session: session.id, create: isFirst ? Creation() : nil, size: .standard, mode: mode))),
      stream: stream)
  }

  func send(_ frame: Frame, stream: UInt64 = 1) {
    link.transportDidRead(bytes(frame, stream: stream))
  }

  var hasStreams: Bool { session.core.hasStreams }

  /// Body bytes of output that have left so far.
  private(set) var received: UInt64 = 0

  /// What has left for the first stream since the last call, without giving a screen its turn.
  func takeFrames() throws -> [Frame] {
    try decode()
    defer { heard = [] }
    return heard.filter { $0.stream == 1 }.map(\.frame)
  }

  /// What has left for the stream so far, and what has yet to.
  func frames(_ stream: UInt64 = 1) throws -> [Frame] {
    settle()
    try decode()
    return heard.filter { $0.stream == stream }.map(\.frame)
  }

  private func decode() throws {
    for write in transport.writes { decoder.append(write) }
    transport.writes = []
    while let next = try decoder.next() {
      heard.append(next)
      received += UInt64(next.frame.creditedBytes)
    }
  }

  /// Gives every screen its turns until nothing waits for one.
  func settle() {
    loop.run()
    while node.screenTurns.isWaiting(session) || session.hasWork {
      loop.advanceTime(by: NodeLimits.screenPause)
      loop.run()
    }
  }
}
