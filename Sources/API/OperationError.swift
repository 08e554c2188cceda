// Why the API could not do what it was asked for.

public import Registry
public import Wire

/// Why an operation could not be done; `message` says what to do. No ``Failure``: an answer tells its `facts`, and
/// what lies behind it is nobody's business outside.
public struct OperationError: Error, CustomStringConvertible {
  public enum Code: String, Sendable {
    case badRequest = "bad_request"
    case forbidden
    case notFound = "not_found"
    case gone
    /// A session of that name.
    case exists
    case unavailable
  }
  public var code: Code
  public var message: String
  /// Of the session that it is about.
  public var facts: SessionFacts?
  public init(_ code: Code, _ message: String, _ facts: SessionFacts? = nil) {
    self.code = code
    self.message = message
    self.facts = facts
  }
  public var description: String { message }
}

extension OperationError {
  /// 410, with all that a tombstone still tells.
  /// - Parameter tellsCreator: who asks could have seen the session.
  public static func gone(
    _ session: SessionID, node: NodeID, _ tombstone: Tombstone, tellsCreator: Bool
  ) -> OperationError {
    var facts = SessionFacts()
    facts.reason = tombstone.reason
    facts.status = tombstone.status
    facts.ended = tombstone.ended
    facts.node = node
    facts.creator = tellsCreator ? tombstone.creator : nil
    var words =
      tombstone.isLost
      ? "session \(session) was lost with its node \(node)"
      : "session \(session) has ended on node \(node): \(tombstone.reason.rawValue.escaped)"
        + (tombstone.status.map { ", \($0)" } ?? "")
    // What the registry says may be no time.
    if let time = tombstone.ended.flatMap(timeText) {
      words += tombstone.isLost ? ", whose lease ended at \(time)" : ", \(time)"
    }
    if let creator = facts.creator { words += "; it was \(creator.escaped)'s" }
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
