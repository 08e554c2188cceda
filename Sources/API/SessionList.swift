// The sessions of a cluster, and what is missing from the list.

public import Registry
public import Wire

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
  /// What the registry has of these cannot be read; nil: there are none.
  public var unread: [SessionID]?
  /// The registry does not answer: sessions of nodes that are away are not in the list; nil: it does.
  public var registry: RegistryGap?

  public init(sessions: [SessionSummary], unanswered: [Unanswered] = []) {
    self.sessions = sessions
    self.unanswered = unanswered
  }
}
