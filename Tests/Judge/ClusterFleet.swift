// A cluster of real processes under chaos: Redis, nodes, routers, and HAProxy before the routers, with a
// proxy in every connection: client–router, router–node, and node–Redis and router–Redis.

public import Chaos
import Glibc
import TestSupport

public struct ClusterChaos: Sendable {
  public var clients = ChaosProfile()
  public var links = ChaosProfile()
  public var redis = ChaosProfile.faithful
  /// Every so often a router is killed and started again; nil: never.
  public var routerDeaths: Duration?
  /// Nodes that are killed also stand still now and then, for up to four seconds, and Redis for up to three.
  public var freezes = false
  public init() {}

  /// None.
  public static let faithful = {
    var chaos = ClusterChaos()
    (chaos.clients, chaos.links) = (.faithful, .faithful)
    return chaos
  }()
}

extension Fleet {
  /// Two nodes and two routers.
  public static func cluster(
    _ chaos: ClusterChaos, seed: UInt64, nodeOptions: [String] = [],
    _ body: @Sendable @escaping (Fleet) async throws -> Void
  ) async throws {
    try await cluster(chaos, seed: seed) { place in
      // One loop, so that the node listens on one port.
      let node = try ChildProcess(
        Products.path("fairlead"),
        [
          "node", "--id", place.id, "--redis", place.redis, "--listen", "127.0.0.1:\(place.port)",
          "--advertise", "127.0.0.1:\(place.advertised)",
        ] + nodeOptions, environment: ["NIO_SINGLETON_GROUP_LOOP_COUNT": "1"])
      _ = try await node.line(with: "takes links on")
      return node
    } body: { fleet, nodes in
      try await body(fleet)
      for node in nodes where !node.isRunning { throw ChildError("a node died: \(node.output)") }
    }
  }

  /// Where a node is to be.
  struct NodePlace {
    var id: String
    var redis: String
    var port: Int
    /// That of the proxy before it.
    var advertised: Int
  }

  static func cluster<Member>(
    _ chaos: ClusterChaos, seed: UInt64, routerOptions: [String] = [],
    startNode: (NodePlace) async throws -> Member,
    body: (Fleet, [Member]) async throws -> Void
  ) async throws {
    let redisPort = try freePort()
    let redis = try ChildProcess(
      "/usr/bin/redis-server",
      ["--port", "\(redisPort)", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
    _ = try await redis.line(with: "Ready to accept connections")
    let registry = try await ChaosProxy.start(
      before: ("127.0.0.1", redisPort), framing: .lines, profile: chaos.redis, seed: seed)
    let url = "redis://127.0.0.1:\(registry.port)"
    var proxies = [registry]
    var nodes: [Member] = []
    for number in 0..<2 {
      let port = try freePort()
      let link = try await ChaosProxy.start(
        before: ("127.0.0.1", port), framing: .link, profile: chaos.links,
        seed: seed &+ UInt64(10 + number))
      proxies.append(link)
      nodes.append(
        try await startNode(
          NodePlace(id: "n\(number)", redis: url, port: port, advertised: link.port)))
    }
    let routers = Routers(redis: url, routerOptions)
    for number in 0..<2 { try await routers.start(number) }
    let haproxy = try await TestHAProxy.start(before: await routers.all)
    let front = try await client(chaos.clients, port: haproxy.port, seed: seed &+ 1)
    proxies.append(front)
    let killing = chaos.routerDeaths.map { pause in
      Task {
        for number in 0... {
          try await Task.sleep(for: pause)
          try await routers.restart(number % 2)
        }
      }
    }
    let freezing = chaos.freezes ? Task { try await freeze(redis, seed: seed) } : nil
    defer {
      killing?.cancel()
      freezing?.cancel()
    }
    var fleet = Fleet(url: "http://127.0.0.1:\(front.port)", proxies: proxies)
    fleet.routers = routers
    try await body(fleet, nodes)
    killing?.cancel()
    freezing?.cancel()
    for proxy in proxies { try await proxy.stop() }
  }
}

extension Fleet {
  private static func freeze(_ redis: ChildProcess, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed ^ 0x7265_6469)
    while !Task.isCancelled {
      try await Task.sleep(for: .seconds(Double.random(in: 3...10, using: &random)))
      redis.signal(SIGSTOP)
      defer { redis.signal(SIGCONT) }
      try await Task.sleep(for: .seconds(Double.random(in: 0.2...3, using: &random)))
    }
  }
}

/// The routers of a fleet, of which one is dead at times.
actor Routers {
  private let redis: String
  private let options: [String]
  private var running: [Int: TestRouter] = [:]

  init(redis: String, _ options: [String] = []) {
    self.redis = redis
    self.options = options
  }

  var all: [TestRouter] { running.sorted { $0.key < $1.key }.map(\.value) }

  func start(_ number: Int, port: Int = 0) async throws {
    running[number] = try await TestRouter.start("r\(number)", redis: redis, port: port, options)
  }

  /// - Parameter signal: SIGTERM: it sends its clients away first.
  func restart(_ number: Int, with signal: Int32 = 9) async throws {
    guard let router = running[number] else { return }
    router.process.signal(signal)
    try await router.process.waitForExit(atMost: .seconds(60))
    try await start(number, port: router.port)
  }
}
