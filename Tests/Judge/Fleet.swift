// What a trial runs against: routers and nodes with chaos in all their connections.

public import Chaos
import Client
import Logging
import NIOCore
import NIOPosix
import Node
import Pipes
import Registry
import Router
public import TestSupport
public import Wire

/// Where clients connect, and the proxies that they and the servers speak through.
public struct Fleet: Sendable {
  /// Sessions take turns at these.
  public var urls: [String]
  public var proxies: [ChaosProxy]
  /// Where the processes of its sessions run; sessions take turns at these, too.
  public var targets = [Target.pty]
  /// Its sessions of this machine may be lost, if that is told.
  public var losesSessions = false
  var routers: Routers?
  /// Past the proxies, and the process behind, of `serve`.
  public var direct = ""
  public var server: ChildProcess?

  public init(url: String, proxies: [ChaosProxy]) {
    urls = [url]
    self.proxies = proxies
  }

  public var url: String { urls[0] }

  /// The same fleet, with sessions whose processes run at `target`.
  public func with(target: Target) -> Fleet {
    var fleet = self
    fleet.targets = [target]
    return fleet
  }

  public var cuts: Int { proxies.reduce(0) { $0 + $1.counts.cuts } }

  static func client(_ profile: ChaosProfile, port: Int, seed: UInt64) async throws -> ChaosProxy {
    try await ChaosProxy.start(
      before: ("127.0.0.1", port), framing: .webSocket, profile: profile, seed: seed)
  }

  // MARK: serve

  /// `fairlead serve` as a process, chaos before it.
  public static func serve(
    _ profile: ChaosProfile = .faithful, seed: UInt64 = 0, options: [String] = [],
    _ body: @Sendable (Fleet) async throws -> Void
  ) async throws {
    let server = try ChildProcess(
      Products.path("fairlead"), ["serve", "--listen", "127.0.0.1:0", "--no-auth"] + options)
    let line = try await server.line(with: "serves on")
    let proxy = try await client(profile, port: try TestSupport.port(in: line), seed: seed)
    var fleet = Fleet(url: "http://127.0.0.1:\(proxy.port)", proxies: [proxy])
    fleet.server = server
    fleet.direct = "http://127.0.0.1:\(try TestSupport.port(in: line))"
    try await body(fleet)
    try await proxy.stop()
    guard server.isRunning else { throw ChildError("serve died: \(server.output)") }
    server.signal(15)
    // With a thousand sessions, on a machine that is busy with other tests.
    try await server.waitForExit(atMost: .seconds(120))
  }

  // MARK: Docker

  /// Runs `body` with a Docker engine whose container has the generator in it: the options that tell a
  /// node of the engine, and the target of its sessions.
  /// - Throws: ``ChildError`` where there can be no engine.
  public static func withDocker(
    _ body: (_ options: [String], _ target: Target) async throws -> Void
  ) async throws {
    let engine = try await DockerEngine.shared()
    try await engine.install(Trial.generator)
    try await body(
      ["--docker", "unix://\(engine.socket)"], .docker(container: engine.container))
  }

  // MARK: A router and a node in this process

  /// A router and a node with a socket between them, chaos before both.
  public static func linked(
    _ profile: ChaosProfile, links: ChaosProfile, seed: UInt64,
    _ body: @Sendable @escaping (Fleet) async throws -> Void
  ) async throws {
    // One loop, so that the node listens on one port.
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let logger = Logger(label: "judge") { _ in SwiftLogNoOpLogHandler() }
    let registry = MemoryRegistry()
    let port = try freePort()
    let link = try await ChaosProxy.start(
      before: ("127.0.0.1", port), framing: .link, profile: links, seed: seed)
    let node = try await Node(
      NodeConfiguration(
        id: NodeID(unchecked: "judged"), listen: NodeAddress(host: "127.0.0.1", port: port),
        advertise: NodeAddress(host: "127.0.0.1", port: link.port),
        pipes: PipeStarters([(.pty, PTYStarter(environment: ["PATH": "/usr/bin:/bin"]))]),
        logger: logger),
      registry: registry, group: group)
    let (nodeReady, nodeStarted) = AsyncStream.makeStream(of: Void.self)
    let (ports, listening) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await node.run { _ in nodeStarted.yield() } }
      _ = await nodeReady.first { _ in true }
      let router = try await Router(
        RouterConfiguration(name: "judge", host: "127.0.0.1", port: 0, logger: logger),
        registry: registry, group: MultiThreadedEventLoopGroup.singleton)
      tasks.addTask { try await router.run { listening.yield($0) } }
      guard let port = await ports.first(where: { _ in true }) else { return }
      let front = try await client(profile, port: port, seed: seed &+ 1)
      try await body(Fleet(url: "http://127.0.0.1:\(front.port)", proxies: [front, link]))
      // Faithful from here on, so that the end is not cut.
      link.setProfile(.faithful)
      try await front.stop()
      tasks.cancelAll()
    }
    try await link.stop()
    try await group.shutdownGracefully()
  }
}
