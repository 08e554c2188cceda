// Which node owns a session, as the registry knows it.

public import Wire

/// Who owns a session, or that it is closed.
public struct SessionRecord: Hashable, Sendable {
  public enum State: Hashable, Sendable {
    /// Its owner holds it; its process may have ended, and its last screen is kept there.
    case owned
    /// The owner released it; kept as a tombstone.
    case closed(Tombstone)
  }
  public var node: NodeID
  public var incarnation: Incarnation
  public var epoch: Epoch
  public var state: State
  /// The subject that created it; nil: nobody's, or not known.
  public var creator: String?
  /// How the process of an owned session ended, so that this is known even if its node dies then; nil: it runs, as far
  /// as is known.
  public var end: Tombstone?
  /// What holds the terminal of an owned session while nodes come and go (``HolderName``); nil: nothing, and the
  /// session ends with its node.
  public var holder: String?
  /// Its node has let go of it: another may take it over at once.
  public var isFree: Bool
  /// Of a free one the node that is ready to take it over; nil: none is, as far as is known.
  public var next: NodeID?
  /// The nodes that have had an owned session until now; empty: only the one that started it, as far as is known.
  public var history: [Tenure]

  public init(
    node: NodeID, incarnation: Incarnation, epoch: Epoch, state: State = .owned,
    creator: String? = nil, end: Tombstone? = nil, holder: String? = nil, isFree: Bool = false,
    next: NodeID? = nil, history: [Tenure] = []
  ) {
    self.node = node
    self.incarnation = incarnation
    self.epoch = epoch
    self.state = state
    self.creator = creator
    self.end = end
    self.holder = holder
    self.isFree = isFree
    self.next = next
    self.history = history
  }

  /// Who had it until now.
  public var tenures: [Tenure] {
    guard history.isEmpty else { return history }
    // An epoch is the time of its claim, in microseconds, unless it is a count.
    let time = epoch.rawValue / 1_000
    return [
      Tenure(
        epoch: epoch, node: node.rawValue, since: time > RegistryLimits.earliest ? time : nil,
        why: .started)
    ]
  }
}

extension SessionRecord {
  var listedOwner: ListedOwner { ListedOwner(node: node, incarnation: incarnation) }
}

/// The owner of a session by the list of owned sessions.
public struct ListedOwner: Hashable, Sendable {
  public var node: NodeID
  public var incarnation: Incarnation

  public init(node: NodeID, incarnation: Incarnation) {
    self.node = node
    self.incarnation = incarnation
  }

  /// Written as `node incarnation`. Nil also where a third word says that it has let go of the session.
  init?(_ text: String) {
    let words = text.split(separator: " ")
    guard words.count == 2, let node = NodeID(String(words[0])),
      let incarnation = Incarnation(String(words[1]))
    else { return nil }
    self.init(node: node, incarnation: incarnation)
  }

  var text: String { "\(node) \(incarnation)" }
  /// What a list says of a session that this owner has let go of. Earlier versions look at its record, too.
  var textOfFree: String { "\(text) free" }
}
