// What is known of a session's owner, by its record and the list of nodes: for who asks where a session is. Pure.

public import Wire

public enum OwnerState: Hashable, Sendable {
  case alive
  /// Its lease ended so many milliseconds ago: it may only be cut off from the registry.
  case silent(milliseconds: Int)
  /// Silent for so long that it counts as dead, but a holder keeps the session until a node comes back for it.
  case held(milliseconds: Int)
  /// Silent, or away under another name of its process, and the session has ended: its last screen is kept until a node
  /// comes back for it. Who wants to see it waits, who wants a new session of its name need not.
  case ended(milliseconds: Int)
  /// No node has it, and any that reaches its holder may take it over.
  case free
  /// Another process is that node by now, and will say whether it has the session from its holder.
  case restarted(as: Incarnation)
  /// Silent for so long that the session counts as lost.
  case dead(milliseconds: Int)
  /// Another process is that node by now.
  case replaced(by: Incarnation)
  /// No node of that name is registered.
  case gone
}

extension SessionRecord {
  /// How it ended, if that is known, and if no node has it any more.
  public func tombstone(among nodes: [NodeEntry]) -> Tombstone? {
    switch state {
    case .closed(let tombstone): tombstone
    case .owned: ownerState(among: nodes).mayBeClaimed ? end : nil
    }
  }

  /// What is left of it once its owner is dead.
  func remains(_ state: OwnerState, now: UInt64) -> Tombstone {
    end
      ?? Tombstone(
        status: nil, reason: .lost, ended: state.leaseEnd(now: now), creator: creator)
  }

  /// Whether the process of an owned one is gone, as far as the registry can know.
  public func isLost(among nodes: [NodeEntry]) -> Bool { ownerState(among: nodes).isLost }

  public func ownerState(among nodes: [NodeEntry]) -> OwnerState {
    if isFree, mayBeReached(among: nodes) { return .free }
    // A session that has ended is not taken over: only its last screen is left.
    lazy var isShared = end == nil && mayBeReached(among: nodes)
    guard let entry = nodes.first(where: { $0.record.id == node }) else {
      return isShared ? .free : .gone
    }
    let silence = Int(min(entry.leaseMilliseconds.magnitude, UInt(Int.max)))
    // A holder keeps a session for whichever process is this node next, and if it has ended, its last screen.
    let isKept = holder != nil && !entry.isBeyondReturn
    guard entry.record.incarnation == incarnation else {
      guard isKept, entry.mayRestore else {
        return isShared ? .free : .replaced(by: entry.record.incarnation)
      }
      return end != nil && !entry.isLive
        ? .ended(milliseconds: silence) : .restarted(as: entry.record.incarnation)
    }
    if entry.isLive { return .alive }
    guard entry.isDead else { return .silent(milliseconds: silence) }
    if isShared { return .free }
    guard isKept else { return .dead(milliseconds: silence) }
    return end == nil ? .held(milliseconds: silence) : .ended(milliseconds: silence)
  }

  /// Whether other nodes than its own may go on with it. Some node may come that has the engine of its container; what is
  /// held on a machine waits for its own node where none that lives reaches that holder.
  private func mayBeReached(among nodes: [NodeEntry]) -> Bool {
    if engine != nil { return true }
    guard let label = holder.flatMap(HolderName.label) else { return false }
    return nodes.contains { $0.isLive && $0.record.labels[label.key] == label.value }
  }

  /// Whether a node with these labels reaches what holds it.
  public func isReached(by labels: [String: String]) -> Bool {
    holder.map { HolderName.isReached($0, by: labels) } ?? false
  }

  /// What a node's labels have to say so that it reaches what holds the session. Nil: nothing does.
  public var reach: [String: String]? {
    holder.flatMap(HolderName.label).map { [$0.key: $0.value] }
  }

  /// The engine of the container that its holder is in; nil: it is on its node's machine, or has none.
  public var engine: String? { holder.flatMap(HolderName.Container.init)?.engine }

  /// Where the session is, in a sentence that an operator can act on.
  public func explanation(_ state: OwnerState) -> String {
    let owner = "\(node) (incarnation \(incarnation))"
    let place = engine == nil ? "held on its node's machine by" : "held in"
    let keeper = holder.map { "\(place) \($0)" } ?? "held by nothing"
    return switch state {
    case .alive: "owned by \(owner)" + (holder == nil ? "" : ", and \(keeper)")
    case .silent(let time):
      "owned by \(owner), whose lease ended \(time / 1_000) s ago: it may only be cut off from the registry"
        + (holder == nil ? "" : "; \(keeper)")
    case .held(let time):
      "\(keeper); node \(owner) has been silent since its lease ended \(time / 1_000) s ago: the session goes on "
        + "when that node is started again, within the hour"
    case .ended(let time):
      "ended, and its last screen \(keeper); node \(owner) has been silent since its lease ended \(time / 1_000) s ago: it "
        + "shows that once it is started again"
    case .free:
      "\(keeper); was on \(owner), which has let go of it or is dead: the next node that reaches it takes it over"
    case .restarted(let other):
      "\(keeper); node \(owner) has been started anew since (incarnation \(other)), and has yet to say whether it "
        + "has the session"
    case .dead(let time):
      "was on \(owner), which has been silent since its lease ended \(time / 1_000) s ago: lost, unless the "
        + "node comes back"
    case .replaced(let other):
      "was on \(owner), which has been started anew since (incarnation \(other)): lost"
    case .gone:
      "was on \(owner), which has left, or has been silent for more than a day: lost"
    }
  }
}

extension NodeEntry {
  /// Whether its holder has ended by now what it kept for it.
  var isBeyondReturn: Bool { leaseMilliseconds <= -Lease.orphanPatience }

  /// Whether it may yet take over sessions of earlier incarnations. A node without a holder has nobody to ask for them,
  /// and one that has said which it found will not find others.
  public var mayRestore: Bool {
    record.holder != nil && record.hasRestored != true && !isBeyondReturn
  }

  /// Whether it may have sessions, though it is away: its holder keeps them.
  public var mayComeBack: Bool { record.holder != nil && !isBeyondReturn }
}

extension OwnerState {
  /// Whether the session's process is gone, as far as the registry can know.
  public var isLost: Bool {
    switch self {
    case .alive, .silent, .held, .ended, .free, .restarted: false
    case .dead, .replaced, .gone: true
    }
  }

  /// Whether a new session may have its name: no process of it runs, as far as the registry can know.
  public var mayBeClaimed: Bool {
    if case .ended = self { true } else { isLost }
  }

  /// When its lease ended, in milliseconds since 1970. Nil: it has not, or nobody knows any more.
  public func leaseEnd(now: UInt64) -> UInt64? {
    switch self {
    case .silent(let time), .held(let time), .ended(let time), .dead(let time):
      now - min(now, UInt64(clamping: time))
    case .alive, .free, .restarted, .replaced, .gone: nil
    }
  }
}
