// What an answer says of a session that is not there as it was asked for: 410, it has ended, and how; 409,
// there is one of that name, and in what it is another.

import FoundationEssentials
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
  public var owner: String?
  /// 409.
  public var state: SessionState?
  /// 409: in what it is not what was asked for.
  public var differs: [String]?

  public init() {}
}

extension OperationError {
  /// 410, with all that a tombstone still tells.
  /// - Parameter tellsOwner: who asks could have seen the session.
  public static func gone(
    _ session: SessionID, node: NodeID, _ tombstone: Tombstone, tellsOwner: Bool
  ) -> OperationError {
    var facts = SessionFacts()
    facts.reason = tombstone.reason
    facts.status = tombstone.status
    facts.ended = tombstone.ended
    facts.node = node
    facts.owner = tellsOwner ? tombstone.owner : nil
    var words =
      tombstone.isLost
      ? "session \(session) was lost with its node \(node)"
      : "session \(session) has ended on node \(node): \(tombstone.reason.rawValue.escaped)"
        + (tombstone.status.map { ", \($0)" } ?? "")
    // Up to the year 9999: what the registry says is not believed to be a time.
    if let ended = tombstone.ended, ended <= 253_402_300_799_000 {
      let time = Date(timeIntervalSince1970: Double(ended) / 1_000).ISO8601Format()
      words += tombstone.isLost ? ", whose lease ended at \(time)" : ", \(time)"
    }
    if let owner = facts.owner { words += "; it was \(owner.escaped)'s" }
    return OperationError(.gone, words, facts)
  }

  /// 409, with what a client can do about it.
  public static func exists(_ session: SessionID, _ facts: SessionFacts) -> OperationError {
    var words = "session \(session) exists already"
    if facts.state == .ended {
      words +=
        ", and has ended" + (facts.status.map { " (\($0))" } ?? "")
        + ": DELETE it to use its name again"
    } else {
      words += "; with \"attach\": true it is taken as it is"
    }
    if let differs = facts.differs, !differs.isEmpty {
      words += ". It is another in: \(differs.joined(separator: ", "))"
    }
    return OperationError(.exists, words, facts)
  }
}
