// The registry's rules as Lua scripts, so that each is atomic. Times are Redis's own, in milliseconds.
//
// A script touches the keys of one slot only, so that a Redis Cluster works too: either the nodes'
// (`{fl}:…`) or one session's (`fl:s:{…}`).

import Redis

enum RegistryScripts {
  private static let now = """
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)

    """

  /// KEYS nodes, node, generation, grace; ARGV id, incarnation, record, lease, how long a silent node
  /// is remembered, 1 if it has registered before, how long the grace lasts, how long after its lease
  /// a node counts as dead.
  /// → {1, drains, announces} or {0, holder's incarnation, milliseconds left}.
  ///
  /// A node that has registered before and is unknown was forgotten (`announces` 1); one that counted as
  /// dead (2) may find its sessions taken for lost. The mark stays until the node has announced its
  /// sessions, so that a reply that is lost does no harm; and each heartbeat of a forgotten one until
  /// then prolongs the grace.
  static let heartbeat = RedisScript(
    now + """
      local holder = redis.call('HGET', KEYS[2], 'incarnation')
      local deadline = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
      if holder and holder ~= ARGV[2] and deadline > now then
        return {0, holder, deadline - now}
      end
      if holder ~= ARGV[2] then
        redis.call('HSET', KEYS[2], 'announces', ARGV[6])
      elseif deadline + ARGV[8] <= now and redis.call('HGET', KEYS[2], 'announces') ~= '1' then
        redis.call('HSET', KEYS[2], 'announces', '2')
      end
      local announces = redis.call('HGET', KEYS[2], 'announces')
      if announces == '1' then redis.call('SET', KEYS[4], '1', 'PX', ARGV[7]) end
      redis.call('HSET', KEYS[2], 'incarnation', ARGV[2], 'record', ARGV[3])
      redis.call('PEXPIRE', KEYS[2], ARGV[5])
      redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[1])
      redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - ARGV[5])
      redis.call('SET', KEYS[3], string.format('%.0f', now), 'NX')
      return {1, redis.call('HGET', KEYS[2], 'drains') or '0', announces}
      """)

  /// KEYS session; ARGV node, incarnation, epoch, how long the record is kept at most.
  /// → 0 if it is another's now: the larger epoch wins. One that has ended stays so, unless it was only
  /// taken for lost.
  static let announce = RedisScript(
    """
    local held = redis.call('HMGET', KEYS[1], 'node', 'incarnation', 'epoch', 'tombstone')
    local epoch = tonumber(held[3] or -1)
    local isOurs = held[1] == ARGV[1] and held[2] == ARGV[2]
    if epoch > tonumber(ARGV[3]) or epoch == tonumber(ARGV[3]) and not isOurs then return 0 end
    if epoch == tonumber(ARGV[3]) and held[4] and cjson.decode(held[4]).reason ~= 'lost' then
      return 1
    end
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'node', ARGV[1], 'incarnation', ARGV[2], 'epoch', ARGV[3],
      'state', 'owned')
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    return 1
    """)

  /// KEYS node; ARGV incarnation. The node has announced all of its sessions.
  static let announced = RedisScript(
    """
    if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then return 0 end
    return redis.call('HSET', KEYS[1], 'announces', '0')
    """)

  /// KEYS nodes, node; ARGV id, incarnation.
  static let leave = RedisScript(
    """
    if redis.call('HGET', KEYS[2], 'incarnation') ~= ARGV[2] then return 0 end
    redis.call('ZREM', KEYS[1], ARGV[1])
    return redis.call('DEL', KEYS[2])
    """)

  /// KEYS nodes; ARGV prefix of the nodes' keys. → now, then id, deadline, record, drains of each.
  static let nodes = RedisScript(
    now + """
      local answer = {now}
      local nodes = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
      for i = 1, #nodes, 2 do
        local node = redis.call('HMGET', ARGV[1] .. nodes[i], 'record', 'drains')
        if node[1] then
          for _, value in ipairs({nodes[i], nodes[i + 1], node[1], node[2] or '0'}) do
            answer[#answer + 1] = value
          end
        end
      end
      return answer
      """)

  /// KEYS node; ARGV 1 or 0. → whether there is such a node.
  static let setDraining = RedisScript(
    """
    if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
    redis.call('HSET', KEYS[1], 'drains', ARGV[1])
    return 1
    """)

  /// KEYS session; ARGV node, incarnation, how long the record is kept at most.
  /// → {1, epoch}, or {0, the record's fields…} if it is somebody else's.
  ///
  /// An epoch is the time of its claim in microseconds, or one more than the last: it rises even where
  /// the last one was forgotten. (Lua's numbers and JSON's are exact up to 2^53: the year 2255.)
  static let claim = RedisScript(
    """
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local held = redis.call('HMGET', KEYS[1], 'node', 'incarnation', 'epoch', 'state')
    if held[4] == 'owned' then
      if held[1] == ARGV[1] and held[2] == ARGV[2] then return {1, tonumber(held[3])} end
      return {0, held[1], held[2], held[3]}
    end
    local epoch = math.max(now, tonumber(held[3] or 0) + 1)
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'node', ARGV[1], 'incarnation', ARGV[2],
      'epoch', string.format('%.0f', epoch), 'state', 'owned')
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return {1, epoch}
    """)

  /// KEYS session; ARGV node, incarnation, epoch, tombstone or '', how long that is kept.
  /// → whether it was theirs.
  static let release = RedisScript(
    """
    local held = redis.call('HMGET', KEYS[1], 'node', 'incarnation', 'epoch', 'state')
    if held[4] ~= 'owned' or held[1] ~= ARGV[1] or held[2] ~= ARGV[2] or held[3] ~= ARGV[3] then
      return 0
    end
    if ARGV[4] == '' then
      redis.call('DEL', KEYS[1])
    else
      redis.call('HSET', KEYS[1], 'state', 'closed', 'tombstone', ARGV[4])
      redis.call('PEXPIRE', KEYS[1], ARGV[5])
    end
    return 1
    """)
}
