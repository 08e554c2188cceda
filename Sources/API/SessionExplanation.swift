// Why a session is where it is: what each who knows of it says, and where a session of its name would be created now.

public import Registry
public import Wire

public struct SessionExplanation: Sendable, Codable {
  /// What the registry has of it.
  public struct Record: Sendable, Codable {
    public var node: NodeID
    public var incarnation: Incarnation
    public var epoch: Epoch
    /// `owned`, `let_go`, `ended` (its last screen is kept) or `closed`.
    public var state: String
    public var owner: String?
    public var holder: String?

    public init(_ record: SessionRecord) {
      node = record.node
      incarnation = record.incarnation
      epoch = record.epoch
      owner = record.creator
      holder = record.holder
      state =
        switch record.state {
        case .closed: "closed"
        case .owned: record.end != nil ? "ended" : record.isFree ? "let_go" : "owned"
        }
    }
  }

  /// What the router that answers remembers of it.
  public struct Memory: Sendable, Codable {
    public var node: NodeID
    public var epoch: Epoch
    public init(node: NodeID, epoch: Epoch) {
      self.node = node
      self.epoch = epoch
    }
  }

  /// A node, for a session of this name.
  public struct Candidate: Sendable, Codable {
    public var node: NodeID
    /// Its rendezvous hash with the name; the highest is asked first.
    public var score: Double
    /// Sessions that it has, and how many it may have.
    public var load: Int
    public var limit: Int
    public var capacity: Int
    public var weight: Double
    public var labels: [String: String]
    /// Why it cannot take the session; absent: it can.
    public var obstacle: String?
    public var link: String?

    public init(
      _ candidate: Placement.Candidate, capacity: Int, labels: [String: String], link: String?
    ) {
      node = candidate.node
      score = candidate.score
      load = candidate.load
      limit = candidate.limit
      weight = candidate.weight
      obstacle = candidate.obstacle
      self.capacity = capacity
      self.labels = labels
      self.link = link
    }
  }

  public var session: SessionID
  /// The router that answers.
  public var router: NodeID
  /// Absent: nobody has it.
  public var record: Record?
  /// Absent: it remembers nothing, and would ask the registry.
  public var memory: Memory?
  /// Milliseconds left of its owner's lease; negative: since it ended. Absent: there is no such node.
  public var lease: Int?
  /// In a sentence.
  public var explanation: String
  public var history: [Tenure]?
  /// All nodes, the preferred first.
  public var candidates: [Candidate]
  /// Where it would be created now; absent: no node can take it.
  public var chosen: NodeID?
  /// The registry does not answer; absent: it does.
  public var registry: RegistryGap?

  public init(
    session: SessionID, router: NodeID, explanation: String, candidates: [Candidate],
    chosen: NodeID?
  ) {
    self.session = session
    self.router = router
    self.explanation = explanation
    self.candidates = candidates
    self.chosen = chosen
  }
}
