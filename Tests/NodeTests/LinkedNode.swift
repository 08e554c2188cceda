// A real node on loopback with one event loop, and links to it that say what a test says.

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Pipes
import Registry
import Sessions
import TestSupport
import Testing
import Wire

@testable import Node

struct LinkedNode {
  let node: Node
  let port: Int

  static func run(
    capacity: Int = 100, settings: SessionSettings = SessionSettings(),
    pty: any PipeStarter = PTYStarter(environment: ["PATH": "/usr/bin:/bin"]),
    registry: MemoryRegistry = MemoryRegistry(),
    _ body: @Sendable @escaping (LinkedNode) async throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let node = try await Node(
      NodeConfiguration(
        id: NodeID(unchecked: "a"), cluster: "test",
        listen: NodeAddress(host: "127.0.0.1", port: 0),
        capacity: capacity, settings: settings, pipes: PipeStarters([(.pty, pty)]),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
      registry: registry, group: group)
    let (ports, listening) = AsyncStream.makeStream(of: Int.self)
    await withTaskGroup(of: Void.self) { tasks in
      tasks.addTask {
        do {
          try await node.run { listening.yield($0.first?.port ?? 0) }
        } catch {
          Issue.record(error)
        }
        listening.finish()
      }
      guard let port = await ports.first(where: { _ in true }) else { return }
      do {
        try await body(LinkedNode(node: node, port: port))
      } catch {
        Issue.record(error)
      }
      tasks.cancelAll()
    }
    try await group.shutdownGracefully()
  }

  func link() async throws -> TestLink {
    let link = TestLink(raw: try await RawClient.connect(port: port))
    link.send(.hello(Hello(router: "r", cluster: "test")), stream: 0)
    try await link.frame("WELCOME", stream: 0) { $0.type == .welcome }
    return link
  }
}

struct TestLink: Sendable {
  let raw: RawClient

  func send(_ frame: Frame, stream: UInt64 = 1) { raw.send(frame.bytes(stream: stream)) }

  func open(
    _ session: String, create: Creation? = nil, exclusive: Bool? = nil, as access: Access = .open,
    client: ClientID = .random(), again: Bool? = nil, size: TerminalSize = .standard,
    stream: UInt64 = 1
  ) {
    send(
      .linkOpen(
        LinkOpen(
          client: client, access: access, from: "a test", again: again,
          open: Open(
            session: SessionID(unchecked: session), create: create, size: size,
            exclusive: exclusive))), stream: stream)
  }

  func frames(stream: UInt64 = 1) throws -> [Frame] {
    var decoder = FrameDecoder()
    decoder.append(raw.received)
    var frames: [Frame] = []
    while let next = try decoder.next() {
      if next.stream == stream { frames.append(next.frame) }
    }
    return frames
  }

  /// Waits for a frame on `stream` that `matches`.
  @discardableResult
  func frame(
    _ what: String, stream: UInt64 = 1, _ matches: @escaping (Frame) -> Bool
  ) async throws -> Frame {
    var found: Frame?
    try await eventually("\(what) on stream \(stream)") {
      found = try frames(stream: stream).first(where: matches)
      return found != nil || raw.isClosed
    }
    return try #require(found, "closed before \(what)")
  }

  func opened(stream: UInt64 = 1) async throws -> Opened {
    let answer = try await frame("an answer", stream: stream) {
      $0.type == .opened || $0.type == .refused
    }
    guard case .opened(let opened) = answer else { throw ChildError("\(answer)") }
    return opened
  }

  func refused(stream: UInt64 = 1) async throws -> Refused {
    let answer = try await frame("an answer", stream: stream) {
      $0.type == .opened || $0.type == .refused
    }
    guard case .refused(let refused) = answer else { throw ChildError("\(answer)") }
    return refused
  }

  /// All bytes of OUTPUT so far.
  func output(stream: UInt64 = 1) throws -> String {
    var bytes = ByteBuffer()
    for case .output(_, var piece) in try frames(stream: stream) { bytes.writeBuffer(&piece) }
    return String(buffer: bytes)
  }

  /// Types a line that the terminal echoes, and waits for that.
  func echo(_ word: String, at offset: UInt64, stream: UInt64 = 1) async throws {
    send(.input(offset: offset, ByteBuffer(string: word + "\n")), stream: stream)
    try await eventually("an echo of \(word)") { try output(stream: stream).contains(word) }
  }

  func sessions() async throws -> [SessionSummary] {
    let id = UInt64.random(in: 1...UInt64(Int64.max))
    send(.request(LinkRequest(id: id, method: .sessions)), stream: 0)
    try await frame("the answer", stream: 0) {
      if case .response(let part) = $0 { part.id == id && part.isLast } else { false }
    }
    return try frames(stream: 0).flatMap { frame -> [SessionSummary] in
      if case .response(let part) = frame, part.id == id { part.sessions ?? [] } else { [] }
    }
  }
}

/// Starts nothing until it is told to.
final class HeldStarter: PipeStarter {
  private let held = NIOLockedValueBox<[EventLoopPromise<NIOLoopBound<any Pipe>>]>([])

  var count: Int { held.withLockedValue { $0.count } }

  func start(_ request: PipeRequest, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<any Pipe>>
  {
    let promise = eventLoop.makePromise(of: NIOLoopBound<any Pipe>.self)
    held.withLockedValue { $0.append(promise) }
    return promise.futureResult
  }

  /// The last that a node does: its loops are still there.
  func shutdown() async { fail() }

  func fail() {
    for promise in held.withLockedValue({ $0 }) {
      promise.fail(PipeError(.unavailable, "it was not to start"))
    }
  }
}
