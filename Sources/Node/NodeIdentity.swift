// What all loops of a node share: who it is, its registry, its pipe starters, and the count of its
// sessions against its capacity. The count is the only thing with a lock, and only starts and ends
// of sessions take it.

import Auth
import Cluster
import FoundationEssentials
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Pipes
import Wire

final class NodeIdentity: Sendable {
  let id: NodeID
  let incarnation: Incarnation
  let cluster: String
  let capacity: Int
  let settings: NodeSettings
  let linkKey: LinkKey?
  let registry: any Registry
  let logger: Logger
  /// Of all sessions' logs.
  let pages = PagePool().source
  private let pipes: PipeStarters
  private let count = NIOLockedValueBox(0)
  /// Sessions whose release the registry has not taken yet.
  private let releasing = NIOLockedValueBox<Set<SessionID>>([])
  private let hasStopped = NIOLockedValueBox(false)

  init(_ configuration: NodeConfiguration, incarnation: Incarnation, registry: any Registry) {
    id = configuration.id
    self.incarnation = incarnation
    cluster = configuration.cluster
    capacity = configuration.capacity
    settings = configuration.settings
    linkKey = configuration.linkKey
    pipes = configuration.pipes
    self.registry = registry
    logger = configuration.logger
  }

  var starters: [any PipeStarter] { pipes.all }

  func starter(for target: Target) -> (any PipeStarter)? { pipes.starter(for: target) }

  var sessions: Int { count.withLockedValue { $0 } }

  /// Takes one place; false when there is none.
  func admit() -> Bool {
    count.withLockedValue { count in
      guard count < capacity else { return false }
      count += 1
      return true
    }
  }

  func dismiss() { count.withLockedValue { $0 -= 1 } }

  /// Makes the session this node's, if it is nobody's. Not before an earlier one of the same name was
  /// released: a late try would release the new one.
  func claim(_ session: SessionID, owner: String?) async throws -> ClaimResult {
    guard await waitForReleases(of: session, atMost: NodeLimits.farewell) else {
      throw RegistryError(
        .unavailable, "it has not yet taken that an earlier session \(session) has ended")
    }
    return try await registry.claim(session, node: id, incarnation: incarnation, owner: owner)
  }

  /// Frees the session's record, trying again while the registry is away, however long that is: a record
  /// that stayed would keep its clients asking for a session that nobody has.
  func release(_ session: SessionID, epoch: Epoch, tombstone: Tombstone?) {
    releasing.withLockedValue { _ = $0.insert(session) }
    Task {
      var delay = Duration.seconds(1)
      while !hasStopped.withLockedValue({ $0 }) {
        do {
          _ = try await registry.release(
            session, node: id, incarnation: incarnation, epoch: epoch, tombstone: tombstone)
          break
        } catch {
          logger.warning(
            "a session's record could not be released; trying again",
            metadata: ["session": "\(session)", "error": "\(error)"])
          try? await Task.sleep(for: delay)
          delay = min(delay * 2, NodeLimits.releaseInterval)
        }
      }
      releasing.withLockedValue { _ = $0.remove(session) }
    }
  }

  /// The registry has a session here that is not: it came back from an older dump, and knows nothing of the
  /// session's end. Only a record of exactly this epoch is closed.
  func disown(_ session: SessionID, epoch: Epoch) {
    guard !releasing.withLockedValue({ $0.contains(session) }) else { return }
    release(
      session, epoch: epoch,
      tombstone: Tombstone(
        status: nil, reason: .lost, ended: wallClockMilliseconds()))
  }

  /// What could not be released by now stays: the node leaves.
  func stop() { hasStopped.withLockedValue { $0 = true } }

  /// Waits until every release was taken, or that of one session, for at most `limit`. False: it was not.
  @discardableResult
  func waitForReleases(of session: SessionID? = nil, atMost limit: Duration) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while releasing.withLockedValue({ session.map($0.contains) ?? !$0.isEmpty }) {
      guard ContinuousClock.now < deadline else { return false }
      try? await Task.sleep(for: .milliseconds(5))
    }
    return true
  }
}

/// Milliseconds since 1970.
func wallClockMilliseconds() -> UInt64 { UInt64(max(0, Date().timeIntervalSince1970 * 1_000)) }
