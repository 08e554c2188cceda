// Why a request has no answer.

import Transport
public import Wire

public typealias HTTPClientError = Failure<HTTPClientErrorCode>

public enum HTTPClientErrorCode: String, FailureCode {
  /// Nobody listens there, or this process may not connect.
  case unreachable
  /// No whole answer within the time.
  case timeout
  /// The connection ended before the answer did.
  case closed
  /// The body exceeds what the caller takes.
  case tooLong = "too_long"

  public static func words(of cause: any Error) -> String { Transport.cause(of: cause) }
}
