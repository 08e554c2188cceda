// Why the API could not do what it was asked for.

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
