// An error that Redis answers with: what it means to who asked, whether another server or another try helps, and what
// an operator can do about it. Pure.

import Transport
import Wire

struct ErrorReply: Equatable {
  /// What the client does about it before anybody is told. None of these commands was carried out.
  enum Remedy: Equatable {
    /// The keys are at another server of the Cluster; nil: it does not say where.
    case elsewhere(Address?)
    /// This once, another server of the Cluster is to be asked: the keys are being moved there.
    case ask(Address)
    /// Another server is the primary by now, or soon.
    case otherPrimary
    /// The same again, in a moment.
    case again
    case none
  }

  let text: String
  let word: Substring

  init(_ text: String) {
    self.text = text
    word = Self.word(of: text)
  }

  var remedy: Remedy {
    switch word {
    case "MOVED": .elsewhere(address)
    case "ASK": address.map { .ask($0) } ?? .again
    case "READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN": .otherPrimary
    case "TRYAGAIN": .again
    default: .none
    }
  }

  /// Of `MOVED 3999 127.0.0.1:6381` or `ASK …`; nil where it names no host, as a Cluster does that knows none.
  private var address: Address? {
    let parts = text.split(separator: " ")
    guard parts.count == 3, let colon = parts[2].lastIndex(of: ":"),
      let port = Int(parts[2][parts[2].index(after: colon)...]), (1...65_535).contains(port)
    else { return nil }
    let host = parts[2][..<colon]
    return host.isEmpty || host == "?" ? nil : .tcp(host: String(host), port: port)
  }

  var code: RedisErrorCode {
    if word == "NOSCRIPT" { return .unknownScript }
    return Self.meanings[word]?.code ?? .refused
  }

  var error: RedisError {
    let advice = Self.meanings[word].map { "; " + $0.advice } ?? ""
    return RedisError(code, "Redis says: \(text)\(advice)")
  }

  private struct Meaning {
    var code: RedisErrorCode
    var advice: String
  }

  /// By the first word. Those that are `unavailable` pass: a Redis that starts, is busy or full, or has just lost or
  /// changed its primary.
  private static let meanings: [Substring: Meaning] = [
    "NOAUTH": Meaning(
      code: .misconfigured, advice: "give its password, in the URL or by --redis-password-file"),
    "WRONGPASS": Meaning(code: .misconfigured, advice: "user or password are not those of Redis"),
    "NOPERM": Meaning(
      code: .misconfigured,
      advice: "its user lacks a right; docs/operations.md has the line that gives all it takes"),
    "MOVED": Meaning(
      code: .misconfigured,
      advice: "this server is one of a Redis Cluster: write its URL as redis+cluster://"),
    "ASK": Meaning(
      code: .misconfigured,
      advice: "this server is one of a Redis Cluster: write its URL as redis+cluster://"),
    "CROSSSLOT": Meaning(
      code: .misconfigured,
      advice: "this server is one of a Redis Cluster: write its URL as redis+cluster://"),
    "LOADING": Meaning(code: .unavailable, advice: "it takes commands once its data is loaded"),
    "BUSY": Meaning(
      code: .unavailable,
      advice:
        "somebody's script runs for seconds; SCRIPT KILL or FUNCTION KILL ends one that has written nothing"
    ),
    "OOM": Meaning(
      code: .unavailable,
      advice: "its memory is full: raise maxmemory, or give Fairlead a Redis of its own"),
    "MISCONF": Meaning(
      code: .unavailable,
      advice:
        "it cannot save to its disk and so takes no writes: see its log and the disk's free space"),
    "NOREPLICAS": Meaning(
      code: .unavailable,
      advice:
        "fewer replicas follow it than min-replicas-to-write: start them, or it is cut off from them"
    ),
    "READONLY": Meaning(
      code: .unavailable,
      advice: "this server is a replica: name the primary, or its sentinels by redis+sentinel://"),
    "MASTERDOWN": Meaning(
      code: .unavailable, advice: "this server is a replica that has lost its primary"),
    "CLUSTERDOWN": Meaning(
      code: .unavailable,
      advice: "a part of the Cluster has no primary: see redis-cli --cluster check"),
    "TRYAGAIN": Meaning(code: .unavailable, advice: "its slot is being moved to another server"),
  ]

  /// An error's code is its first word. Where a script met the error, Redis before 7 wraps it, and the code
  /// follows a minus: `ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -READONLY …`.
  private static func word(of text: String) -> Substring {
    let first = text.prefix { $0 != " " }
    guard first == "ERR", text.dropFirst(4).hasPrefix("Error running script") else { return first }
    let inner = text.split(separator: " ").first { word in
      word.first == "-" && meanings[word.dropFirst()] != nil
    }
    return inner?.dropFirst() ?? first
  }
}
