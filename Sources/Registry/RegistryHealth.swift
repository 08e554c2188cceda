// How the registry is, for an operator who asks: what Redis says of itself, and how fast it answers.

/// What is absent is not known: a Redis need not let everybody ask.
public struct RegistryHealth: Sendable, Equatable, Codable {
  public enum Kind: String, Sendable, Codable {
    /// In the process of `serve`.
    case memory
    case redis
  }
  public var kind: Kind

  /// How its primary is found.
  public enum Mode: String, Sendable, Codable {
    /// There is one Redis.
    case one
    /// Sentinels say where it is.
    case sentinel
    /// It is the server of a Redis Cluster that has the keys.
    case cluster
  }
  public var mode: Mode?
  /// Where that is: `host:port`, or the path of a Unix socket.
  public var primary: String?
  /// What the process that answers has done since it was started: connections made, commands sent, those without an
  /// answer in time, and those sent again since another server was the primary.
  public var connects: Int?
  public var commands: Int?
  public var timeouts: Int?
  public var redirections: Int?
  /// Milliseconds that an answer took.
  public var latency: Double?
  public var version: String?
  /// `master` or `slave`, in Redis's words.
  public var role: String?
  /// Seconds since it was started.
  public var uptime: Int?
  /// Bytes in use, and at most; 0: no bound of its own.
  public var memory: UInt64?
  public var memoryLimit: UInt64?
  /// What it does when its memory is full.
  public var policy: String?
  /// Keys that it has thrown away since it was started.
  public var evicted: UInt64?
  /// Connections to it.
  public var connections: Int?
  /// Milliseconds that its clock is before this machine's; negative: behind. Half an answer's time is not known of it.
  public var clock: Int?
  /// What an operator should change about it, each in a sentence.
  public var warnings: [String]

  /// Where it is, in words.
  public var place: String {
    guard let primary else { return kind == .memory ? "in the server's memory" : "in Redis" }
    return switch mode {
    case .sentinel: "in Redis at \(primary) (by sentinels)"
    case .cluster: "in Redis at \(primary) (of a Redis Cluster)"
    case .one, nil: "in Redis at \(primary)"
    }
  }

  public init(kind: Kind, warnings: [String] = []) {
    self.kind = kind
    self.warnings = warnings
  }
}
