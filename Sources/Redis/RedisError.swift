// Why a command has no answer.

import Transport
public import Wire

public typealias RedisError = Failure<RedisErrorCode>

public enum RedisErrorCode: String, FailureCode {
  /// Redis cannot be reached just now, or the connection broke before the answer.
  case unavailable
  /// No answer in time. Whether the command was carried out is not known.
  case timedOut
  /// Redis answered with an error.
  case refused
  /// Redis does not know the script of an EVALSHA (yet, or any more).
  case unknownScript
  /// The URL, the password, the rights or the database is wrong: trying again does not help.
  case misconfigured
  /// What answers does not speak Redis's protocol.
  case protocolViolation

  public static func words(of cause: any Error) -> String { Transport.cause(of: cause) }
}
