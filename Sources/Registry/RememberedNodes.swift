// A registry that is only a list of nodes, as somebody has last seen them: for who asks nodes themselves, where neither
// a router nor Redis answers. It knows of no session, and says of every other question that it cannot answer it.

public import Wire

public struct RememberedNodes: Registry {
  private let entries: [NodeEntry]

  public init(_ entries: [NodeEntry]) { self.entries = entries }

  public func nodes() async throws -> [NodeEntry] { entries }

  private var unable: RegistryError {
    RegistryError(.unavailable, "nobody can ask Redis here: only a list of nodes is remembered")
  }

  public func heartbeat(_ record: NodeRecord, isRenewal: Bool) async throws -> HeartbeatResult {
    throw unable
  }
  public func announce(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement { throw unable }
  public func confirm(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement { throw unable }
  public func leave(_ node: NodeID, incarnation: Incarnation) async throws { throw unable }
  public func setWish(_ node: NodeID, _ wish: NodeWish) async throws -> Bool { throw unable }
  public func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, creator: String?, holder: String?
  ) async throws -> ClaimResult { throw unable }
  public func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) async throws -> Bool { throw unable }
  public func lookUp(_ session: SessionID) async throws -> SessionRecord? { throw unable }
  public func sessions(notOn nodes: [NodeID: Incarnation], limit: Int) async throws -> RecordList {
    throw unable
  }
  public func sessions(
    of node: NodeID, notIncarnation incarnation: Incarnation, limit: Int
  ) async throws -> RecordList { throw unable }
  public func sessions(limit: Int) async throws -> RecordList { throw unable }
  public func routers() async throws -> [RouterEntry] { throw unable }
  public func events(after id: String, limit: Int) async throws -> [ListedEvent] { throw unable }
  public func identity() async throws -> RegistryIdentity { throw unable }
  public func warnings() async throws -> [String] { throw unable }
  public func health() async throws -> RegistryHealth { throw unable }
  public func shutdown() async {}
}
