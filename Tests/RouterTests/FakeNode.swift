// A node that does what a test says, on a real loopback socket, and a real router before it.

import Links
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Registry
import TestSupport
import Wire

@testable import Router

final class FakeNode: Sendable {
  /// Told every frame but HELLO, on the link's loop; answers through `send`.
  typealias Script = @Sendable (_ frame: Frame, _ stream: UInt64, _ link: Link) -> Void

  /// A bare closure in a locked box would be wrapped once more at every access.
  private struct Acting { var script: Script }

  private final class Peer: LinkPeer {
    let node: FakeNode
    var link: Link?
    init(_ node: FakeNode) { self.node = node }

    func linkDidReceive(_ frame: Frame, stream: UInt64) {
      guard let link else { return }
      if case .hello = frame, node.greets {
        var welcome = Welcome(
          time: 0, node: node.id.rawValue, incarnation: node.incarnation)
        if node.isEarlier { welcome.creates = nil }
        link.send(.welcome(welcome), stream: 0)
      } else {
        node.received.withLockedValue { $0.append((stream, frame)) }
        node.acting.withLockedValue { $0 }.script(frame, stream, link)
      }
    }
    func linkFill(_ buffer: inout ByteBuffer) -> Bool { false }
    func linkDidDrain() {}
    func linkDidClose(_ error: (any Error)?) { link = nil }
  }

  let id: NodeID
  let incarnation: Incarnation
  /// False: HELLO is told to the script, too, and nothing is answered.
  private let greets: Bool
  /// Of a version that knows no `create.user`.
  private let isEarlier: Bool
  private let received = NIOLockedValueBox<[(stream: UInt64, frame: Frame)]>([])
  private let acting: NIOLockedValueBox<Acting>
  private let links = NIOLockedValueBox<[any Channel]>([])
  private let listener = NIOLockedValueBox<(any Channel)?>(nil)
  let connections = NIOLockedValueBox(0)

  init(
    _ id: String, incarnation: Incarnation = ScriptedNode.incarnation, greets: Bool = true,
    isEarlier: Bool = false, script: @escaping Script
  ) {
    self.incarnation = incarnation
    self.id = NodeID(unchecked: id)
    self.greets = greets
    self.isEarlier = isEarlier
    acting = NIOLockedValueBox(Acting(script: script))
  }

  func act(_ script: @escaping Script) { acting.withLockedValue { $0.script = script } }

  /// - Parameter port: 0 for a free one.
  func listen(port: Int = 0) async throws -> Int {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      // Little of what it does not read is out of sight of the router.
      .serverChannelOption(.socketOption(.so_rcvbuf), value: 64 * 1024)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let transport = SocketTransport()
          let peer = Peer(self)
          let link = Link(eventLoop: channel.eventLoop, peer: peer, transport: transport)
          peer.link = link
          transport.attach(link)
          try channel.pipeline.syncOperations.addHandler(transport)
          // The link holds its peer weakly; the channel's end lets go of both.
          let bound = NIOLoopBound(peer, eventLoop: channel.eventLoop)
          // While it reads nothing, or a flood, it answers no PING: the router must not take it for gone.
          let pings = channel.eventLoop.scheduleRepeatedTask(
            initialDelay: .seconds(1), delay: .seconds(1)
          ) { _ in bound.value.link?.send(.ping(0), stream: 0) }
          channel.closeFuture.whenComplete { _ in
            pings.cancel()
            bound.value.link = nil
          }
          self.links.withLockedValue { $0.append(channel) }
          self.connections.withLockedValue { $0 += 1 }
        }
      }
      .bind(host: "127.0.0.1", port: port).get()
    listener.withLockedValue { $0 = channel }
    return channel.localAddress?.port ?? 0
  }

  /// False: its links are read no further.
  func setReading(_ isReading: Bool) async throws {
    for channel in links.withLockedValue({ $0 }) {
      try await channel.setOption(.autoRead, value: isReading).get()
    }
  }

  func breakLinks() {
    let channels = links.withLockedValue { links in
      defer { links = [] }
      return links
    }
    for channel in channels { channel.close(promise: nil) }
  }

  /// Takes no connection any more.
  func stop() async throws {
    try await listener.withLockedValue { $0 }?.close().get()
    breakLinks()
  }

  func heard(_ matches: (Frame) -> Bool) -> [Frame] {
    received.withLockedValue { $0.map(\.frame).filter(matches) }
  }

  var opens: [LinkOpen] {
    heard { $0.type == .linkOpen }.compactMap {
      if case .linkOpen(let open) = $0 { open } else { nil }
    }
  }

  var inputs: [Frame] { heard { $0.type == .input } }

  func register(_ registry: MemoryRegistry, port: Int, holder: String? = nil) async {
    _ = await registry.heartbeat(
      NodeRecord(
        id: id, incarnation: incarnation,
        loops: [NodeAddress(host: "127.0.0.1", port: port)], labels: ["pty": "true"],
        capacity: 1_000, holder: holder), isRenewal: false)
  }
}

/// Runs `body` with a real router, which listens on the port it is given.
func withRouter(
  _ registry: any Registry, _ body: @Sendable @escaping (_ port: Int) async throws -> Void
) async throws {
  let router = try await Router(
    RouterConfiguration(
      name: "test", host: "127.0.0.1", port: 0,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
    registry: registry, group: MultiThreadedEventLoopGroup.singleton)
  let (ports, listening) = AsyncStream.makeStream(of: Int.self)
  try await withThrowingTaskGroup(of: Void.self) { tasks in
    tasks.addTask { try await router.run { listening.yield($0) } }
    guard let port = await ports.first(where: { _ in true }) else { return }
    try await body(port)
    tasks.cancelAll()
  }
}
