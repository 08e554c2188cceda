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

  /// What an error reply means to the caller.
  init(reply text: String) {
    let code: Code =
      switch Self.word(of: text) {
      case "NOSCRIPT": .unknownScript
      case let word where Self.ofTheOperator.contains(word): .misconfigured
      case let word where Self.passing.contains(word): .unavailable
      default: .refused
      }
    self.init(code, "Redis says: \(text)")
  }

  private static let ofTheOperator: Set<Substring> = ["NOAUTH", "NOPERM", "WRONGPASS"]
  /// They pass: a Redis that starts, is busy or full, or has just lost or changed its primary.
  private static let passing: Set<Substring> = [
    "LOADING", "BUSY", "OOM", "MISCONF", "NOREPLICAS", "READONLY", "MASTERDOWN", "CLUSTERDOWN",
    "TRYAGAIN",
  ]

  /// An error's code is its first word. Where a script met the error, Redis before 7 wraps it, and the code
  /// follows a minus: `ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -READONLY …`.
  static func word(of text: String) -> Substring {
    let first = text.prefix { $0 != " " }
    guard first == "ERR", text.dropFirst(4).hasPrefix("Error running script") else { return first }
    let inner = text.split(separator: " ").first { word in
      word.first == "-" && isKnown(word.dropFirst())
    }
    return inner?.dropFirst() ?? first
  }

  private static func isKnown(_ word: Substring) -> Bool {
    ofTheOperator.contains(word) || passing.contains(word)
  }

  /// Whether the server was a primary and is one no more: another connection may find the new one.
  static func isOfReplica(_ text: String) -> Bool { word(of: text) == "READONLY" }
}

enum RedisLimits {
  /// Bytes of one reply: ten thousand records of a session list are 2 MB.
  static let reply = 32 * 1024 * 1024
  /// Parts of one reply, of all arrays in it together: the largest list has some ten thousand. What an array
  /// claims to hold is reserved at once, so that a few bytes could ask for gigabytes.
  static let parts = 1_000_000
  /// Arrays within each other; ours are two deep. The C library frees them by calling itself.
  static let depth = 7
  /// Commands under way or waiting for a connection. More means that Redis does not keep up; a
  /// refusal now is better than an answer too late.
  static let commands = 10_000
  /// A command's time, with waiting for a connection. A user waits for it.
  static let deadline = TimeAmount.seconds(2)
  static let connectTimeout = TimeAmount.seconds(2)
  /// From the connection to the answers of AUTH, SELECT and PING: one that hangs is left.
  static let greetingTimeout = TimeAmount.seconds(2)
  /// Between tries to connect.
  static let reconnectFirst = Duration.milliseconds(50)
  static let reconnectLast = Duration.seconds(2)
}
