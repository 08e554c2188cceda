// The times of a session: when it is ended, and for how long its end is kept.

import NIOCore
public import Wire

/// How long a session lives: as its creator asked, or else as the node's operator chose.
struct SessionLifetimes {
  /// Nil: it is never idle.
  var idle: TimeAmount?
  var keep: TimeAmount
  /// Nil: as long as it likes.
  var timeout: TimeAmount?

  init(_ creation: Creation, _ settings: SessionSettings) {
    idle = creation.idle.map(\.amount) ?? settings.idleTimeout
    keep = creation.keep.flatMap(\.amount) ?? settings.keepEnded
    timeout = creation.timeout.flatMap(\.amount)
  }
}

extension Lifetime {
  /// Nil: never.
  fileprivate var amount: TimeAmount? {
    if case .seconds(let seconds) = self { .seconds(Int64(seconds)) } else { nil }
  }
}

/// Why a node ends a session's process itself.
public enum EndCause: String, Codable, Sendable {
  case killed, idle, timeout
  /// The node shuts down.
  case stopped
  /// Another node owns the session by now, or another start of this node took its place.
  case superseded

  /// What clients are told. To them a superseded session is lost: they find a new life of it where they look for it.
  public var reason: EndReason {
    switch self {
    case .killed: .killed
    case .idle: .idle
    case .timeout: .timeout
    case .stopped: .stopped
    case .superseded: .lost
    }
  }
}
