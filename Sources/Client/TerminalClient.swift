// A Swift client of `fairlead.v1`: one connection, many streams, each of which resumes by itself at
// the byte where it left off.
//
//     let client = try TerminalClient(url: "http://127.0.0.1:7070")
//     let terminal = client.open(Open(session: nil, create: Creation(), size: .standard))
//     try await terminal.type("echo hello\n")
//     for await event in terminal.events { … }

public import Logging
public import NIOCore
public import NIOPosix
public import TLS
public import Wire

/// A connection to a Fairlead cluster. Connects when the first stream is opened; a connection that
/// breaks is made again at once, then with growing delays, for as long as there are streams.
public final class TerminalClient: Sendable {
  /// The name that this client keeps across reconnects.
  public let id: ClientID
  private let core: NIOLoopBoundBox<ClientCore>
  private let eventLoop: any EventLoop

  /// - Parameters:
  ///   - url: of a router or of the load balancer before it, such as `http://127.0.0.1:7070` or
  ///     `https://terminals.example.com`.
  ///   - tls: whom to believe, and which certificate to show, where the URL asks for TLS; the
  ///     operating system's CAs and none if nil.
  ///   - token: asked for a token at every connection, and whenever the last one runs out; nil from
  ///     it: none is sent. It must answer at once.
  /// - Throws: ``ClientError`` when `url` is none.
  public init(
    url: String, id: ClientID = .random(), tls: TLSContext? = nil,
    token: @escaping @Sendable () -> String? = { nil },
    delays: ReconnectDelays = ReconnectDelays(),
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
    logger: Logger = Logger(label: "fairlead.client") { _ in SwiftLogNoOpLogHandler() }
  ) throws {
    self.id = id
    eventLoop = group.next()
    core = .makeBoxSendingValue(
      ClientCore(
        endpoint: try Endpoint(url), tls: tls, client: id, token: token, delays: delays,
        logger: logger,
        eventLoop: eventLoop),
      eventLoop: eventLoop)
  }

  /// Opens a stream. Its events say what becomes of it.
  /// - Parameter startsAnew: a session that is to be created is created also where one of its id was lost with its
  ///   node, after ``TerminalEvent/lost(_:)``. Otherwise that is an end (`refused`).
  public func open(_ open: Open, startsAnew: Bool = false) -> TerminalStream {
    let stream = ClientStream(open, of: id, startsAnew: startsAnew)
    let (events, continuation) = AsyncStream.makeStream(of: TerminalEvent.self)
    let entry = NIOLoopBoundBox.makeBoxSendingValue(
      StreamEntry(stream, continuation), eventLoop: eventLoop)
    eventLoop.execute { [core] in core.value.add(entry.value) }
    return TerminalStream(
      session: stream.session, core: core, entry: entry, eventLoop: eventLoop, events: events)
  }

  /// Ends the TCP connection abruptly, as a dying network would; the streams resume.
  public func cut() async throws {
    try await eventLoop.submit { [core] in core.value.cut() }.get()
  }

  /// Leaves all streams and closes. Sessions live on.
  public func close() async throws {
    try await eventLoop.submit { [core] in core.value.close() }.get()
  }
}

/// One attachment to one session.
public final class TerminalStream: Sendable {
  public let session: SessionID
  /// For one consumer; what it does not ask for is not acknowledged, and the server waits.
  public let events: TerminalEvents
  private let core: NIOLoopBoundBox<ClientCore>
  private let entry: NIOLoopBoundBox<StreamEntry>
  private let eventLoop: any EventLoop

  init(
    session: SessionID, core: NIOLoopBoundBox<ClientCore>, entry: NIOLoopBoundBox<StreamEntry>,
    eventLoop: any EventLoop, events: AsyncStream<TerminalEvent>
  ) {
    self.session = session
    self.core = core
    self.entry = entry
    self.eventLoop = eventLoop
    self.events = TerminalEvents(stream: events) { count in
      eventLoop.execute {
        core.value.perform(entry.value.stream.consume(count), for: entry.value)
      }
    }
  }

  /// Where the stream stands.
  public struct Position: Sendable, Equatable {
    public var life: Life?
    /// The next output offset; nil before there is a screen.
    public var next: UInt64?
    /// Input known to be in the pipe.
    public var acknowledgedInput: UInt64
  }

  public func position() async throws -> Position {
    try await eventLoop.submit { [entry] in
      let stream = entry.value.stream
      return Position(
        life: stream.life, next: stream.next, acknowledgedInput: stream.acknowledgedInput)
    }.get()
  }

  /// Types without waiting: what does not fit the window is kept here, up to 16 MiB; what is more is told by
  /// ``TerminalEvent/notTyped(bytes:because:)``.
  public func post(_ bytes: ByteBuffer) { perform { $0.type(bytes) } }

  /// Types an interrupt (a Ctrl-C), before all that was not sent yet: that is dropped, and told.
  public func interrupt(_ bytes: ByteBuffer) { perform { $0.interrupt(bytes) } }

  /// Types, and returns when all of it is on its way: at most 64 KiB are at a time.
  /// - Throws: ``ClientError`` when the stream ends first.
  public func type(_ bytes: ByteBuffer) async throws {
    post(bytes)
    try await wait(for: .sent)
  }

  public func type(_ text: String) async throws { try await type(ByteBuffer(string: text)) }

  /// Returns when everything typed has been written to the pipe.
  /// - Throws: ``ClientError`` when the stream ends first.
  public func flush() async throws { try await wait(for: .acknowledged) }

  private func wait(for limit: StreamEntry.Limit) async throws {
    try await eventLoop.flatSubmit { [entry, eventLoop] in
      let promise = eventLoop.makePromise(of: Void.self)
      entry.value.wait(for: limit, promise)
      return promise.futureResult
    }.get()
  }

  /// The user's terminal has this size now.
  public func resize(_ size: TerminalSize) { perform { $0.resize(size) } }

  /// The user's terminal has these colours now, for programs that ask.
  public func setColors(_ colors: ThemeColors) { perform { $0.recolor(colors) } }

  /// Takes the size from whoever has it.
  public func takeSize() { perform { $0.take() } }

  /// Ends the session and its process.
  public func kill() { perform { $0.kill() } }

  /// Leaves; the session lives on.
  public func close() { perform { $0.leave() } }

  private func perform(
    _ change: @escaping @Sendable (inout ClientStream) -> [ClientStream.Action]
  ) {
    eventLoop.execute { [core, entry] in
      core.value.perform(change(&entry.value.stream), for: entry.value)
    }
  }
}
