// The registry: who owns which session, which nodes live. `RedisRegistry` keeps it in Redis,
// `MemoryRegistry` in this process; the same tests run against both. It is a hint (promise P4):
// the owner checks every open, whatever is said here. No terminal byte passes through it.

import Transport
public import Wire

/// The name of a node, chosen by its operator.
public struct NodeID: NameIdentifier {
  public let rawValue: String
  public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Which registry it is: made at random, once, so that what two clusters of the same name leave in a place that
/// they share can be told apart.
public struct RegistryIdentity: NameIdentifier {
  public let rawValue: String
  public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

public struct NodeAddress: Hashable, Sendable, Codable, CustomStringConvertible {
  public var host: String
  public var port: Int
  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// What a node says of itself at each heartbeat.
public struct NodeRecord: Hashable, Sendable, Codable {
  public var id: NodeID
  public var incarnation: Incarnation
  /// Where links are accepted, one address per event loop, in loop order.
  public var loops: [NodeAddress]
  public var labels: [String: String]
  /// Share of the sessions relative to other nodes'; over 0.
  public var weight: Double
  /// Sessions it will hold at most.
  public var capacity: Int
  /// Sessions it holds now.
  public var sessions: Int
  public var version: String
  /// The holder that it has, whose sessions outlive it (``HolderName``); nil: none.
  public var holder: String?
  /// It has said of every session of its earlier incarnations that it has it, or that it is lost.
  public var hasRestored: Bool?

  public init(
    id: NodeID, incarnation: Incarnation, loops: [NodeAddress], labels: [String: String] = [:],
    weight: Double = 1, capacity: Int, sessions: Int = 0, version: String = "",
    holder: String? = nil, hasRestored: Bool? = nil
  ) {
    self.id = id
    self.incarnation = incarnation
    self.loops = loops
    self.labels = labels
    self.weight = weight
    self.capacity = capacity
    self.sessions = sessions
    self.version = version
    self.holder = holder
    self.hasRestored = hasRestored
  }
}

extension NodeRecord {
  /// The record with its numbers brought within bounds, so that one node's mistake harms no calculation with all of
  /// them.
  var bounded: NodeRecord {
    var record = self
    record.weight = min(
      max(weight, Double(RegistryLimits.weights.lowerBound)),
      Double(RegistryLimits.weights.upperBound))
    record.capacity = min(
      max(capacity, RegistryLimits.counts.lowerBound), RegistryLimits.counts.upperBound)
    record.sessions = min(
      max(sessions, RegistryLimits.counts.lowerBound), RegistryLimits.counts.upperBound)
    record.holder = HolderName.checked(holder)
    return record
  }
}

/// A node as the registry knows it.
public struct NodeEntry: Hashable, Sendable, Codable {
  public var record: NodeRecord
  /// Set by the operator: no new sessions.
  public var isDraining: Bool
  /// Milliseconds until its lease ends, by the registry's clock; negative: it has ended.
  public var leaseMilliseconds: Int

  public init(record: NodeRecord, isDraining: Bool, leaseMilliseconds: Int) {
    self.record = record
    self.isDraining = isDraining
    self.leaseMilliseconds = leaseMilliseconds
  }

  /// An entry as it was read, with numbers of any size.
  /// - Parameters:
  ///   - deadline: the lease's end, in milliseconds by the registry's clock.
  ///   - now: the time of that clock.
  init(read record: NodeRecord, isDraining: Bool, deadline: Int, now: Int) {
    let (left, overflow) = deadline.subtractingReportingOverflow(now)
    self.init(
      record: record.bounded, isDraining: isDraining,
      leaseMilliseconds: overflow ? (deadline < 0 ? .min : .max) : left)
  }

  /// Its lease lives: new sessions may go there.
  public var isLive: Bool { leaseMilliseconds > 0 }
  /// Its lease ended so long ago that what it owned counts as lost.
  public var isDead: Bool { leaseMilliseconds <= -Lease.patience }
}

/// Who owns a session, or that it is closed.
public struct SessionRecord: Hashable, Sendable, Codable {
  public enum State: Hashable, Sendable, Codable {
    /// Its owner holds it; its process may have ended, and its last screen is kept there.
    case owned
    /// The owner released it; kept as a tombstone.
    case closed(Tombstone)
  }
  public var node: NodeID
  public var incarnation: Incarnation
  public var epoch: Epoch
  public var state: State
  /// The subject that created it; nil: nobody's, or not known.
  public var owner: String?
  /// How the process of an owned session ended, so that this is known even if its node dies then; nil: it runs, as far
  /// as is known.
  public var end: Tombstone?
  /// What holds the terminal of an owned session while nodes come and go (``HolderName``); nil: nothing, and the
  /// session ends with its node.
  public var holder: String?
  /// Its node has let go of it: another may take it over at once.
  public var isFree: Bool
  /// Of an owned one, who had it until now; empty: only the node that started it, as far as is known.
  public var history: [Tenure]

  public init(
    node: NodeID, incarnation: Incarnation, epoch: Epoch, state: State = .owned,
    owner: String? = nil, end: Tombstone? = nil, holder: String? = nil, isFree: Bool = false,
    history: [Tenure] = []
  ) {
    self.node = node
    self.incarnation = incarnation
    self.epoch = epoch
    self.state = state
    self.owner = owner
    self.end = end
    self.holder = holder
    self.isFree = isFree
    self.history = history
  }

  /// Who had it until now.
  public var tenures: [Tenure] {
    guard history.isEmpty else { return history }
    // An epoch is the time of its claim, in microseconds, unless it is a count.
    let time = epoch.rawValue / 1_000
    return [
      Tenure(
        epoch: epoch, node: node.rawValue, since: time > RegistryLimits.earliest ? time : nil,
        why: .started)
    ]
  }

  /// What is left of it once its owner is dead.
  func remains(_ state: OwnerState, now: UInt64) -> Tombstone {
    end
      ?? Tombstone(
        status: nil, reason: .lost, ended: state.leaseEnd(now: now), owner: owner)
  }
}

/// What remains of a closed session. Which node had it stands in its record.
public struct Tombstone: Hashable, Sendable, Codable {
  public var status: ExitStatus?
  public var reason: EndReason
  /// When it ended, in milliseconds since 1970; for a lost one, when its node's lease did. Nil: not known.
  public var ended: UInt64?
  /// The subject that created the session; nil: nobody's, or not known.
  public var owner: String?

  public init(
    status: ExitStatus?, reason: EndReason, ended: UInt64? = nil, owner: String? = nil
  ) {
    self.status = status
    self.reason = reason
    self.ended = ended
    self.owner = owner
  }

  /// Its node died with it, as far as the registry can know.
  public var isLost: Bool { reason == .lost }
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
  case alive(isDraining: Bool)
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
    _ sessions: [SessionID: Holding], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement
  /// The same for some of what it holds, whose records should be there: nothing is written where they are.
  func confirm(
    _ sessions: [SessionID: Holding], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement
  /// Ends the node's lease at once, if `incarnation` holds it. An operator's wish to drain it stays.
  func leave(_ node: NodeID, incarnation: Incarnation) async throws
  /// Every node whose record is known, live or not, sorted by id.
  func nodes() async throws -> [NodeEntry]
  /// Sets or clears the operator's wish that a node gets no new sessions. False: no such node.
  func setDraining(_ node: NodeID, _ isDraining: Bool) async throws -> Bool

  /// Makes the session the caller's. A tombstone is no hindrance: the next life has a higher epoch.
  /// - Parameters:
  ///   - owner: the subject for whom it is created.
  ///   - holder: what is to hold its terminal.
  /// - Throws: ``RegistryError`` `unsettled` while nodes are announcing their sessions.
  func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, owner: String?, holder: String?
  ) async throws -> ClaimResult
  /// Makes a session the caller's that its node has let go of, or died with, while its holder keeps it: only if its record
  /// still is this one. Nil: it is not.
  func takeOver(
    _ session: SessionID, from record: SessionRecord, node: NodeID, incarnation: Incarnation
  ) async throws -> Epoch?
  /// Lets go of it: any node that reaches its holder may take it over. Only if node, incarnation and epoch match (true).
  func letGo(
    of session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch
  ) async throws -> Bool
  /// Frees the record, only if node, incarnation and epoch all match (true). With a tombstone, that
  /// is left in its place for `keepTombstone`; without one, nothing is left (the pipe never started).
  func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) async throws -> Bool
  /// Nil: never heard of, or long forgotten.
  /// - Throws: ``RegistryError`` `unsettled` for an unknown one while nodes are announcing theirs.
  func lookUp(_ session: SessionID) async throws -> SessionRecord?
  /// Whether the record of a session that lives may be missing, since others can reach the records.
  var mayLoseRecords: Bool { get }
  /// Who has a session that has no record, by the list of those that are owned, which may lag behind.
  func listedOwner(of session: SessionID) async throws -> ListedOwner?
  /// Whether it began with this process and remembers every session since: one that it does not know was then an
  /// earlier process's, and is lost.
  func remembersAll() async -> Bool
  /// Sessions whose owner is none of these nodes, which cannot tell of them themselves. At most `limit`.
  func sessions(notOn nodes: [NodeID: Incarnation], limit: Int) async throws -> RecordList
  /// Sessions that earlier incarnations of `node` owned, and nobody has taken over since. At most `limit`.
  func sessions(
    of node: NodeID, notIncarnation incarnation: Incarnation, limit: Int
  ) async throws -> RecordList
  /// All sessions known, for an operator without a router, those that live first; at most `limit`.
  func sessions(limit: Int) async throws -> RecordList
  /// Which registry it is; made by who asks first.
  func identity() async throws -> RegistryIdentity
  /// What an operator should change about it, each in a sentence.
  func warnings() async throws -> [String]
  func shutdown() async
}

/// A list of sessions: one bad record does not hide the others.
public struct RecordList: Sendable {
  public var sessions: [(SessionID, SessionRecord)]
  /// They have a record that cannot be read.
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
    _ session: SessionID, node: NodeID, incarnation: Incarnation, owner: String? = nil
  ) async throws -> ClaimResult {
    try await claim(session, node: node, incarnation: incarnation, owner: owner, holder: nil)
  }

  public func takeOver(
    _ session: SessionID, from record: SessionRecord, node: NodeID, incarnation: Incarnation
  ) async throws -> Epoch? { nil }

  public func letGo(
    of session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch
  ) async throws -> Bool { false }

  public func remembersAll() async -> Bool { false }

  public var mayLoseRecords: Bool { false }

  public func listedOwner(of session: SessionID) async throws -> ListedOwner? { nil }
}

/// Whose a session is by the list of those that are owned.
public struct ListedOwner: Hashable, Sendable {
  public var node: NodeID
  public var incarnation: Incarnation

  public init(node: NodeID, incarnation: Incarnation) {
    self.node = node
    self.incarnation = incarnation
  }

  /// Written as `node incarnation`.
  init?(_ text: String) {
    let words = text.split(separator: " ")
    guard words.count == 2, let node = NodeID(String(words[0])),
      let incarnation = Incarnation(String(words[1]))
    else { return nil }
    self.init(node: node, incarnation: incarnation)
  }

  var text: String { "\(node) \(incarnation)" }
}

extension SessionRecord {
  var listedOwner: ListedOwner { ListedOwner(node: node, incarnation: incarnation) }
}
