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
