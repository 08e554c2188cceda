// The registry: who owns which session, which nodes live. `RedisRegistry` keeps it in Redis,
// `MemoryRegistry` in this process; the same tests run against both. It is a hint (promise P4):
// the owner checks every open, whatever is said here. No terminal byte passes through it.

import Transport
public import Wire

/// Which registry it is: made at random, once, so that what two clusters of the same name leave in a place that
/// they share can be told apart.
public struct RegistryIdentity: NameIdentifier {
  public let rawValue: String
  public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

public enum ClaimResult: Hashable, Sendable {
  /// The session is the caller's, under this epoch.
  case claimed(Epoch)
  /// Another live incarnation owns it.
  case owned(SessionRecord)
  /// Its owner is dead, so its process is lost: said once, and a tombstone says so from then on.
  case lost(SessionRecord)
}

public enum HeartbeatResult: Hashable, Sendable {
  case alive(NodeWish)
  /// The node is registered again, and is to announce its sessions. Said at every heartbeat until it has.
  case outdated(Outdated)
  /// Another incarnation of this node id holds a lease that still lives, for so many milliseconds.
  case refused(by: Incarnation, leaseMilliseconds: Int)

  /// Why the registry may be wrong about what a node holds.
  public enum Outdated: String, Sendable {
    /// It has lost what it knew.
    case lostData = "1"
    /// The node was silent for so long that it counted as dead, and its sessions as lost.
    case takenForDead = "2"
    /// It throws away records when its memory is full, and has done so.
    case evicted = "3"
  }
}

/// Why the registry gives no answer.
public typealias RegistryError = Failure<RegistryErrorCode>

public enum RegistryErrorCode: String, FailureCode {
  case unavailable, timedOut, corrupt, misconfigured
  /// The registry lost its data, and not every node has announced its sessions yet: what is unknown
  /// may exist.
  case unsettled
  public static func words(of cause: any Error) -> String { Transport.cause(of: cause) }
  /// Trying again may help.
  public var passes: Bool { self == .unavailable || self == .timedOut || self == .unsettled }
}

extension RegistryError {
  /// Why the registry gives no answer, for a client, who need not know where Redis is.
  public static func explanation(of error: any Error) -> String {
    if let error = error as? RegistryError, error.code == .unsettled { return error.message }
    return "the registry does not answer; try again"
  }

  static var unsettled: RegistryError {
    RegistryError(
      .unsettled,
      "the registry's data was lost, and the nodes are announcing their sessions; try again")
  }

  static var evicting: RegistryError {
    RegistryError(
      .unsettled,
      "Redis throws away records since its memory is full, and not every node has announced its "
        + "sessions again; try again (its maxmemory-policy should be noeviction)")
  }
}

public protocol Registry: Sendable {
  /// Renews the node's lease and record; the first one registers it. While another incarnation's lease lives it is
  /// refused, unless it is the first one and both have the same ``NodeRecord/holder``: who has a holder has its
  /// directory's lock, so that the process which had it before is gone, and a node that was killed need not wait
  /// for its own lease to end.
  /// - Parameter isRenewal: this incarnation has registered before, so that a registry that does not
  ///   know it has lost its data.
  func heartbeat(_ record: NodeRecord, isRenewal: Bool) async throws -> HeartbeatResult
  /// Writes again all that the node holds, after ``HeartbeatResult/outdated(_:)``; a session that was taken for
  /// lost is found again. The larger epoch wins.
  func announce(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement
  /// The same for some of what it holds, whose records should be there: nothing is written where they are.
  func confirm(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement
  /// Ends the node's lease at once, if `incarnation` holds it. An operator's wish to drain it stays.
  func leave(_ node: NodeID, incarnation: Incarnation) async throws
  /// Every node whose record is known, live or not, sorted by id.
  func nodes() async throws -> [NodeEntry]
  /// Sets what the operator wishes of a node. False: no such node.
  func setWish(_ node: NodeID, _ wish: NodeWish) async throws -> Bool

  /// Makes the session the caller's. A tombstone is no hindrance: the next life has a higher epoch.
  /// - Parameters:
  ///   - creator: the subject for whom it is created.
  ///   - holder: what is to hold its terminal.
  /// - Throws: ``RegistryError`` `unsettled` while nodes are announcing their sessions.
  func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, creator: String?, holder: String?
  ) async throws -> ClaimResult
  /// Makes a session the caller's whose holder keeps it while its node is dead or has let go of it. Nil: its record is
  /// not `record` any more, and nothing was changed.
  func takeOver(
    _ session: SessionID, from record: SessionRecord, node: NodeID, incarnation: Incarnation
  ) async throws -> Epoch?
  /// Lets go of it: any node that reaches its holder may take it over. Only if node, incarnation and epoch match (true).
  /// - Parameter next: the one that is ready for it; nil: none is.
  func letGo(
    of session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch, next: NodeID?
  ) async throws -> Bool
  /// Says of sessions how far `node` has come with them, which is to have them next. Forgotten after
  /// ``RegistryLimits/offers`` milliseconds, unless something is said again.
  func setOffers(_ offers: [SessionID: MoveOffer], to node: NodeID) async throws
  func offers(to node: NodeID) async throws -> [SessionID: MoveOffer]
  func removeOffers(_ sessions: [SessionID], to node: NodeID) async throws
  /// Frees the record, only if node, incarnation and epoch all match (true). With a tombstone, that
  /// is left in its place for `--keep-tombstones`; without one, nothing is left (the pipe never started).
  func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) async throws -> Bool
  /// Nil: never heard of, or long forgotten.
  /// - Throws: ``RegistryError`` `unsettled` for an unknown one while nodes are announcing theirs.
  func lookUp(_ session: SessionID) async throws -> SessionRecord?
  /// Whether the record of a session that lives may be missing, since others can reach the records.
  var mayLoseRecords: Bool { get }
  /// Which node has a session that has no record, by the list of owned sessions, which may lag behind.
  func listedOwner(of session: SessionID) async throws -> ListedOwner?
  /// Whether it began with this process and remembers every session since: one that it does not know was then an
  /// earlier process's, and is lost.
  func remembersAll() async -> Bool
  /// Sessions whose owner is none of these nodes, which cannot tell of them themselves, or has let go of them. At most
  /// `limit`.
  func sessions(notOn nodes: [NodeID: Incarnation], limit: Int) async throws -> RecordList
  /// Sessions that earlier incarnations of `node` owned, and nobody has taken over since. At most `limit`.
  func sessions(
    of node: NodeID, notIncarnation incarnation: Incarnation, limit: Int
  ) async throws -> RecordList
  /// All sessions known, for an operator without a router, those that live first; at most `limit`.
  func sessions(limit: Int) async throws -> RecordList
  /// Keeps what happened, among the last ones.
  /// - Parameter once: names it where several notice it: the first one's word is kept, for a day.
  func note(_ event: ClusterEvent, once: String?) async throws
  /// What happened since, the oldest first; at most `limit`.
  /// - Parameter id: of the last event that is known; `MILLISECONDS-0`: since that time.
  func events(after id: String, limit: Int) async throws -> [ListedEvent]
  /// Writes the router's record anew, for ``Lease/router`` milliseconds.
  func renew(_ router: RouterRecord) async throws
  /// Forgets the router.
  func leave(router: NodeID, incarnation: Incarnation) async throws
  /// Every router whose record is known, live or not, sorted by id.
  func routers() async throws -> [RouterEntry]
  /// Which registry it is; made by who asks first.
  func identity() async throws -> RegistryIdentity
  /// What an operator should change about it, each in a sentence.
  func warnings() async throws -> [String]
  /// How it is, for an operator.
  func health() async throws -> RegistryHealth
  func shutdown() async
}

/// A list of sessions: one bad record does not hide the others.
public struct RecordList: Sendable {
  public var sessions: [(SessionID, SessionRecord)]
  /// Sessions with a record that cannot be read.
  public var unread: [SessionID]

  public init(_ sessions: [(SessionID, SessionRecord)] = [], unread: [SessionID] = []) {
    self.sessions = sessions
    self.unread = unread
  }
}

extension Registry {
  public func heartbeat(_ record: NodeRecord) async throws -> HeartbeatResult {
    try await heartbeat(record, isRenewal: false)
  }

  public func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, creator: String? = nil
  ) async throws -> ClaimResult {
    try await claim(session, node: node, incarnation: incarnation, creator: creator, holder: nil)
  }

  public func takeOver(
    _ session: SessionID, from record: SessionRecord, node: NodeID, incarnation: Incarnation
  ) async throws -> Epoch? { nil }

  public func letGo(
    of session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch, next: NodeID?
  ) async throws -> Bool { false }

  public func letGo(
    of session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch
  ) async throws -> Bool {
    try await letGo(of: session, node: node, incarnation: incarnation, epoch: epoch, next: nil)
  }

  public func setOffers(_ offers: [SessionID: MoveOffer], to node: NodeID) async throws {}
  public func offers(to node: NodeID) async throws -> [SessionID: MoveOffer] { [:] }
  public func removeOffers(_ sessions: [SessionID], to node: NodeID) async throws {}

  public func remembersAll() async -> Bool { false }

  public func renew(_ router: RouterRecord) async throws {}

  public func leave(router: NodeID, incarnation: Incarnation) async throws {}

  public func routers() async throws -> [RouterEntry] { [] }

  public func note(_ event: ClusterEvent, once: String?) async throws {}

  public func events(after id: String, limit: Int) async throws -> [ListedEvent] { [] }

  public func health() async throws -> RegistryHealth {
    RegistryHealth(kind: .memory, warnings: try await warnings())
  }

  public var mayLoseRecords: Bool { false }

  public func listedOwner(of session: SessionID) async throws -> ListedOwner? { nil }
}
