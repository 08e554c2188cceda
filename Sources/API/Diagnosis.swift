// What is wrong in a cluster: where the registry's records and what the nodes themselves say differ, and what an
// operator should change.

public import Registry
public import Wire

public struct Diagnosis: Sendable, Codable {
  public struct Finding: Sendable, Codable, Equatable {
    public struct Kind: Word {
      public let rawValue: String
      public init(rawValue: String) { self.rawValue = rawValue }

      /// A record says that a node has a session, and that node does not have it.
      public static let ghost = Kind(rawValue: "ghost")
      /// A node has a session without a record.
      public static let orphan = Kind(rawValue: "orphan")
      /// Two nodes have a session of one name.
      public static let double = Kind(rawValue: "double")
      /// A node has a session, and the record names another.
      public static let stranger = Kind(rawValue: "stranger")
      /// The session was lost with its node, and its record is left.
      public static let lost = Kind(rawValue: "lost")
      /// A record that cannot be read.
      public static let unread = Kind(rawValue: "unread")
      /// A node that does not say what it has, or that cannot be reached.
      public static let silent = Kind(rawValue: "silent")
      /// Nodes or routers of different versions.
      public static let versions = Kind(rawValue: "versions")
      /// What the registry's operator should change.
      public static let registry = Kind(rawValue: "registry")
      public static let clock = Kind(rawValue: "clock")
    }
    public var kind: Kind
    public var node: NodeID?
    public var session: SessionID?
    /// In a sentence.
    public var text: String
    /// What would be done about it; absent: nothing can be done from here.
    public var repair: String?
    /// Whether that was done; absent: it was not asked for.
    public var isRepaired: Bool?

    public init(
      _ kind: Kind, node: NodeID? = nil, session: SessionID? = nil, _ text: String,
      repair: String? = nil
    ) {
      self.kind = kind
      self.node = node
      self.session = session
      self.text = text
      self.repair = repair
    }
  }
  public var findings: [Finding]
  /// How many records and sessions were compared.
  public var records: Int
  public var sessions: Int
  /// Where the records are, in words.
  public var registry: String?

  public init(findings: [Finding], records: Int, sessions: Int, registry: String? = nil) {
    self.registry = registry
    self.findings = findings
    self.records = records
    self.sessions = sessions
  }
}
