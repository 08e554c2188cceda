// The commands of one connection that await their replies: a pure state machine. Replies come in the
// order of the commands, so one that nobody waits for any more keeps its place until its reply has
// come, or the connection is closed.

import DequeModule
import Wire

struct Pipeline<Token> {
  private enum Entry {
    /// Said by the connection itself: AUTH, SELECT, PING or ROLE, SUBSCRIBE.
    case greeting(name: String)
    case command(id: UInt64, Token)
    /// Timed out: its reply is thrown away.
    case abandoned
  }

  enum Reply {
    /// Nothing to do.
    case ignore
    case deliver(Token, RedisValue)
    /// What a channel that was subscribed to has sent.
    case heard(RedisValue)
    /// The connection may be used.
    case ready
    /// The connection is to be closed.
    case fail(RedisError)
  }

  private var entries: Deque<Entry> = []
  private var nextID: UInt64 = 0
  private var greetings: Int
  private let isSubscribed: Bool
  /// Replies received so far; tells whether a connection is alive.
  private(set) var replies: UInt64 = 0

  /// - Parameter greeting: names of the commands that were sent first.
  init(greeting: [String]) {
    greetings = greeting.count
    isSubscribed = greeting.last == "SUBSCRIBE"
    for name in greeting { entries.append(.greeting(name: name)) }
  }

  var isReady: Bool { greetings == 0 }
  var count: Int { entries.count }

  mutating func append(_ token: Token) -> UInt64 {
    nextID += 1
    entries.append(.command(id: nextID, token))
    return nextID
  }

  mutating func receive(_ value: RedisValue) -> Reply {
    replies += 1
    guard let entry = entries.popFirst() else {
      if isSubscribed { return .heard(value) }
      return .fail(RedisError(.protocolViolation, "a reply that nobody asked for"))
    }
    switch entry {
    case .abandoned: return .ignore
    case .command(_, let token): return .deliver(token, value)
    case .greeting(let name):
      if case .error(let text) = value {
        let error = ErrorReply(text).error
        // Whatever does not pass by itself is for the operator to put right.
        let passes = error.code == .unavailable
        return .fail(
          RedisError(
            passes ? .unavailable : .misconfigured, "Redis refuses \(name): \(error.message)"))
      }
      if name == "ROLE", value.array?.first?.string != "master" {
        return .fail(RedisError(.unavailable, "what answers is a replica, and not the primary"))
      }
      greetings -= 1
      return greetings == 0 ? .ready : .ignore
    }
  }

  /// The command's time is over. Returns its token, or nil if it was answered already.
  mutating func abandon(_ id: UInt64) -> Token? {
    for index in entries.indices {
      guard case .command(id, let token) = entries[index] else { continue }
      entries[index] = .abandoned
      return token
    }
    return nil
  }

  /// The connection is closed: who still waits, in order.
  mutating func close() -> [Token] {
    defer { entries = [] }
    return entries.compactMap { if case .command(_, let token) = $0 { token } else { nil } }
  }
}
