// A node's records of sessions in the registry: it claims them before it starts pipes, and releases them when sessions
// are forgotten, however long the registry is away.

import Logging
import NIOConcurrencyHelpers
import Pipes
import Registry
import Transport
import Wire

final class SessionRecords: Sendable {
  let registry: any Registry
  let incarnation: Incarnation
  private let node: NodeID
  private let logger: Logger
  /// Sessions whose release the registry has not taken yet.
  private let releasing = NIOLockedValueBox<Set<SessionID>>([])
  private let hasStopped = NIOLockedValueBox(false)
  private let registered = NIOLockedValueBox(false)
  private let restored = NIOLockedValueBox(false)

  init(_ registry: any Registry, node: NodeID, incarnation: Incarnation, logger: Logger) {
    self.registry = registry
    self.node = node
    self.incarnation = incarnation
    self.logger = logger
  }

  /// The registry knows this start of the node. What was said under its name before would count as an earlier start's,
  /// which had said already what it has: the session would be taken for lost.
  func nodeHasRegistered() { registered.withLockedValue { $0 = true } }

  private func requireRegistered() throws {
    guard registered.withLockedValue({ $0 }) else {
      throw RegistryError(.unavailable, "node \(node) has yet to register; try again")
    }
  }

  /// Makes the session this node's, if it is nobody's. It waits until an earlier session of the same name was
  /// released: a late try would release the new one.
  /// - Parameters:
  ///   - creator: the subject for whom it is created.
  ///   - holder: what is to hold its terminal.
  func claim(
    _ session: SessionID, creator: String?, holder: String? = nil
  ) async throws -> ClaimResult {
    try requireRegistered()
    guard await waitForReleases(of: session, atMost: NodeLimits.farewell) else {
      throw RegistryError(
        .unavailable, "it has not yet taken that an earlier session \(session) has ended")
    }
    return try await registry.claim(
      session, node: node, incarnation: incarnation, creator: creator, holder: holder)
  }

  /// Tells the registry that nothing holds this session's terminal after all: if the node dies, the session is lost. If
  /// the registry does not take that, it waits for the node in vain.
  func noteUnheld(_ session: SessionID, creator: String?, epoch: Epoch) {
    Task {
      guard let record = try? await registry.lookUp(session), record.state == .owned,
        record.epoch == epoch
      else { return }
      _ = try? await registry.claim(
        session, node: node, incarnation: incarnation, creator: creator, holder: nil)
    }
  }

  /// Nil: it is another's by now.
  func takeOver(_ session: SessionID, from record: SessionRecord) async throws -> Epoch? {
    try await registry.takeOver(session, from: record, node: node, incarnation: incarnation)
  }

  /// Says that any node may take the session over that reaches its holder; tries again while the registry is away. Until
  /// it has heard of it, this node claims the session for nothing else.
  func letGo(of session: SessionID, epoch: Epoch) {
    release(session) { [self] in
      _ = try await registry.letGo(
        of: session, node: node, incarnation: incarnation, epoch: epoch)
    }
  }

  /// The same after a takeover whose answer did not come: the record may name this node.
  func letGoIfTakenOver(_ session: SessionID) {
    release(session) { [self] in
      guard let record = try await registry.lookUp(session), record.node == node,
        record.incarnation == incarnation
      else { return }
      _ = try await registry.letGo(
        of: session, node: node, incarnation: incarnation, epoch: record.epoch)
    }
  }

  /// The same for a node that is ready to have it; false: it is not this node's any more.
  func letGoNow(of session: SessionID, epoch: Epoch, next: NodeID) async throws -> Bool {
    try await registry.letGo(
      of: session, node: node, incarnation: incarnation, epoch: epoch, next: next)
  }

  /// Frees the session's record, trying again while the registry is away, however long that is: a record
  /// that stayed would keep its clients asking for a session that nobody has.
  func release(_ session: SessionID, epoch: Epoch, tombstone: Tombstone?) {
    release(session) { [self] in
      let isReleased = try await registry.release(
        session, node: node, incarnation: incarnation, epoch: epoch, tombstone: tombstone)
      guard !isReleased, let tombstone else { return }
      // Its record may be gone, or of an earlier start of this node, which had it from the same holder: how it ended is
      // to be known all the same.
      let owned = OwnedSession(epoch: epoch, creator: tombstone.creator, end: tombstone)
      guard try await confirm(session, owned).repaired.contains(session) else { return }
      _ = try await registry.release(
        session, node: node, incarnation: incarnation, epoch: epoch, tombstone: tombstone)
    }
  }

  private func release(_ session: SessionID, _ tell: @escaping @Sendable () async throws -> Void) {
    releasing.withLockedValue { _ = $0.insert(session) }
    Task {
      var backoff = Backoff(
        first: NodeLimits.releaseFirst, last: NodeLimits.releaseLast)
      while !hasStopped.withLockedValue({ $0 }) {
        do {
          try await tell()
          break
        } catch {
          logger.warning(
            "a session's record could not be released; trying again",
            metadata: ["session": "\(session)", "error": "\(error)"])
          try? await Task.sleep(for: backoff.next())
        }
      }
      releasing.withLockedValue { _ = $0.remove(session) }
    }
  }

  /// Sees to it that the registry has the record of a session that is here.
  func confirm(_ session: SessionID, _ owned: OwnedSession) async throws -> Announcement {
    try requireRegistered()
    return try await registry.confirm([session: owned], node: node, incarnation: incarnation)
  }

  /// Says of a session that is here what is new of it, such as how it has ended, so that this is known even if the node
  /// dies. If the registry does not take it now, it hears of it when this node announces all that it holds.
  func note(_ session: SessionID, _ owned: OwnedSession) {
    Task { _ = try? await confirm(session, owned) }
  }

  /// The registry says that a session is here which is not: it came back from an older dump, and knows nothing of the
  /// session's end. Only a record of exactly this epoch is closed.
  func disown(_ session: SessionID, epoch: Epoch) {
    guard !releasing.withLockedValue({ $0.contains(session) }) else { return }
    release(session) { [self] in
      _ = try await registry.release(
        session, node: node, incarnation: incarnation, epoch: epoch,
        tombstone: Tombstone(status: nil, reason: .lost))
    }
  }

  // MARK: What earlier incarnations had

  /// Whether every session of an earlier incarnation is this one's by now, or is known to be lost.
  var hasRestored: Bool { restored.withLockedValue { $0 } }

  /// Says of all that earlier incarnations of this node had, and this one has not, that it is lost: what no holder
  /// had, and what the holder has no more. To be called once this node has announced what it restored; tries again
  /// while the registry is away, and until it has heard of all that is here.
  /// - Parameters:
  ///   - silent: what cannot be asked: what it may have is not told as lost.
  ///   - isOutOfReach: whether a holder is another node's of this machine, and this one does not reach it any more: what
  ///     that has is let go of.
  ///   - own: what this node has.
  func releaseLost(
    without silent: SilentHolders = SilentHolders(),
    isOutOfReach: @Sendable (String) -> Bool = { _ in false },
    except own: @Sendable () async throws -> Set<SessionID>
  ) async {
    var backoff = Backoff(first: NodeLimits.releaseFirst, last: NodeLimits.releaseLast)
    var (count, passed) = (0, 0)
    while !hasStopped.withLockedValue({ $0 }), !Task.isCancelled {
      do {
        // A session that has just ended is released with how it ended, and not as lost.
        let here = try await own().union(releasing.withLockedValue { $0 })
        // A node that is being stopped lets its sessions go: those must not be listed as lost.
        guard !Task.isCancelled else { return }
        let left = try await registry.sessions(
          of: node, notIncarnation: incarnation, limit: here.count + passed + NodeLimits.lostAtOnce)
        // A session that was let go of is left to the next node that reaches its holder.
        let found = left.sessions.filter { !$0.1.isFree && !silent.mayInclude($0.1.holder) }
        // Others may stand behind those.
        let before = passed
        passed = left.sessions.count - found.count
        if found.isEmpty {
          if passed > before { continue }
          if silent.isEmpty { restored.withLockedValue { $0 = true } }
          break
        }
        var lost = found.filter { !here.contains($0.0) }.prefix(NodeLimits.lostAtOnce)
        let others = lost.filter { $0.1.holder.map(isOutOfReach) ?? false }
        for (session, record) in others {
          _ = try await registry.letGo(
            of: session, node: node, incarnation: record.incarnation, epoch: record.epoch)
        }
        lost.removeAll { session, _ in others.contains { $0.0 == session } }
        let released = try await release(lost: lost)
        count += released
        if released + others.count == 0 { try? await Task.sleep(for: backoff.next()) }
      } catch {
        logger.warning(
          "what the last run of this node had could not be released; trying again",
          metadata: ["node": "\(node)", "error": "\(error)"])
        try? await Task.sleep(for: backoff.next())
      }
    }
    guard count > 0 else { return }
    logger.warning(
      "sessions were lost with the last run of this node",
      metadata: ["node": "\(node)", "sessions": "\(count)"])
  }

  /// - Returns: how many of the records had not changed meanwhile.
  private func release(lost: ArraySlice<(SessionID, SessionRecord)>) async throws -> Int {
    try await withThrowingTaskGroup(of: Bool.self) { tasks in
      for (session, record) in lost {
        tasks.addTask { [registry] in
          try await registry.release(
            session, node: record.node, incarnation: record.incarnation, epoch: record.epoch,
            tombstone: Tombstone(status: nil, reason: .lost, creator: record.creator))
        }
      }
      return try await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
  }

  /// Gives up the releases that are still tried, since the node leaves.
  func stop() { hasStopped.withLockedValue { $0 = true } }

  /// Waits until every release was taken, or that of one session, for at most `limit`. False: it was not.
  @discardableResult
  func waitForReleases(of session: SessionID? = nil, atMost limit: Duration) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while releasing.withLockedValue({ session.map($0.contains) ?? !$0.isEmpty }) {
      guard ContinuousClock.now < deadline else { return false }
      try? await Task.sleep(for: NodeLimits.leavingInterval)
    }
    return true
  }
}
