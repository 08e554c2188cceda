// The routers' records in Redis: one hash of all of them, and a sorted set of until when each is good.

import Redis
public import Wire

extension RedisRegistry {
  private var routersKey: String { "{\(cluster)}:routers" }
  private var routerLeasesKey: String { "{\(cluster)}:routers:leases" }

  public func renew(_ router: RouterRecord) async throws {
    _ = try await run(
      RouterScripts.renew, keys: [routersKey, routerLeasesKey],
      [
        RouterEntry.Key(router).text, try encode(router), String(Lease.router),
        String(RegistryLimits.silentRouter),
      ])
  }

  public func leave(router: NodeID, incarnation: Incarnation) async throws {
    let key = RouterEntry.Key(id: router, incarnation: incarnation).text
    _ = try await run(RouterScripts.leave, keys: [routersKey, routerLeasesKey], [key])
  }

  /// One whose record cannot be read, or is longer than any, is left out: nothing depends on it.
  public func routers() async throws -> [RouterEntry] {
    let answer = try await run(RouterScripts.list, keys: [routersKey, routerLeasesKey])
    guard let items = answer.array, let now = items.first?.integer, items.count % 2 == 1 else {
      throw Self.corrupt("list of routers")
    }
    return stride(from: 1, to: items.count, by: 2).compactMap { index -> RouterEntry? in
      guard let deadline = items[index].integer, let text = items[index + 1].string,
        text.utf8.count <= RegistryLimits.routerRecord,
        let record: RouterRecord = try? decode(text)
      else { return nil }
      let (left, overflow) = deadline.subtractingReportingOverflow(now)
      return RouterEntry(record: record, leaseMilliseconds: overflow ? 0 : left)
    }.sorted(by: RouterEntry.precedes)
  }
}

/// Times are Redis's own, in milliseconds.
private enum RouterScripts {
  private static let now = """
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)

    """

  /// KEYS routers, leases; ARGV which, record, lease, how long a silent one is remembered.
  static let renew = RedisScript(
    now + """
      redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
      redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
      for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], 0, now - ARGV[4])) do
        redis.call('ZREM', KEYS[2], id)
        redis.call('HDEL', KEYS[1], id)
      end
      redis.call('PEXPIRE', KEYS[1], ARGV[4] * 2)
      redis.call('PEXPIRE', KEYS[2], ARGV[4] * 2)
      return 1
      """)

  /// KEYS routers, leases; ARGV which.
  static let leave = RedisScript(
    """
    redis.call('ZREM', KEYS[2], ARGV[1])
    return redis.call('HDEL', KEYS[1], ARGV[1])
    """)

  /// KEYS routers, leases. → now, then deadline and record of each.
  static let list = RedisScript(
    now + """
      local answer = {now}
      local leases = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
      for i = 1, #leases, 2 do
        answer[#answer + 1] = leases[i + 1]
        answer[#answer + 1] = redis.call('HGET', KEYS[1], leases[i]) or ''
      end
      return answer
      """)
}
