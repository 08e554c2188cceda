// What the HTTP API can ask of the cluster; the router does it.

public import Auth
public import Cluster
public import Wire

/// Where a session is or would be, and why.
public struct SessionLocation: Sendable, Codable, Equatable {
  public enum Why: String, Sendable, Codable {
    /// The registry has an owner's record, and the owner lives.
    case owner
    /// The owner is silent: it may only be cut off from the registry.
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

  public init(
    session: SessionID, node: NodeID, why: Why, epoch: Epoch?, explanation: String
  ) {
    self.session = session
    self.node = node
    self.why = why
    self.epoch = epoch
    self.explanation = explanation
  }
}

/// The sessions of the nodes that answered, and which did not.
public struct SessionList: Sendable, Equatable, Codable {
  public struct Unanswered: Sendable, Equatable, Codable {
    public var node: NodeID
    public var reason: String
    /// How many of its sessions are not in the list, by what it last told the registry; nil: who asks may not
    /// know.
    public var sessions: Int?

    public init(node: NodeID, reason: String, sessions: Int?) {
      self.node = node
      self.reason = reason
      self.sessions = sessions
    }
  }
  public var sessions: [SessionSummary]
  public var unanswered: [Unanswered]

  public init(sessions: [SessionSummary], unanswered: [Unanswered] = []) {
    self.sessions = sessions
    self.unanswered = unanswered
  }
}

extension SessionLocation {
  /// Of a session that has an owner, whatever has become of that.
  public init(_ id: SessionID, _ record: SessionRecord, among nodes: [NodeEntry]) {
    let state = record.ownerState(among: nodes)
    self.init(
      session: id, node: record.node,
      why: state.isLost ? .lost : state == .alive ? .owner : .unreachable, epoch: record.epoch,
      explanation: record.explanation(state))
  }

  /// Of a session that does not exist.
  /// - Throws: ``OperationError`` if no node can take it.
  public init(_ id: SessionID, placedBy ranked: [Placement.Candidate]) throws {
    guard let chosen = Placement.choose(ranked) else {
      throw OperationError(
        .unavailable, "no node can take a new session (\(Placement.obstacles(ranked)))")
    }
    let order = ranked.map { "\($0.node)\($0.obstacle.map { " (\($0))" } ?? "")" }
    self.init(
      session: id, node: chosen.node, why: .hash, epoch: nil,
      explanation: "does not exist; would be created by rendezvous hash, in the order "
        + order.joined(separator: ", "))
  }
}

/// Why an operation could not be done; `message` says what to do.
public struct OperationError: Error, CustomStringConvertible {
  public enum Code: String, Sendable {
    case badRequest = "bad_request"
    case forbidden
    case notFound = "not_found"
    case gone
    case conflict
    /// A session of that name.
    case exists
    case unavailable
  }
  public var code: Code
  public var message: String
  /// Of the session that it is about.
  public var facts: SessionFacts?
  public init(_ code: Code, _ message: String, _ facts: SessionFacts? = nil) {
    self.code = code
    self.message = message
    self.facts = facts
  }
  public var description: String { message }
}

/// Who asks.
public struct Caller: Sendable {
  public var principal: Principal
  /// The address, for the audit log.
  public var from: String

  public init(principal: Principal, from: String) {
    self.principal = principal
    self.from = from
  }

  /// May do nothing: operations are somebody's.
  public static let nobody = Caller(
    principal: Principal(subject: nil, grants: Grants([])), from: "")
}

public protocol ClusterOperations: Sendable {
  /// The same cluster as `caller` may use it.
  func acting(for caller: Caller) -> any ClusterOperations
  /// Whether a load balancer should send clients here.
  var isReady: Bool { get async }
  func nodes() async throws -> [NodeEntry]
  /// How the one who answers gets on with this node: `ok`, or what is wrong; nil: it has not tried.
  func link(to node: NodeEntry) async -> String?
  /// Sessions of one node, or of all that answer.
  func sessions(node: NodeID?) async throws -> SessionList
  func session(_ id: SessionID) async throws -> SessionSummary
  func locate(_ id: SessionID) async throws -> SessionLocation
  /// Creates the session without attaching to it.
  func create(_ open: Open) async throws -> Opened
  func kill(_ id: SessionID) async throws
  /// - Parameters:
  ///   - scrollback: lines above the screen.
  ///   - tail: instead of the screen, so many of the last lines that hold something.
  func screen(
    _ id: SessionID, format: ScreenFormat, scrollback: UInt32, tail: UInt32?
  ) async throws -> String
  func setDraining(_ node: NodeID, _ isDraining: Bool) async throws
  /// Returns if the caller may have tickets made, which stand for everything.
  func mayIssueTickets() async throws
}

extension ClusterOperations {
  /// A cluster that lets everybody do everything.
  public func acting(for caller: Caller) -> any ClusterOperations { self }
  public func mayIssueTickets() async throws {}
  public func link(to node: NodeEntry) async -> String? { nil }
}
