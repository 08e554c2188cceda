// What happened in a cluster, for who asks the next morning: kept by the registry, the last ones.

public import Wire

public struct ClusterEvent: Hashable, Sendable, Codable {
  public struct What: Word {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let joined = What(rawValue: "joined")
    /// The node was stopped in order.
    public static let left = What(rawValue: "left")
    /// The node was started anew.
    public static let restarted = What(rawValue: "restarted")
    /// The node's lease has ended so long ago that it counts as dead.
    public static let died = What(rawValue: "died")
    /// It had counted as dead.
    public static let back = What(rawValue: "back")
    public static let drain = What(rawValue: "drain")
    public static let cordon = What(rawValue: "cordon")
    /// It takes new sessions again.
    public static let undrain = What(rawValue: "undrain")
    /// A session, with its node.
    public static let lost = What(rawValue: "lost")
    /// A session has another node from now on.
    public static let moved = What(rawValue: "moved")
    /// No node could take a new session.
    public static let refused = What(rawValue: "refused")
    /// An operator has ended a client's connection.
    public static let kick = What(rawValue: "kick")
    /// An operator had the registry mended.
    public static let repair = What(rawValue: "repair")
  }
  /// Milliseconds since 1970.
  public var time: UInt64
  public var what: What
  public var node: NodeID?
  public var session: SessionID?
  /// Who wished it: the subject of a token.
  public var who: String?
  /// In a sentence.
  public var text: String

  public init(
    _ what: What, node: NodeID? = nil, session: SessionID? = nil, who: String? = nil,
    text: String, time: UInt64 = WallClock.milliseconds
  ) {
    self.time = time
    self.what = what
    self.node = node
    self.session = session
    self.who = who
    self.text = text.clipped(to: RegistryLimits.eventText)
  }
}

/// An event in its place among the others.
public struct ListedEvent: Hashable, Sendable, Codable {
  /// `MILLISECONDS-NUMBER`, which rises.
  public var id: String
  public var event: ClusterEvent

  public init(id: String, event: ClusterEvent) {
    self.id = id
    self.event = event
  }

  /// Whether a text is an event's id: two numbers.
  public static func isID(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        (1...20).contains(part.utf8.count) && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
          && UInt64(part) != nil
      }
  }
}

extension ClusterEvent {
  static func lost(_ session: SessionID, with node: NodeID) -> ClusterEvent {
    ClusterEvent(
      .lost, node: node, session: session, text: "session \(session) was lost with node \(node)")
  }

  static func moved(_ session: SessionID, from old: NodeID, to new: NodeID) -> ClusterEvent {
    ClusterEvent(
      .moved, node: new, session: session,
      text: "session \(session) has gone from node \(old) to node \(new)")
  }
}
