// What a node says of the sessions that it has, and what comes of it.

public import Wire

/// A session that a node has, as it says itself.
public struct OwnedSession: Hashable, Sendable {
  public var epoch: Epoch
  /// The subject that created it; nil: nobody's.
  public var creator: String?
  /// How its process ended; nil: it runs.
  public var end: Tombstone?
  /// What holds its terminal (``HolderName``); nil: nothing but the node.
  public var holder: String?
  /// Who had it until now.
  public var history: [Tenure]

  public init(
    epoch: Epoch, creator: String? = nil, end: Tombstone? = nil, holder: String? = nil,
    history: [Tenure] = []
  ) {
    self.epoch = epoch
    self.creator = creator
    self.end = end
    self.holder = holder
    self.history = history
  }

  /// The history as the record tells it: empty if it only says how the session was started, since the epoch tells that,
  /// so that most records stay small.
  var toldHistory: [Tenure] { history.count > 1 ? history.suffix(WireLimits.tenures) : [] }
}

/// What the registry found when a node told it what it holds.
public struct Announcement: Hashable, Sendable {
  /// The sessions that another node owns by now, under a larger epoch.
  public var superseded: [SessionID]
  /// The sessions whose records were missing or older, and were written.
  public var repaired: [SessionID]

  public init(superseded: [SessionID] = [], repaired: [SessionID] = []) {
    self.superseded = superseded
    self.repaired = repaired
  }
}
