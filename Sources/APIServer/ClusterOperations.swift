// What the HTTP API can ask of the cluster; the router does it.

public import API
public import Auth
public import Registry
public import Wire

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
  /// The same, or, where the registry does not answer, what is remembered.
  func nodeList() async throws -> NodeList
  /// How the one who answers gets on with this node: `ok`, or what is wrong; nil: it has not tried.
  func link(to node: NodeEntry) async -> String?
  /// The routers, and which of them answers.
  func routers() async throws -> RoutersAnswer
  /// The clients of the router that answers.
  func clients() async throws -> [ClientView]
  /// Ends the connections that a client has at the router that answers, and returns how many those were.
  func kick(_ client: ClientID) async throws -> Int
  /// Why a session is where it is, and where one that is to be so would be created.
  func explain(_ id: SessionID, as creation: Creation) async throws -> SessionExplanation
  /// What happened since an event, `MILLISECONDS-NUMBER`.
  func events(after id: String, limit: Int) async throws -> [ListedEvent]
  /// What is wrong in the cluster; and mends of it what can be mended, if asked to.
  func diagnose(repairs: Bool) async throws -> Diagnosis
  /// How the registry is.
  func registryHealth() async throws -> RegistryHealth
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
  /// - Returns: false: the registry does not answer, and is told later.
  func setWish(_ node: NodeID, _ wish: NodeWish) async throws -> Bool
  /// Returns if the caller may have tickets made, which stand for everything.
  func mayIssueTickets() async throws
}

extension ClusterOperations {
  /// A cluster that lets everybody do everything.
  public func acting(for caller: Caller) -> any ClusterOperations { self }
  public func mayIssueTickets() async throws {}
  public func link(to node: NodeEntry) async -> String? { nil }
  public func routers() async throws -> RoutersAnswer { throw Self.unable }
  public func clients() async throws -> [ClientView] { throw Self.unable }
  public func kick(_ client: ClientID) async throws -> Int { throw Self.unable }
  public func explain(_ id: SessionID, as creation: Creation) async throws -> SessionExplanation {
    throw Self.unable
  }
  public func registryHealth() async throws -> RegistryHealth { throw Self.unable }
  public func events(after id: String, limit: Int) async throws -> [ListedEvent] {
    throw Self.unable
  }
  public func diagnose(repairs: Bool) async throws -> Diagnosis { throw Self.unable }
  private static var unable: OperationError {
    OperationError(.unavailable, "what answers here does not tell this")
  }
  public func nodeList() async throws -> NodeList { NodeList(nodes: try await nodes()) }
}
