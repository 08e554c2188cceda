// Sessions that a router has sent to nodes and that the nodes have yet to report: without them, a burst between
// two heartbeats would all go to the node that was the emptiest before it. Pure.

public struct InFlight: Sendable {
  /// What was sent to one node within ``RegistryLimits/placementBatch``.
  private struct Batch {
    var first: ContinuousClock.Instant
    var latest: ContinuousClock.Instant
    var count: Int
  }

  private var batches: [NodeID: [Batch]] = [:]

  public init() {}

  public var counts: [NodeID: Int] {
    batches.mapValues { batches in batches.reduce(0) { $0 + $1.count } }
  }

  public mutating func add(_ node: NodeID, at now: ContinuousClock.Instant) {
    var own = batches[node] ?? []
    if let last = own.last, now - last.first < RegistryLimits.placementBatch {
      own[own.count - 1].latest = now
      own[own.count - 1].count += 1
    } else {
      own.append(Batch(first: now, latest: now, count: 1))
    }
    own.removeAll { now - $0.latest > RegistryLimits.placement }
    batches[node] = own
  }

  /// Takes one of them back: its node refused it.
  public mutating func takeBack(_ node: NodeID) {
    guard var own = batches[node], let last = own.lastIndex(where: { $0.count > 0 }) else { return }
    own[last].count -= 1
    batches[node] = own
  }

  /// Forgets what was sent before the nodes' last heartbeats: they count that themselves.
  /// - Parameter asked: when the nodes were asked for, so that their heartbeats are no younger than thought.
  public mutating func settle(_ nodes: [NodeEntry], asked: ContinuousClock.Instant) {
    guard !batches.isEmpty else { return }
    var left: [NodeID: [Batch]] = [:]
    for entry in nodes {
      guard let own = batches[entry.record.id] else { continue }
      let lease = min(max(entry.leaseMilliseconds, -RegistryLimits.longestSilence), Lease.length)
      let heartbeat = asked - .milliseconds(Lease.length - lease)
      let rest = own.filter {
        $0.latest + RegistryLimits.placementMargin > heartbeat
          && asked - $0.latest <= RegistryLimits.placement
      }
      if !rest.isEmpty { left[entry.record.id] = rest }
    }
    batches = left
  }
}
