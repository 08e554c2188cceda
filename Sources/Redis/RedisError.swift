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
  /// The URL, the password or the database is wrong: trying again does not help.
  case misconfigured
  /// What answers does not speak Redis's protocol.
  case protocolViolation

  public static func words(of cause: any Error) -> String { Transport.cause(of: cause) }

  /// What an error reply means to the caller.
  init(reply text: String) {
    switch Self.word(of: text) {
    case "NOSCRIPT": self = .unknownScript
    case let word where Self.ofTheOperator.contains(word): self = .misconfigured
    case let word where Self.passing.contains(word): self = .unavailable
    default: self = .refused
    }
  }

  private static let ofTheOperator: Set<Substring> = ["NOAUTH", "NOPERM", "WRONGPASS"]
  /// They pass: a Redis that starts, is busy or full, or has just lost or changed its primary.
  private static let passing: Set<Substring> = [
    "LOADING", "BUSY", "OOM", "MISCONF", "NOREPLICAS", "READONLY", "MASTERDOWN", "CLUSTERDOWN",
    "TRYAGAIN",
  ]

  /// An error's code is its first word. Where a script met the error, Redis before 7 wraps it, and the code
  /// follows a minus: `ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -READONLY …`.
  fileprivate static func word(of text: String) -> Substring {
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
}

extension RedisError {
  init(reply text: String) {
    self.init(RedisErrorCode(reply: text), "Redis says: \(text)")
  }

  /// Whether the server was a primary and is one no more: another connection may find the new one.
  static func isOfReplica(_ text: String) -> Bool { RedisErrorCode.word(of: text) == "READONLY" }
}
