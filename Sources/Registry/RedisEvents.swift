// The cluster's events in Redis: a stream of the last ones.

import Redis
import Wire

extension RedisRegistry {
  private var eventsKey: String { "{\(cluster)}:events" }

  public func note(_ event: ClusterEvent, once: String?) async throws {
    _ = try await run(
      EventScripts.note, keys: [eventsKey, "{\(cluster)}:event:" + (once ?? "")],
      [
        try encode(event), String(RegistryLimits.events), once == nil ? "0" : "1",
        String(RegistryLimits.eventOnce),
      ])
  }

  /// An entry that cannot be read is left out: another program may have written there.
  public func events(after id: String, limit: Int) async throws -> [ListedEvent] {
    guard ListedEvent.isID(id) else { throw RegistryError(.corrupt, "\(id) is no event's id") }
    let answer = try await send(["XRANGE", eventsKey, "(" + id, "+", "COUNT", String(limit)])
    guard let entries = answer.array else { throw Self.corrupt("list of events") }
    return entries.compactMap { entry -> ListedEvent? in
      guard let parts = entry.array, parts.count == 2, let id = parts[0].string,
        ListedEvent.isID(id), let fields = parts[1].array, fields.count == 2,
        let text = fields[1].string, text.utf8.count <= RegistryLimits.eventRecord,
        let event: ClusterEvent = try? decode(text)
      else { return nil }
      return ListedEvent(id: id, event: event)
    }
  }

  /// Notes it if that can be done: nobody waits for an event.
  func tell(_ event: ClusterEvent, once: String? = nil) async {
    try? await note(event, once: once)
  }
}

private enum EventScripts {
  /// KEYS events, mark; ARGV event, how many are kept, 1: only if there is no such mark yet, how long that is kept.
  static let note = RedisScript(
    """
    if ARGV[3] == '1' and not redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[4]) then return 0 end
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'event', ARGV[1])
    return 1
    """)
}
