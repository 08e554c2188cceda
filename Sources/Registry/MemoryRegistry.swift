// The registry in this process's memory: for `serve`, where router and node are one process, and for
// tests. The same rules as the scripts of `RedisRegistry`.

import DequeModule
import FoundationEssentials
public import Wire

public actor MemoryRegistry: Registry {
  private struct KnownLease {
    var record: NodeRecord
    var deadline: Int
    /// Why the node is to announce what it holds; nil: it need not, or it has.
    var outdated: HeartbeatResult.Outdated?
  }

  /// Milliseconds by a clock that only rises.
  private let now: @Sendable () -> Int
  private let keepTombstones: Int
  private let mostTombstones: Int
  private let grace: Int
  private let ownIdentity: RegistryIdentity
  private var settledAt = Int.min
  private var leases: [NodeID: KnownLease] = [:]
  private var wishes: [NodeID: NodeWish] = [:]
  private var story = MemoryEvents()
  /// The routers' records, and until when they are good.
  private var routerRecords: [RouterEntry.Key: (record: RouterRecord, deadline: Int)] = [:]
  private var records: [SessionID: SessionRecord] = [:]
  private var tombstones: Deque<(expiry: Int, session: SessionID, epoch: Epoch)> = []
  private var offers: [NodeID: (expiry: Int, offers: [SessionID: MoveOffer])] = [:]
  private var lastEpoch: UInt64 = 0
  /// No tombstone has expired yet.
  private var isComplete = true

  /// - Parameters:
  ///   - keepTombstones: milliseconds that a closed session is remembered, and how many are at most.
  ///   - grace: milliseconds that nodes get to announce what they hold.
  ///   - identity: which registry it is, if that is to outlive this process.
  public init(
    keepTombstones: Int = RegistryLimits.tombstone, mostTombstones: Int = RegistryLimits.tombstones,
    grace: Int = Lease.grace, identity: RegistryIdentity = .random(),
    now: @escaping @Sendable () -> Int = MemoryRegistry.uptime
  ) {
    self.keepTombstones = keepTombstones
    self.mostTombstones = mostTombstones
    ownIdentity = identity
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
    let known = leases[record.id]
    let hasItsHolder = !isRenewal && known?.record.holder != nil
    if let known, known.record.incarnation != record.incarnation, known.deadline > now(),
      !(hasItsHolder && known.record.holder == record.holder)
    {
      return .refused(by: known.record.incarnation, leaseMilliseconds: known.deadline - now())
    }
    var outdated: HeartbeatResult.Outdated? = isRenewal ? .lostData : nil
    if let known, known.record.incarnation == record.incarnation {
      outdated = known.outdated ?? (isOverdue(known) ? .takenForDead : nil)
    }
    if outdated == .lostData { settledAt = now() + grace }
    leases[record.id] = KnownLease(
      record: record, deadline: now() + Lease.length, outdated: outdated)
    return outdated.map { .outdated($0) } ?? .alive(wishes[record.id] ?? .serve)
  }

  public func announce(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) -> Announcement {
    let announcement = confirm(sessions, node: node, incarnation: incarnation)
    if leases[node]?.record.incarnation == incarnation { leases[node]?.outdated = nil }
    return announcement
  }

  public func confirm(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) -> Announcement {
    var announcement = Announcement()
    for (session, owned) in sessions {
      if let record = records[session], record.epoch >= owned.epoch {
        let isOurs = record.node == node && record.incarnation == incarnation
        guard record.epoch == owned.epoch, isOurs else {
          announcement.superseded.append(session)
          continue
        }
        switch record.state {
        case .owned:
          records[session]?.end = record.end ?? owned.end
          records[session]?.holder = HolderName.checked(owned.holder) ?? record.holder
          if record.history.isEmpty { records[session]?.history = owned.toldHistory }
          continue
        case .closed(let tombstone): if !tombstone.isLost { continue }
        }
      }
      lastEpoch = max(lastEpoch, owned.epoch.rawValue)
      records[session] = SessionRecord(
        node: node, incarnation: incarnation, epoch: owned.epoch, creator: owned.creator,
        end: owned.end, holder: HolderName.checked(owned.holder),
        history: owned.toldHistory)
      announcement.repaired.append(session)
    }
    return announcement
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
        record: $0.record, wish: wishes[$0.record.id] ?? .serve,
        leaseMilliseconds: $0.deadline - now())
    }.sorted { $0.record.id.rawValue < $1.record.id.rawValue }
  }

  public func setWish(_ node: NodeID, _ wish: NodeWish) -> Bool {
    guard leases[node] != nil || wishes[node] != nil else { return false }
    wishes[node] = wish == .serve ? nil : wish
    return true
  }

  public func note(_ event: ClusterEvent, once: String?) { story.note(event, once: once) }

  public func events(after id: String, limit: Int) -> [ListedEvent] {
    story.events(after: id, limit: limit)
  }

  public func renew(_ router: RouterRecord) {
    routerRecords = routerRecords.filter { $0.value.deadline + RegistryLimits.silentRouter > now() }
    routerRecords[RouterEntry.Key(router)] = (router, now() + Lease.router)
  }

  public func leave(router: NodeID, incarnation: Incarnation) {
    routerRecords[RouterEntry.Key(id: router, incarnation: incarnation)] = nil
  }

  public func routers() -> [RouterEntry] {
    routerRecords.values.map {
      RouterEntry(record: $0.record, leaseMilliseconds: $0.deadline - now())
    }.sorted(by: RouterEntry.precedes)
  }

  public func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, creator: String?, holder: String?
  ) throws -> ClaimResult {
    try requireSettled()
    expire()
    if let record = records[session], record.state == .owned {
      if record.node == node, record.incarnation == incarnation, !record.isFree {
        records[session]?.end = nil
        records[session]?.holder = HolderName.checked(holder)
        return .claimed(record.epoch)
      }
      let state = record.ownerState(among: nodes())
      guard state.mayBeClaimed else { return .owned(record) }
      // A session whose end is known was not lost with its node.
      if record.end == nil {
        var lost = record
        lost.holder = nil
        lost.history = []
        lost.state = .closed(record.remains(state, now: WallClock.milliseconds))
        leaveTombstone(session, lost)
        story.note(.lost(session, with: record.node), once: nil)
        return .lost(record)
      }
    }
    lastEpoch += 1
    records[session] = SessionRecord(
      node: node, incarnation: incarnation, epoch: Epoch(lastEpoch), creator: creator,
      holder: HolderName.checked(holder))
    return .claimed(Epoch(lastEpoch))
  }

  public func takeOver(
    _ session: SessionID, from record: SessionRecord, node: NodeID, incarnation: Incarnation
  ) -> Epoch? {
    guard var owned = records[session], owned.state == .owned, owned.node == record.node,
      owned.incarnation == record.incarnation, owned.epoch == record.epoch
    else { return nil }
    lastEpoch = max(lastEpoch, owned.epoch.rawValue) + 1
    owned.node = node
    owned.incarnation = incarnation
    owned.epoch = Epoch(lastEpoch)
    (owned.isFree, owned.next) = (false, nil)
    owned.history = []
    records[session] = owned
    story.note(.moved(session, from: record.node, to: node), once: nil)
    return owned.epoch
  }

  public func letGo(
    of session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch, next: NodeID?
  ) -> Bool {
    guard let owned = records[session], owned.state == .owned, owned.node == node,
      owned.incarnation == incarnation, owned.epoch == epoch
    else { return false }
    records[session]?.isFree = true
    records[session]?.next = next
    return true
  }

  public func setOffers(_ offers: [SessionID: MoveOffer], to node: NodeID) {
    guard !offers.isEmpty else { return }
    let known = self.offers(to: node)
    self.offers[node] = (now() + RegistryLimits.offers, known.merging(offers) { $1 })
  }

  public func offers(to node: NodeID) -> [SessionID: MoveOffer] {
    offers[node].flatMap { $0.expiry > now() ? $0.offers : nil } ?? [:]
  }

  public func removeOffers(_ sessions: [SessionID], to node: NodeID) {
    for session in sessions { offers[node]?.offers[session] = nil }
  }

  public func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) -> Bool {
    guard var record = records[session], record.state == .owned, record.node == node,
      record.incarnation == incarnation, record.epoch == epoch,
      // If its node has let go of the session, it is not lost only because that node does not have it.
      !(record.isFree && tombstone?.isLost == true)
    else { return false }
    if let tombstone {
      var tombstone = tombstone.isLost ? record.end ?? tombstone : tombstone
      tombstone.creator = tombstone.creator ?? record.creator
      record.creator = tombstone.creator
      record.end = nil
      record.holder = nil
      record.next = nil
      record.history = []
      if tombstone.isLost { story.note(.lost(session, with: node), once: nil) }
      record.state = .closed(tombstone)
      leaveTombstone(session, record)
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

  public func remembersAll() -> Bool { isComplete }

  public func sessions(
    notOn nodes: [NodeID: Incarnation], limit: Int
  ) -> RecordList {
    owned(limit: limit) { $0.isFree || nodes[$0.node] != $0.incarnation }
  }

  public func sessions(
    of node: NodeID, notIncarnation incarnation: Incarnation, limit: Int
  ) -> RecordList {
    owned(limit: limit) { $0.node == node && $0.incarnation != incarnation }
  }

  private func owned(limit: Int, where isWanted: (SessionRecord) -> Bool) -> RecordList {
    let left = records.filter { $0.value.state == .owned && isWanted($0.value) }
    return RecordList(
      left.sorted { $0.key.rawValue < $1.key.rawValue }.prefix(limit).map { ($0, $1) })
  }

  public func sessions(limit: Int) -> RecordList {
    expire()
    let owned = sessions(notOn: [:], limit: limit).sessions
    let closed = records.filter { $0.value.state != .owned }
      .sorted { $0.key.rawValue < $1.key.rawValue }.prefix(limit - owned.count)
    return RecordList(
      (owned + closed.map { ($0, $1) }).sorted { $0.0.rawValue < $1.0.rawValue })
  }

  public func identity() -> RegistryIdentity { ownIdentity }

  public func warnings() -> [String] { [] }

  public func shutdown() {}

  private func isOverdue(_ lease: KnownLease) -> Bool {
    now() - lease.deadline >= Lease.patience
  }

  private func leaveTombstone(_ session: SessionID, _ record: SessionRecord) {
    records[session] = record
    tombstones.append((now() + keepTombstones, session, record.epoch))
  }

  /// Tombstones expire in the order in which they were set, and the oldest where there are too many.
  private func expire() {
    let now = now()
    while let first = tombstones.first,
      first.expiry <= now || tombstones.count > mostTombstones
    {
      tombstones.removeFirst()
      isComplete = false
      guard let record = records[first.session], record.epoch == first.epoch,
        record.state != .owned
      else { continue }
      records[first.session] = nil
    }
  }
}
