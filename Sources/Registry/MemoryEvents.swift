// The cluster's events in this process's memory. Pure.

import DequeModule
import Wire

struct MemoryEvents {
  private var events: Deque<(time: UInt64, number: UInt64, event: ClusterEvent)> = []
  /// Of what is noted once, as long as its event is kept.
  private var marks: Set<String> = []
  private var markOf: Deque<String?> = []

  mutating func note(_ event: ClusterEvent, once: String?) {
    if let once, !marks.insert(once).inserted { return }
    // Ids rise, whatever the clock does.
    let last = events.last
    let time = max(event.time, last?.time ?? 0)
    let number = last?.time == time ? (last?.number ?? 0) + 1 : 0
    events.append((time, number, event))
    markOf.append(once)
    guard events.count > RegistryLimits.events else { return }
    events.removeFirst()
    if let mark = markOf.removeFirst() { marks.remove(mark) }
  }

  func events(after id: String, limit: Int) -> [ListedEvent] {
    let parts = id.split(separator: "-").compactMap { UInt64($0) }
    guard parts.count == 2 else { return [] }
    return events.lazy.filter { ($0.time, $0.number) > (parts[0], parts[1]) }.prefix(limit).map {
      ListedEvent(id: "\($0.time)-\($0.number)", event: $0.event)
    }
  }
}
