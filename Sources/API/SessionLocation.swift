// Where a session is, and why: told by a router, and from the registry itself where no router answers.

public import Registry
public import Wire

/// Where a session is or would be, and why.
public struct SessionLocation: Sendable, Codable, Equatable {
  public enum Why: String, Sendable, Codable {
    /// The registry has an owner's record, and the owner lives.
    case owner
    /// The owner is silent: it may only be cut off from the registry, or its holder keeps the session until it is
    /// started again.
    case unreachable
    /// The owner has died, or was started anew.
    case lost
    /// It does not exist; this is where it would be created.
    case hash
  }
  public var session: SessionID
  public var node: NodeID
  public var why: Why
  public var epoch: Epoch?
  public var explanation: String
  /// What holds its terminal while nodes come and go; absent: nothing, and it ends with its node.
  public var holder: String?
  /// Who had it until now, the last ones; absent for one that does not exist.
  public var history: [Tenure]?

  public init(
    session: SessionID, node: NodeID, why: Why, epoch: Epoch?, explanation: String,
    holder: String? = nil, history: [Tenure]? = nil
  ) {
    self.session = session
    self.node = node
    self.why = why
    self.epoch = epoch
    self.explanation = explanation
    self.holder = holder
    self.history = history
  }
}

extension SessionLocation {
  /// Of a session that has an owner, whatever has become of that.
  public init(_ id: SessionID, _ record: SessionRecord, among nodes: [NodeEntry]) {
    let state = record.ownerState(among: nodes)
    self.init(
      session: id, node: record.node,
      why: state.isLost ? .lost : state == .alive ? .owner : .unreachable, epoch: record.epoch,
      explanation: record.explanation(state), holder: record.holder, history: record.tenures)
  }

  /// Of a session that does not exist.
  /// - Throws: ``OperationError`` if no node can take it.
  public init(_ id: SessionID, placedBy ranked: [Placement.Candidate]) throws {
    guard let chosen = Placement.choose(ranked) else { throw OperationError.noNode(ranked) }
    let order = ranked.map { "\($0.node)\($0.obstacle.map { " (\($0))" } ?? "")" }
    self.init(
      session: id, node: chosen.node, why: .hash, epoch: nil,
      explanation: "does not exist; would be created by rendezvous hash, in the order "
        + order.joined(separator: ", "))
  }
}

extension OperationError {
  /// None of these can take a session.
  public static func noNode(_ ranked: [Placement.Candidate]) -> OperationError {
    OperationError(
      .unavailable, "no node can take a new session (\(Placement.obstacles(ranked)))")
  }
}
