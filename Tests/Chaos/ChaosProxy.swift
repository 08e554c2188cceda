// A TCP proxy that does to connections what networks do: cuts them, holds them back, goes silent. It
// never reorders and never changes a byte, because TCP does not.
//
//     client ──► accepted channel ──Pump (up)──► channel to the target ──► server
//            ◄──────────────────── Pump (down) ◄──────────────────────

import NIOConcurrencyHelpers
public import NIOCore
public import NIOPosix

/// What a proxy has done so far.
public struct ChaosCounts: Sendable, Equatable {
  public var connections = 0
  /// Connections cut, or gone half-open.
  public var cuts = 0
  public var halfOpen = 0
  public var cutsByPlace: [CutPlace: Int] = [:]
  /// Bytes passed on, towards the target and back.
  public var up = 0
  public var down = 0
}

public enum ChaosLimits {
  /// Connections at a time; more are closed at once.
  public static let connections = 2_000
  /// Bytes held per direction of a connection; then its sender is not read any more.
  public static let held = 256 * 1024
  /// How long a half-open connection is kept before it is forgotten: longer than anybody's patience.
  public static let halfOpen = TimeAmount.seconds(60)
}

public final class ChaosProxy: Sendable {
  public let port: Int
  private let listener: any Channel
  private let shared: Shared

  final class Shared: Sendable {
    let target: (host: String, port: Int)
    let framing: Framing
    let seed: UInt64
    let profile: NIOLockedValueBox<ChaosProfile>
    let counts = NIOLockedValueBox(ChaosCounts())
    let open = NIOLockedValueBox<[Int: any Channel]>([:])

    init(target: (host: String, port: Int), framing: Framing, seed: UInt64, profile: ChaosProfile) {
      self.target = target
      self.framing = framing
      self.seed = seed
      self.profile = NIOLockedValueBox(profile)
    }
  }

  private init(listener: any Channel, shared: Shared) {
    self.listener = listener
    self.shared = shared
    port = listener.localAddress?.port ?? 0
  }

  /// Listens before `target`.
  /// - Parameter seed: with a connection's number it decides what befalls the connection.
  public static func start(
    before target: (host: String, port: Int), on host: String = "127.0.0.1", port: Int = 0,
    framing: Framing, profile: ChaosProfile, seed: UInt64,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) async throws -> ChaosProxy {
    let shared = Shared(target: target, framing: framing, seed: seed, profile: profile)
    let listener = try await ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.autoRead, value: false)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try ProxiedConnection.begin(channel, shared) }
      }
      .bind(host: host, port: port).get()
    return ChaosProxy(listener: listener, shared: shared)
  }

  public var counts: ChaosCounts { shared.counts.withLockedValue { $0 } }

  /// What befalls connections from now on; the present ones keep their plans.
  public func setProfile(_ profile: ChaosProfile) {
    shared.profile.withLockedValue { $0 = profile }
  }

  /// Resets every open connection.
  public func cutAll() {
    let channels = shared.open.withLockedValue { Array($0.values) }
    for channel in channels { Self.reset(channel) }
    shared.counts.withLockedValue { $0.cuts += channels.count }
  }

  public func stop() async throws {
    try await listener.close()
    for channel in shared.open.withLockedValue({ Array($0.values) }) { channel.close(promise: nil) }
  }

  static func reset(_ channel: any Channel) {
    let linger = linger(l_onoff: 1, l_linger: 0)
    (channel as? any SocketOptionProvider)?.setSoLinger(linger).whenFailure { _ in }
    channel.close(promise: nil)
  }
}

/// One connection through the proxy. Confined to its loop, which both of its channels share.
final class ProxiedConnection {
  private let shared: ChaosProxy.Shared
  private let number: Int
  private let client: any Channel
  private var server: (any Channel)?
  private(set) var isSilent = false
  private var isOver = false
  let plan: ConnectionPlan

  private init(_ client: any Channel, _ shared: ChaosProxy.Shared, number: Int) {
    self.client = client
    self.shared = shared
    self.number = number
    plan = shared.profile.withLockedValue { $0.plan(seed: shared.seed, index: number) }
  }

  static func begin(_ client: any Channel, _ shared: ChaosProxy.Shared) throws {
    let number = shared.counts.withLockedValue { counts in
      counts.connections += 1
      return counts.connections
    }
    let isFull = shared.open.withLockedValue { open in
      guard open.count < ChaosLimits.connections else { return true }
      open[number] = client
      return false
    }
    guard !isFull else { return client.close(promise: nil) }
    client.closeFuture.whenComplete { _ in
      shared.open.withLockedValue { $0[number] = nil }
    }
    let connection = ProxiedConnection(client, shared, number: number)
    let up = Pump(connection, connection.plan.up, framing: shared.framing, isUp: true)
    let down = Pump(connection, connection.plan.down, framing: shared.framing, isUp: false)
    try client.pipeline.syncOperations.addHandler(PumpHandler(source: up, sink: down))
    let bound = NIOLoopBound((connection, up, down), eventLoop: client.eventLoop)
    ClientBootstrap(group: client.eventLoop)
      .channelOption(.autoRead, value: false)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let (connection, up, down) = bound.value
          connection.server = channel
          try channel.pipeline.syncOperations.addHandler(PumpHandler(source: down, sink: up))
        }
      }
      .connect(host: shared.target.host, port: shared.target.port)
      .whenComplete { result in
        let (connection, up, down) = bound.value
        switch result {
        case .success(let server):
          guard !connection.isOver else { return server.close(promise: nil) }
          up.connect(from: connection.client, to: server)
          down.connect(from: server, to: connection.client)
        case .failure: connection.client.close(promise: nil)
        }
      }
  }

  func passed(_ count: Int, isUp: Bool) {
    shared.counts.withLockedValue { if isUp { $0.up += count } else { $0.down += count } }
  }

  func cut(_ cut: Fault.Cut) {
    guard !isOver, !isSilent else { return }
    shared.counts.withLockedValue { counts in
      counts.cuts += 1
      counts.cutsByPlace[cut.place, default: 0] += 1
      if cut.style == .halfOpen { counts.halfOpen += 1 }
    }
    switch cut.style {
    case .reset:
      isOver = true
      for channel in [client, server].compactMap({ $0 }) { ChaosProxy.reset(channel) }
    case .close: finish()
    case .halfOpen:
      isSilent = true
      let bound = NIOLoopBound(self, eventLoop: client.eventLoop)
      client.eventLoop.scheduleTask(in: ChaosLimits.halfOpen) { bound.value.finish() }
    }
  }

  /// One side has gone. A half-open connection does not tell the other.
  func didClose() { if !isSilent { finish() } }

  private func finish() {
    guard !isOver else { return }
    isOver = true
    client.close(promise: nil)
    server?.close(promise: nil)
  }
}
