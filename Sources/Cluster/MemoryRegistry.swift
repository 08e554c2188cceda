// The registry in this process's memory: for `serve`, where router and node are one process, and for
// tests. The same rules as the scripts of `RedisRegistry`.

public import Wire

public actor MemoryRegistry: Registry {
  private struct Lease {
    var record: NodeRecord
    var deadline: Int
    var isDraining: Bool
    /// Why it is to say what it holds, until it has.
    var outdated: HeartbeatResult.Outdated?
  }

  /// Milliseconds by a clock that only rises.
  private let now: @Sendable () -> Int
  private let keepTombstones: Int
  private let grace: Int
  private var settledAt = Int.min
  private var leases: [NodeID: Lease] = [:]
  private var records: [SessionID: SessionRecord] = [:]
  private var tombstones: [(expiry: Int, session: SessionID, epoch: Epoch)] = []
  private var lastEpoch: UInt64 = 0

  /// - Parameters:
  ///   - keepTombstones: milliseconds that a closed session is remembered.
  ///   - grace: milliseconds that nodes get to announce what they hold.
  public init(
    keepTombstones: Int = 30 * 60_000, grace: Int = Cluster.Lease.grace,
    now: @escaping @Sendable () -> Int = MemoryRegistry.uptime
  ) {
    self.keepTombstones = keepTombstones
    self.grace = grace
    self.now = now
  }

  public static let uptime: @Sendable () -> Int = {
    let elapsed = ContinuousClock.now - start
    return Int(elapsed.components.seconds) * 1_000
      + Int(elapsed.components.attoseconds / 1_000_000_000_000_000)
  }
  private static let start = ContinuousClock.now

  public func heartbeat(_ record: NodeRecord, isRenewal: Bool) -> HeartbeatResult {
    let held = leases[record.id]
    if let held, held.record.incarnation != record.incarnation, held.deadline > now() {
      return .refused(
        holder: held.record.incarnation, leaseMilliseconds: held.deadline - now())
    }
    let isDraining = held?.isDraining ?? false
    var outdated: HeartbeatResult.Outdated? = isRenewal ? .lostData : nil
    if let held, held.record.incarnation == record.incarnation {
      outdated = held.outdated ?? (isOverdue(held) ? .takenForDead : nil)
    }
    if outdated == .lostData { settledAt = now() + grace }
    leases[record.id] = Lease(
      record: record, deadline: now() + Cluster.Lease.length, isDraining: isDraining,
      outdated: outdated)
    return outdated.map { .outdated($0) } ?? .alive(isDraining: isDraining)
  }

  public func announce(
    _ sessions: [SessionID: Epoch], node: NodeID, incarnation: Incarnation
  ) -> [SessionID] {
    var superseded: [SessionID] = []
    for (session, epoch) in sessions {
      if let record = records[session],
        record.epoch > epoch
          || record.epoch == epoch && (record.node != node || record.incarnation != incarnation)
      {
        superseded.append(session)
        continue
      }
      if let record = records[session], record.epoch == epoch,
        case .closed(let tombstone) = record.state, tombstone.reason != Tombstone.lost.reason
      {
        continue
      }
      lastEpoch = max(lastEpoch, epoch.rawValue)
      records[session] = SessionRecord(node: node, incarnation: incarnation, epoch: epoch)
    }
    if leases[node]?.record.incarnation == incarnation { leases[node]?.outdated = nil }
    return superseded
  }

  private func requireSettled() throws {
    if now() < settledAt { throw RegistryError.unsettled }
  }

  public func leave(_ node: NodeID, incarnation: Incarnation) {
    guard leases[node]?.record.incarnation == incarnation else { return }
    leases[node] = nil
  }

  public func nodes() -> [NodeEntry] {
    leases.values.map {
      NodeEntry(
        record: $0.record, isDraining: $0.isDraining, leaseMilliseconds: $0.deadline - now())
    }.sorted { $0.record.id.rawValue < $1.record.id.rawValue }
  }

  public func setDraining(_ node: NodeID, _ isDraining: Bool) -> Bool {
    guard leases[node] != nil else { return false }
    leases[node]?.isDraining = isDraining
    return true
  }

  public func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation
  ) throws -> ClaimResult {
    try requireSettled()
    expire()
    if let record = records[session], record.state == .owned {
      if record.node == node, record.incarnation == incarnation { return .claimed(record.epoch) }
      guard isDead(record) else { return .owned(record) }
      var lost = record
      lost.state = .closed(.lost)
      bury(session, lost)
      return .lost(record)
    }
    lastEpoch += 1
    records[session] = SessionRecord(
      node: node, incarnation: incarnation, epoch: Epoch(lastEpoch))
    return .claimed(Epoch(lastEpoch))
  }

  public func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) -> Bool {
    guard var record = records[session], record.state == .owned, record.node == node,
      record.incarnation == incarnation, record.epoch == epoch
    else { return false }
    if let tombstone {
      record.state = .closed(tombstone)
      bury(session, record)
    } else {
      records[session] = nil
    }
    return true
  }

  public func lookUp(_ session: SessionID) throws -> SessionRecord? {
    expire()
    if let record = records[session] { return record }
    try requireSettled()
    return nil
  }

  public func sessions(limit: Int) -> [(SessionID, SessionRecord)] {
    expire()
    return records.sorted { $0.key.rawValue < $1.key.rawValue }.prefix(limit).map { ($0, $1) }
  }

  public func shutdown() {}

  private func isDead(_ record: SessionRecord) -> Bool {
    guard let lease = leases[record.node] else { return true }
    if lease.record.incarnation != record.incarnation { return true }
    return isOverdue(lease)
  }

  private func isOverdue(_ lease: Lease) -> Bool {
    now() - lease.deadline >= Cluster.Lease.patience
  }

  private func bury(_ session: SessionID, _ record: SessionRecord) {
    records[session] = record
    tombstones.append((now() + keepTombstones, session, record.epoch))
  }

  /// Tombstones expire in the order in which they were set.
  private func expire() {
    let passed = tombstones.prefix { $0.expiry <= now() }
    for (_, session, epoch) in passed
    where records[session]?.epoch == epoch && records[session]?.state != .owned {
      records[session] = nil
    }
    tombstones.removeFirst(passed.count)
  }
}
