// What an answer says of a session that is not there as it was asked for: 410, it has ended, and how; 409,
// there is one of that name, and in what it is another.

public import Registry
public import Wire

public struct SessionFacts: Sendable, Equatable, Codable {
  /// 410: why it ended.
  public var reason: EndReason?
  public var status: ExitStatus?
  /// Milliseconds since 1970.
  public var ended: UInt64?
  /// The node that had it.
  public var node: NodeID?
  /// The subject that created it, for who may see its sessions.
  public var creator: String?
  /// 409.
  public var state: SessionState?
  /// 409: in what it is not what was asked for.
  public var differs: [String]?

  private enum CodingKeys: String, CodingKey {
    case reason, status, ended, node, state, differs
    case creator = "owner"
  }

  public init() {}
}
