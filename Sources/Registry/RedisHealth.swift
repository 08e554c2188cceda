// What a Redis says of itself.

import Redis
import Transport
import Wire

extension RedisRegistry {
  public func health() async throws -> RegistryHealth {
    let start = ContinuousClock.now
    let time = try await send(["TIME"]).array
    let took = ContinuousClock.now - start
    let here = WallClock.milliseconds
    var health = RegistryHealth(kind: .redis, warnings: try await warnings())
    health.latency = took / .milliseconds(1)
    if let time, time.count == 2, let seconds = time[0].string.flatMap({ Int($0) }),
      let micros = time[1].string.flatMap({ Int($0) }), seconds < 1 << 40
    {
      health.clock = seconds * 1_000 + micros / 1_000 - Int(clamping: here)
    }
    let use = await redis.use()
    health.mode =
      switch redis.endpoint.kind {
      case .one: .one
      case .sentinel: .sentinel
      case .cluster: .cluster
      }
    health.primary = use.primary.map { $0.authority ?? $0.description }
    health.connects = use.connections
    health.commands = use.commands
    health.timeouts = use.timeouts
    health.redirections = use.redirections
    let server = try await info("server") ?? ""
    health.version = RedisInfo.value(of: "redis_version", in: server)
    health.uptime = RedisInfo.value(of: "uptime_in_seconds", in: server).flatMap { Int($0) }
    let memory = try await info("memory") ?? ""
    health.memory = RedisInfo.value(of: "used_memory", in: memory).flatMap { UInt64($0) }
    health.memoryLimit = RedisInfo.value(of: "maxmemory", in: memory).flatMap { UInt64($0) }
    health.policy = RedisInfo.value(of: "maxmemory_policy", in: memory)
    let stats = try await info("stats") ?? ""
    health.evicted = RedisInfo.value(of: "evicted_keys", in: stats).flatMap { UInt64($0) }
    let replication = try await info("replication") ?? ""
    health.role = RedisInfo.value(of: "role", in: replication)
    let clients = try await info("clients") ?? ""
    health.connections = RedisInfo.value(of: "connected_clients", in: clients).flatMap {
      Int($0)
    }
    return health
  }
}
