// What is known of a session's owner, by its record and the list of nodes: for who asks where a session is. Pure.

public import Wire

public enum OwnerState: Hashable, Sendable {
  case alive
  /// Its lease ended so many milliseconds ago: it may only be cut off from the registry.
  case silent(milliseconds: Int)
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
    case .owned: ownerState(among: nodes).isLost ? end : nil
    }
  }

  public func ownerState(among nodes: [NodeEntry]) -> OwnerState {
    guard let entry = nodes.first(where: { $0.record.id == node }) else { return .gone }
    guard entry.record.incarnation == incarnation else {
      return .replaced(by: entry.record.incarnation)
    }
    if entry.isLive { return .alive }
    let silence = Int(min(entry.leaseMilliseconds.magnitude, UInt(Int.max)))
    return entry.isDead ? .dead(milliseconds: silence) : .silent(milliseconds: silence)
  }

  /// Where the session is, in a sentence that an operator can act on.
  public func explanation(_ state: OwnerState) -> String {
    let owner = "\(node) (incarnation \(incarnation))"
    return switch state {
    case .alive: "owned by \(owner)"
    case .silent(let time):
      "owned by \(owner), whose lease ended \(time / 1_000) s ago: it may only be cut off from the registry"
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

extension OwnerState {
  /// Whether the session's process is gone, as far as the registry can know.
  public var isLost: Bool {
    switch self {
    case .alive, .silent: false
    case .dead, .replaced, .gone: true
    }
  }

  /// When its lease ended, in milliseconds since 1970. Nil: it has not, or nobody knows any more.
  public func leaseEnd(now: UInt64) -> UInt64? {
    switch self {
    case .silent(let time), .dead(let time): now - min(now, UInt64(clamping: time))
    case .alive, .replaced, .gone: nil
    }
  }
}
