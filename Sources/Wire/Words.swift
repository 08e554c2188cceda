// Words that steer what is done: each set of them is a type, so that none is compared with a text that may be
// misspelt or mean something else.

/// A word out of a set that may grow. One that only a newer peer knows is kept as its text: it equals none of
/// ours, and is sent on as it came.
public protocol Word: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible
where RawValue == String {
  init(rawValue: String)
}

extension Word {
  public var description: String { rawValue }
}

/// What a stream carries, as its OPEN says.
public struct StreamKind: Word {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// A session's terminal; of an OPEN that does not say.
  public static let terminal = StreamKind(rawValue: "terminal")
}

/// Whether a session's process runs.
public struct SessionState: Word {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  public static let running = SessionState(rawValue: "running")
  public static let ended = SessionState(rawValue: "ended")
  /// In lists only: its node is away, and a holder keeps its process until that node is started again.
  public static let held = SessionState(rawValue: "held")
  /// In lists only: no node has it now, and the next one that reaches its holder takes it up, or is about to.
  public static let waiting = SessionState(rawValue: "waiting")
  /// In lists only: its node has died, and its record is all that is left.
  public static let lost = SessionState(rawValue: "lost")
  /// In lists only: its node does not answer, and its record is all that can be told.
  public static let unreachable = SessionState(rawValue: "unreachable")
}

/// Why a session has ended.
public struct EndReason: Word {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// Its process ended by itself.
  public static let exited = EndReason(rawValue: "exited")
  /// By KILL, or by an operator.
  public static let killed = EndReason(rawValue: "killed")
  /// Nobody used it for as long as it may be idle.
  public static let idle = EndReason(rawValue: "idle")
  /// It ran for as long as it may.
  public static let timeout = EndReason(rawValue: "timeout")
  /// Its node was shut down.
  public static let stopped = EndReason(rawValue: "stopped")
  /// Its node died, or counted as dead, and its process with it.
  public static let lost = EndReason(rawValue: "lost")
}

/// How the HTTP API shows a screen.
public struct ScreenFormat: Word {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  public static let text = ScreenFormat(rawValue: "text")
  /// With colours, for a terminal.
  public static let ansi = ScreenFormat(rawValue: "ansi")
  public static let json = ScreenFormat(rawValue: "json")

  public static let all = [text, ansi, json]
}
