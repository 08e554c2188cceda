// The registry's rules as Lua scripts, so that each is atomic. Times are Redis's own, in milliseconds.
//
// A script touches only the keys that it is given, and all keys of a cluster are of one slot (`{fl}:…`), so that a
// Redis Cluster works too.

import Redis

enum RegistryScripts {
  private static let now = """
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)

    """

  /// KEYS nodes, node, generation, grace, confirmed, identity; ARGV id, incarnation, record, lease, how long a
  /// silent node is remembered, 1 if it has registered before, how long the grace lasts, how long after its
  /// lease a node counts as dead, Redis's run id and count of evicted keys ('' if not known), the identity
  /// ('' if not known), how long a drained one is remembered, the holder that it has or '', 1 if it has sessions
  /// which that has kept.
  /// → {1, drains, announces} or {0, the other's incarnation, milliseconds left}.
  ///
  /// A node that begins with sessions does not count as having announced them before it has, and knows of an empty
  /// registry that its data was lost.
  ///
  /// A node that has the same holder as the incarnation whose lease lives is believed to follow it: it has the lock of
  /// the holder's directory. From then on the heartbeats of the earlier incarnation are refused.
  ///
  /// A node that has registered before and is unknown was forgotten (`announces` 1), as everything may be that
  /// another run of Redis has written; one that counted as dead (2) may find its sessions taken for lost; and
  /// where keys were evicted since it last announced (3), some may be its own. The mark stays until the node
  /// has announced its sessions, so that a reply that is lost does no harm; and each heartbeat of a forgotten
  /// one until then prolongs the grace.
  static let heartbeat = RedisScript(
    now + """
      local other = redis.call('HGET', KEYS[2], 'incarnation')
      local function follows()
        if ARGV[6] == '1' or ARGV[13] == '' then return false end
        local isRead, record = pcall(cjson.decode, redis.call('HGET', KEYS[2], 'record') or '')
        return isRead and type(record) == 'table' and record['holder'] == ARGV[13]
      end
      local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
      local deadline = tonumber(score or 0)
      if other and other ~= ARGV[2] and deadline > now and not follows() then
        return {0, other, deadline - now}
      end
      local isRenewal, run, evicted = ARGV[6] == '1', ARGV[9], ARGV[10]
      local announces = redis.call('HGET', KEYS[2], 'announces') or '0'
      if other ~= ARGV[2] then
        announces = ARGV[6]
      elseif score and deadline + ARGV[8] <= now and announces ~= '1' then
        announces = '2'
      end
      local generation = redis.call('GET', KEYS[3])
      local begins = not isRenewal and ARGV[14] == '1'
      if isRenewal and not (score and generation) or begins and not generation then announces = '1' end
      local state = run .. ' ' .. evicted .. ' ' .. string.format('%.0f', now)
      if run ~= '' then
        local past = redis.call('HGET', KEYS[5], ARGV[1]) or ''
        local pastRun, pastEvicted = string.match(past, '^(%S*) (%S*) ')
        if not isRenewal then
          if not begins then redis.call('HSET', KEYS[5], ARGV[1], state) end
        elseif pastRun ~= run then
          announces = '1'
        elseif pastEvicted ~= evicted and announces == '0' then
          announces = '3'
        end
      end
      local isOtherRun = generation and run ~= '' and generation ~= run
      if isOtherRun or not generation then
        redis.call('SET', KEYS[3], run ~= '' and run or '?')
      end
      if isOtherRun or announces == '1' then redis.call('SET', KEYS[4], '1', 'PX', ARGV[7]) end
      if ARGV[11] ~= '' then redis.call('SET', KEYS[6], ARGV[11], 'NX') end
      redis.call('HSET', KEYS[2], 'incarnation', ARGV[2], 'record', ARGV[3],
        'announces', announces, 'state', state)
      local drains = redis.call('HGET', KEYS[2], 'drains') or '0'
      redis.call('PEXPIRE', KEYS[2], drains ~= '0' and ARGV[12] or ARGV[5])
      redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[1])
      for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], 0, now - ARGV[5])) do
        redis.call('ZREM', KEYS[1], id)
        redis.call('HDEL', KEYS[5], id)
      end
      return {1, drains, announces}
      """)

  /// KEYS session; ARGV node, incarnation, epoch, how long the record is kept at most, the subject it is of or '',
  /// how its process ended or '', what holds its terminal or '', who had it or ''.
  /// → 0 if it is another's now: the larger epoch wins; 2 if it had to be written; else 1. One that has ended
  /// stays so, unless it was only taken for lost.
  static let announce = RedisScript(
    """
    local found = redis.call('HMGET', KEYS[1], 'node', 'incarnation', 'epoch', 'tombstone', 'state')
    local epoch = tonumber(found[3] or -1) or -1
    local isOurs = found[1] == ARGV[1] and found[2] == ARGV[2]
    if epoch > tonumber(ARGV[3]) or epoch == tonumber(ARGV[3]) and not isOurs then return 0 end
    if epoch == tonumber(ARGV[3]) then
      if found[5] == 'owned' then
        if ARGV[6] ~= '' and not found[4] then redis.call('HSET', KEYS[1], 'tombstone', ARGV[6]) end
        if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], 'holder', ARGV[7]) end
        if ARGV[8] ~= '' then redis.call('HSETNX', KEYS[1], 'history', ARGV[8]) end
        if redis.call('PTTL', KEYS[1]) < ARGV[4] / 2 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
        return 1
      end
      if found[4] and not string.find(found[4], '"reason":"lost"', 1, true) then return 1 end
    end
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'node', ARGV[1], 'incarnation', ARGV[2], 'epoch', ARGV[3],
      'state', 'owned')
    if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'owner', ARGV[5]) end
    if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'tombstone', ARGV[6]) end
    if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], 'holder', ARGV[7]) end
    if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'history', ARGV[8]) end
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    return 2
    """)

  /// KEYS node, confirmed; ARGV id, incarnation. The node has announced all of its sessions, since its last
  /// heartbeat.
  static let announced = RedisScript(
    """
    local node = redis.call('HMGET', KEYS[1], 'incarnation', 'state')
    if node[1] ~= ARGV[2] then return 0 end
    if node[2] then redis.call('HSET', KEYS[2], ARGV[1], node[2]) end
    return redis.call('HSET', KEYS[1], 'announces', '0')
    """)

  /// KEYS nodes, generation, grace, confirmed. → now, generation, 1 if there is a grace, then of each node its
  /// id, deadline, and what it has announced: run id, count of evicted keys, time.
  static let settled = RedisScript(
    now + """
      local answer = {now, redis.call('GET', KEYS[2]) or '', redis.call('EXISTS', KEYS[3])}
      local nodes = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
      for i = 1, #nodes, 2 do
        answer[#answer + 1] = nodes[i]
        answer[#answer + 1] = nodes[i + 1]
        answer[#answer + 1] = redis.call('HGET', KEYS[4], nodes[i]) or ''
      end
      return answer
      """)

  /// KEYS nodes, node, confirmed; ARGV id, incarnation, how long a drained one is remembered. What an operator
  /// wished of the node stays, for when it comes back.
  static let leave = RedisScript(
    """
    if redis.call('HGET', KEYS[2], 'incarnation') ~= ARGV[2] then return 0 end
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[3], ARGV[1])
    local drains = redis.call('HGET', KEYS[2], 'drains')
    redis.call('DEL', KEYS[2])
    if drains and drains ~= '0' then
      redis.call('HSET', KEYS[2], 'drains', drains)
      redis.call('PEXPIRE', KEYS[2], ARGV[3])
    end
    return 1
    """)

  /// KEYS nodes. → now, then id, deadline of each.
  static let nodes = RedisScript(
    now + """
      local answer = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
      table.insert(answer, 1, now)
      return answer
      """)

  /// KEYS of nodes. → record (or false), drains of each.
  static let described = RedisScript(
    """
    local answer = {}
    for _, key in ipairs(KEYS) do
      local node = redis.call('HMGET', key, 'record', 'drains')
      answer[#answer + 1] = node[1]
      answer[#answer + 1] = node[2] or '0'
    end
    return answer
    """)

  /// KEYS node; ARGV what is wished (``NodeWish``), how long that is remembered. → whether there is such a node.
  static let setWish = RedisScript(
    """
    if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
    redis.call('HSET', KEYS[1], 'drains', ARGV[1])
    if ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return 1
    """)

  /// KEYS session; ARGV node, incarnation, how long the record is kept at most, the subject it is for or '', what
  /// is to hold its terminal or ''.
  /// → {1, epoch}, or {0, the record's fields…} if it is somebody else's, or nobody's while its holder keeps it.
  ///
  /// An epoch is the time of its claim in microseconds, or one more than the last: it rises even where
  /// the last one was forgotten. (Lua's numbers and JSON's are exact up to 2^53: the year 2255.)
  static let claim = RedisScript(
    """
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local found = redis.call('HMGET', KEYS[1], 'node', 'incarnation', 'epoch', 'state', 'owner',
      'tombstone', 'holder', 'free')
    if found[4] == 'owned' then
      if found[1] == ARGV[1] and found[2] == ARGV[2] and not found[8] then
        redis.call('HDEL', KEYS[1], 'tombstone', 'holder')
        if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'holder', ARGV[5]) end
        return {1, tonumber(found[3])}
      end
      return {0, found[1], found[2], found[3], found[5], found[6], found[7], found[8]}
    end
    local epoch = math.max(now, (tonumber(found[3] or 0) or 0) + 1)
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'node', ARGV[1], 'incarnation', ARGV[2],
      'epoch', string.format('%.0f', epoch), 'state', 'owned')
    if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'owner', ARGV[4]) end
    if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'holder', ARGV[5]) end
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return {1, epoch}
    """)

  /// KEYS session; ARGV node, incarnation and epoch that it has, node and incarnation that take it over, how long the
  /// record is kept at most. → its next epoch, as `claim` makes one; 0 if it is another's by now, or has ended.
  static let takeOver = RedisScript(
    """
    local time = redis.call('TIME')
    local found = redis.call('HMGET', KEYS[1], 'node', 'incarnation', 'epoch', 'state')
    if found[4] ~= 'owned' or found[1] ~= ARGV[1] or found[2] ~= ARGV[2] or found[3] ~= ARGV[3] then
      return 0
    end
    local epoch = math.max(time[1] * 1000000 + time[2], (tonumber(found[3]) or 0) + 1)
    redis.call('HSET', KEYS[1], 'node', ARGV[4], 'incarnation', ARGV[5],
      'epoch', string.format('%.0f', epoch))
    redis.call('HDEL', KEYS[1], 'free', 'next', 'history')
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
    return epoch
    """)

  /// KEYS session; ARGV node, incarnation, epoch, the node that is to have it next or ''. → whether it was theirs.
  static let letGo = RedisScript(
    """
    local found = redis.call('HMGET', KEYS[1], 'node', 'incarnation', 'epoch', 'state')
    if found[4] ~= 'owned' or found[1] ~= ARGV[1] or found[2] ~= ARGV[2] or found[3] ~= ARGV[3] then
      return 0
    end
    redis.call('HSET', KEYS[1], 'free', '1')
    if ARGV[4] ~= '' then
      redis.call('HSET', KEYS[1], 'next', ARGV[4])
    else
      redis.call('HDEL', KEYS[1], 'next')
    end
    return 1
    """)

  /// KEYS session; ARGV node, incarnation, epoch, tombstone or '', how long that is kept, its owner or '', 1 if it is known
  /// that no node can have it any more. → whether it was theirs. How it ended, if that is known, is not overwritten by
  /// `lost`. A session that its node has let go of is not lost only because that node does not have it.
  static let release = RedisScript(
    """
    local found = redis.call('HMGET', KEYS[1], 'node', 'incarnation', 'epoch', 'state', 'tombstone',
      'free')
    if found[4] ~= 'owned' or found[1] ~= ARGV[1] or found[2] ~= ARGV[2] or found[3] ~= ARGV[3] then
      return 0
    end
    local isLost = string.find(ARGV[4], '"reason":"lost"', 1, true)
    if isLost and found[6] and ARGV[7] ~= '1' then return 0 end
    if ARGV[4] == '' then
      redis.call('DEL', KEYS[1])
    else
      redis.call('HSET', KEYS[1], 'state', 'closed', 'tombstone', isLost and found[5] or ARGV[4])
      redis.call('HDEL', KEYS[1], 'holder', 'history', 'free', 'next')
      if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'owner', ARGV[6]) end
      redis.call('PEXPIRE', KEYS[1], ARGV[5])
    end
    return 1
    """)

  /// KEYS offers; ARGV how long they are kept, then session and offer of each.
  static let setOffers = RedisScript(
    """
    for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
    return redis.call('PEXPIRE', KEYS[1], ARGV[1])
    """)

  /// KEYS tombstones; ARGV session, how many there may be, how long they are kept. → the oldest ones beyond
  /// that, a few at a time.
  static let listTombstone = RedisScript(
    now + """
      redis.call('ZADD', KEYS[1], now, ARGV[1])
      redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - ARGV[3])
      redis.call('PEXPIRE', KEYS[1], ARGV[3])
      local over = redis.call('ZCARD', KEYS[1]) - ARGV[2]
      if over <= 0 then return {} end
      local popped = redis.call('ZPOPMIN', KEYS[1], math.min(over, \(RegistryLimits.tombstonesDropped)))
      local answer = {}
      for i = 1, #popped, 2 do answer[#answer + 1] = popped[i] end
      return answer
      """)

  /// KEYS session. A tombstone is forgotten; a session of the same name that lives is not.
  static let forgetTombstone = RedisScript(
    """
    if redis.call('HGET', KEYS[1], 'state') ~= 'closed' then return 0 end
    return redis.call('DEL', KEYS[1])
    """)

  /// KEYS owned; ARGV session, whom it says. An entry whose record is gone is taken out, unless it was claimed anew
  /// meanwhile.
  static let unlist = RedisScript(
    """
    if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
    return redis.call('HDEL', KEYS[1], ARGV[1])
    """)
}
