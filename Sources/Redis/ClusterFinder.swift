// The server of a Redis Cluster that has a slot. Any of its servers says so (`CLUSTER SLOTS`); a few are asked at the
// same time, others at the next try, since one that hangs, or has yet to hear of a failover, is as good as none.

import Logging
import NIOCore
import Transport
import Wire

/// Confined to its client's loop.
final class ClusterFinder: PrimaryFinder {
  private let endpoint: RedisEndpoint
  private let slot: Int
  private let eventLoop: any EventLoop
  /// One server that is away is no trouble while others answer.
  private let quiet: Logger
  private let layer: SocketLayer
  /// Those of the URL, and those that they told of.
  private var servers: [Address]
  private var next = 0
  /// What a server has told by MOVED, for the next who asks.
  private var told: Address?

  init(
    _ endpoint: RedisEndpoint, slot: Int, on eventLoop: any EventLoop, logger: Logger,
    layer: SocketLayer
  ) {
    self.endpoint = endpoint
    self.slot = slot
    self.eventLoop = eventLoop
    var quiet = logger
    quiet.logLevel = .error
    self.quiet = quiet
    self.layer = layer
    servers = endpoint.servers
  }

  func learn(_ address: Address) { told = address }
  func watch(_ moved: @escaping (Address) -> Void) {}
  func shutdown() {}

  func find() -> EventLoopFuture<Address> {
    if let told {
      self.told = nil
      return eventLoop.makeSucceededFuture(told)
    }
    let asked = (0..<min(RedisLimits.askedAtOnce, servers.count)).map {
      servers[(next + $0) % servers.count]
    }
    next = (next + asked.count) % servers.count
    let promise = eventLoop.makePromise(of: Address.self)
    let left = NIOLoopBoundBox(asked.count, eventLoop: eventLoop)
    let isDecided = NIOLoopBoundBox(false, eventLoop: eventLoop)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    for address in asked {
      ask(address).whenComplete { result in
        left.value -= 1
        guard !isDecided.value else { return }
        switch result {
        case .success(let map):
          bound.value.remember(map.servers)
          isDecided.value = true
          promise.succeed(map.primary)
        case .failure(let error):
          guard left.value == 0 else { return }
          isDecided.value = true
          promise.fail(error)
        }
      }
    }
    return promise.futureResult
  }

  private func ask(_ address: Address) -> EventLoopFuture<SlotMap> {
    let core = RedisCore(
      endpoint.server(at: address), on: eventLoop, logger: quiet, layer: layer)
    let bound = NIOLoopBound(core, eventLoop: eventLoop)
    let slot = slot
    return core.send(RedisCommand(["CLUSTER", "SLOTS"])).flatMapThrowing { value in
      try SlotMap(value, slot: slot, askedAt: address)
    }.flatMapErrorThrowing { error in
      guard let error = error as? RedisError, error.code == .refused else { throw error }
      throw RedisError(
        .misconfigured,
        "\(address) is no server of a Redis Cluster: write it as redis:// (\(error.message))")
    }.always { _ in bound.value.shutdown() }
  }

  /// Those of the URL come first: whoever wrote it meant them to stay.
  private func remember(_ found: [Address]) {
    var known = endpoint.servers
    for server in found {
      guard known.count < RedisLimits.remembered else { break }
      if !known.contains(server) { known.append(server) }
    }
    servers = known
    next %= servers.count
  }
}
