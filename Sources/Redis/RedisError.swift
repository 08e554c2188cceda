// Why a command has no answer, and the numbers that bound a connection.

import NIOCore

public struct RedisError: Error, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// Redis cannot be reached just now, or the connection broke before the answer.
    case unavailable
    /// No answer in time. Whether the command was carried out is not known.
    case timedOut
    /// Redis answered with an error.
    case refused
    /// Redis does not know the script of an EVALSHA (yet, or any more).
    case unknownScript
    /// The URL, the password or the database is wrong: trying again does not help.
    case misconfigured
    /// What answers does not speak Redis's protocol.
    case protocolViolation
  }
  public var code: Code
  public var message: String
  public var cause: (any Error)?
  public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }
  public var description: String { cause.map { "\(message): \($0)" } ?? message }

  /// What an error reply means to the caller. Its first word is its code.
  init(reply text: String) {
    let code: Code =
      switch text.prefix(while: { $0 != " " }) {
      case "NOSCRIPT": .unknownScript
      case "NOAUTH", "NOPERM", "WRONGPASS": .misconfigured
      // They pass: a Redis that starts, is busy or full, or has just lost or changed its primary.
      case "LOADING", "BUSY", "OOM", "MISCONF", "NOREPLICAS", "READONLY", "MASTERDOWN",
        "CLUSTERDOWN", "TRYAGAIN":
        .unavailable
      default: .refused
      }
    self.init(code, "Redis says: \(text)")
  }
}

enum RedisLimits {
  /// Bytes of one reply: ten thousand records of a session list are 2 MB.
  static let reply = 32 * 1024 * 1024
  /// Commands under way or waiting for a connection. More means that Redis does not keep up; a
  /// refusal now is better than an answer too late.
  static let commands = 10_000
  /// A command's time, with waiting for a connection. A user waits for it.
  static let deadline = TimeAmount.seconds(2)
  static let connectTimeout = TimeAmount.seconds(2)
  /// From the connection to the answers of AUTH, SELECT and PING: one that hangs is left.
  static let greetingTimeout = TimeAmount.seconds(2)
  /// Milliseconds between tries to connect: from, up to, with full jitter.
  static let reconnectFirst = 50.0
  static let reconnectLast = 2_000.0
}
