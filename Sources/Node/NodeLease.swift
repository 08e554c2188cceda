// A node and its registry: it registers, keeps its lease by heartbeats, and sees to it that the registry knows what it
// holds. It lets go of what it finds that it does not own any more (promise P3).

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Pipes
import Registry
import Wire

extension Node {
  private var registry: any Registry { context.records.registry }

  private func record(_ addresses: [NodeAddress]) -> NodeRecord {
    NodeRecord(
      id: id, incarnation: incarnation, loops: addresses, labels: labels,
      weight: configuration.weight, capacity: configuration.capacity, sessions: sessions,
      version: configuration.version, holder: context.homeName,
      hasRestored: context.records.hasRestored ? true : nil)
  }

  private var labels: [String: String] { configuration.pipes.labels(beside: configuration.labels) }

  // MARK: Registering

  /// Registers, and announces the sessions that were kept. They go on also while the registry is away: if another node
  /// wants one of them, its holder decides between the two by their epochs.
  /// - Returns: whether the registry has answered.
  /// - Throws: ``NodeError``; `CancellationError` if the node is to stop before it has registered.
  func registerOrGoOn(_ addresses: [NodeAddress]) async throws -> Bool {
    let count = try await ownedSessions().count
    do {
      try await register(addresses, within: count > 0 ? .zero : NodeLimits.registrationPatience)
      return true
    } catch let error as NodeError where count > 0 && Self.isAway(error.cause) {
      logger.error(
        "the registry does not answer: what was kept goes on without it, and is announced once it does",
        metadata: ["node": "\(id)", "sessions": "\(count)", "error": "\(error)"])
      return false
    }
  }

  /// Tries until it has registered, or the task is cancelled.
  /// - Returns: why it cannot be this node any more.
  func registerLate(_ addresses: [NodeAddress]) async -> NodeError? {
    var said: String?
    while !Task.isCancelled {
      try? await Task.sleep(for: NodeLimits.registrationInterval)
      do {
        try await register(addresses, within: .zero)
        return nil
      } catch let error as NodeError where error.code == .nodeExists {
        logger.critical("\(error)", metadata: ["node": "\(id)", "incarnation": "\(incarnation)"])
        return error
      } catch {
        guard !Task.isCancelled, said != "\(error)" else { continue }
        said = "\(error)"
        logger.warning(
          "the registry does not answer yet; trying again", metadata: ["error": "\(error)"])
      }
    }
    return nil
  }

  private static func isAway(_ error: (any Error)?) -> Bool {
    (error as? RegistryError).map { $0.code.passes } ?? false
  }

  private func register(_ addresses: [NodeAddress], within patience: Duration) async throws {
    let name = try await patiently(for: patience) { try await registry.identity() }
    for starter in context.starters { starter.enter(registry: name.rawValue) }
    try await takeLease(addresses, within: patience)
    context.records.nodeHasRegistered()
    logger.notice(
      "node has registered",
      metadata: [
        "node": "\(id)", "incarnation": "\(incarnation)", "registry": "\(name)",
        "links": "\(addresses.map(\.description).joined(separator: " "))",
      ])
    for warning in (try? await registry.warnings()) ?? [] {
      logger.warning("\(warning)", metadata: ["node": "\(id)"])
    }
    await announceKept(addresses)
  }

  /// Waits for the lease of a process that ran before as this node, and has not left; but not for one that
  /// renews it.
  private func takeLease(_ addresses: [NodeAddress], within patience: Duration) async throws {
    var waiting: (holder: Incarnation, end: ContinuousClock.Instant)?
    while true {
      let asked = ContinuousClock.now
      let result = try await patiently(for: patience) {
        try await registry.heartbeat(record(addresses))
      }
      guard case .refused(let holder, let left) = result else { return }
      if let waiting {
        // Somebody renews the lease if the earliest end that this answer allows is later than the latest that the first
        // one allowed.
        let isRenewed = asked + .milliseconds(left) > waiting.end + NodeLimits.registrationInterval
        guard holder == waiting.holder, !isRenewed else { throw exists(holder, left) }
      } else {
        waiting = (holder, ContinuousClock.now + .milliseconds(left))
        logger.notice(
          "the lease of a process that ran before under this name has not ended; waiting for it",
          metadata: [
            "node": "\(id)", "incarnation": "\(holder)", "milliseconds": "\(left)",
          ])
      }
      try await Task.sleep(for: NodeLimits.registrationInterval)
    }
  }

  private func exists(_ holder: Incarnation, _ left: Int) -> NodeError {
    NodeError(
      .nodeExists,
      "another process runs as node \(id) (incarnation \(holder), its lease ends in "
        + "\(left) ms at the earliest): stop it, or give this one another --id")
  }

  /// Asks again for a while if the registry is away. A registry that is wrong is reported at once.
  private func patiently<Answer>(
    for patience: Duration, _ ask: () async throws -> Answer
  ) async throws -> Answer {
    let deadline = ContinuousClock.now + patience
    while true {
      do {
        return try await ask()
      } catch {
        try Task.checkCancellation()
        guard Self.isAway(error), ContinuousClock.now < deadline else {
          throw NodeError(
            .registry, "cannot register node \(id)", cause: error)
        }
        logger.warning(
          "the registry does not answer yet; trying again", metadata: ["error": "\(error)"])
        try await Task.sleep(for: NodeLimits.registrationInterval)
      }
    }
  }

  // MARK: The lease

  /// Keeps the lease until the task is cancelled, or another process has it.
  /// - Returns: why it is not kept any more; nil if the node is to stop.
  func keepLease(_ addresses: [NodeAddress]) async -> NodeError? {
    var told = LeaseStory(id, logger)
    var confirmation = Confirmation()
    while !Task.isCancelled {
      try? await Task.sleep(for: Lease.heartbeatInterval)
      if Task.isCancelled { break }
      do {
        let result = try await registry.heartbeat(record(addresses), isRenewal: true)
        switch result {
        case .refused(let holder, _): return replaced(by: holder)
        case .outdated(let why):
          told.renewed()
          // Redis has lost the operator's wish as well.
          if why == .lostData, told.wish != .serve { _ = try await registry.setWish(id, told.wish) }
          try await announce(told.announces(why))
        case .alive(let wish):
          told.renewed()
          told.wished(wish)
          context.isDrained.withLockedValue { $0 = wish == .drain }
          try await confirm(&confirmation)
        }
      } catch {
        registrySteadySince.withLockedValue { $0 = .now }
        if !Task.isCancelled { told.failed(error) }
      }
    }
    return nil
  }

  private func replaced(by holder: Incarnation) -> NodeError {
    let error = NodeError(
      .replaced,
      "another process (incarnation \(holder)) has become node \(id) while this one was silent for "
        + "longer than its lease: this one ends its sessions as lost, and itself. Give each process an --id "
        + "of its own")
    logger.critical("\(error)", metadata: ["node": "\(id)", "incarnation": "\(incarnation)"])
    return error
  }

  // MARK: What it has

  /// One round through all that the node had when the round began.
  struct Confirmation {
    var rest: ArraySlice<(key: SessionID, value: OwnedSession)> = []
    /// How many are looked at with each heartbeat.
    var pace = 0
  }

  func ownedSessions() async throws -> [SessionID: OwnedSession] {
    var here: [SessionID: OwnedSession] = [:]
    for (index, loop) in loops.enumerated() {
      let sessions = try await eventLoops[index].submit { loop.value.ownedSessions }.get()
      here.merge(sessions) { $1 }
    }
    return here
  }

  /// Announces again all that this node has.
  private func announce(_ reason: (text: String, level: Logger.Level)) async throws {
    let here = try await ownedSessions()
    logger.log(
      level: reason.level, "\(reason.text); announcing sessions",
      metadata: ["node": "\(id)", "sessions": "\(here.count)"])
    let announcement = try await registry.announce(here, node: id, incarnation: incarnation)
    try await settle(announcement, of: here)
  }

  /// Tells the registry which sessions of earlier processes of this node go on, and then which of them are lost: those
  /// that this node does not have, and that no silent holder may still have. What the registry does not take now it is
  /// told again later.
  func announceKept(_ addresses: [NodeAddress]) async {
    guard context.homeName != nil else { return }
    let isAnnounced = await announceRestored()
    let silent = silent
    let task = Task {
      // Until the registry has heard of all, none is told as lost, and this node counts as one that may have it.
      while !isAnnounced, !Task.isCancelled {
        try? await Task.sleep(for: NodeLimits.registrationInterval)
        if await announceRestored() { break }
      }
      await context.records.releaseLost(
        without: silent, isOutOfReach: { self.context.isOutOfReach($0) }
      ) {
        Set(try await self.ownedSessions().keys)
      }
      // The record says now that all is told, and not with the next heartbeat: from then on routers take a session that
      // this node does not have for lost.
      if !Task.isCancelled, context.records.hasRestored {
        _ = try? await registry.heartbeat(record(addresses), isRenewal: true)
      }
    }
    releasingLost.withLockedValue { before in
      before?.cancel()
      before = task
    }
  }

  /// - Returns: whether the registry has heard of all.
  private func announceRestored() async -> Bool {
    do {
      let restored = try await ownedSessions()
      if !restored.isEmpty {
        logger.notice(
          "sessions go on that were kept",
          metadata: ["node": "\(id)", "sessions": "\(restored.count)"])
      }
      let announcement = try await registry.announce(restored, node: id, incarnation: incarnation)
      try await settle(announcement, of: restored, areNew: true)
      return true
    } catch {
      logger.warning(
        "the registry has not taken which sessions go on; it is told again",
        metadata: ["node": "\(id)", "error": "\(error)"])
      return false
    }
  }

  /// Asks the registry whether it still has the next few of the sessions that this node holds. After the last of them
  /// it begins anew.
  private func confirm(_ round: inout Confirmation) async throws {
    if round.rest.isEmpty {
      let all = Array(try await ownedSessions())
      let bounds = Lease.confirmedAtOnce
      round.rest = all[...]
      round.pace = min(
        max(all.count / Lease.heartbeatsPerConfirmation + 1, bounds.lowerBound), bounds.upperBound)
    }
    guard !round.rest.isEmpty else { return }
    let some = Dictionary(round.rest.prefix(round.pace).map { ($0.key, $0.value) }) { $1 }
    round.rest = round.rest.dropFirst(round.pace)
    let announcement = try await registry.confirm(some, node: id, incarnation: incarnation)
    guard try await settle(announcement, of: some) > 0 else { return }
    // Where one record is gone, others may be.
    round.rest = []
    let here = try await ownedSessions()
    let rest = try await registry.announce(here, node: id, incarnation: incarnation)
    try await settle(rest, of: here)
  }

  /// Ends what another node owns by now (promise P3), and takes back the record of what has ended meanwhile.
  /// - Parameter areNew: the registry is not expected to have them yet.
  /// - Returns: how many records were missing.
  @discardableResult
  private func settle(
    _ announcement: Announcement, of announced: [SessionID: OwnedSession], areNew: Bool = false
  ) async throws -> Int {
    for session in announcement.superseded {
      guard let owned = announced[session] else { continue }
      let index = session.loopIndex(of: loops.count)
      let loop = loops[index]
      try await eventLoops[index].submit {
        loop.value.end(superseded: session, epoch: owned.epoch)
      }.get()
    }
    guard !announcement.repaired.isEmpty else { return 0 }
    let here = try await ownedSessions()
    var missing = 0
    for session in announcement.repaired {
      guard let owned = announced[session] else { continue }
      if here[session]?.epoch == owned.epoch {
        missing += 1
      } else {
        _ = try await registry.release(
          session, node: id, incarnation: incarnation, epoch: owned.epoch, tombstone: nil)
      }
    }
    if missing > 0, !areNew {
      logger.warning(
        "records of sessions were missing in the registry, and are there again",
        metadata: ["node": "\(id)", "sessions": "\(missing)"])
    }
    return missing
  }
}
