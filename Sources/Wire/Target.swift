// What OPEN asks to be started: a target (where) and a command (what).

/// Where a session's process runs: `KIND` or `KIND:PLACE`, such as `pty` and `docker:web1`. Here stands what every
/// target must be to go over links and into logs; what a place of its kind may be, its ``TargetKind`` says.
public struct Target: Hashable, Sendable, Codable, CustomStringConvertible {
  /// What starts its process.
  public let kind: String
  /// What stands behind the colon; nil: there is none.
  public let place: String?

  /// A pseudo-terminal on the node's own machine, where an OPEN does not say.
  public static let pty = Target(unchecked: "pty")

  /// Nil unless `text` is a lower-case word, and perhaps a colon with visible characters of ASCII behind it.
  public init?(_ text: String) {
    self.init(unchecked: text)
    guard Self.isKind(kind), place.map(Self.isPlace) ?? true else { return nil }
  }

  /// For what is known to be one.
  public init(unchecked text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    kind = parts.first.map(String.init) ?? ""
    place = parts.count > 1 ? String(parts[1]) : nil
  }

  private static func isKind(_ text: String) -> Bool {
    guard text.utf8.count <= WireLimits.targetKind, let first = text.utf8.first else {
      return false
    }
    return isLetter(first)
      && text.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
  }

  private static func isPlace(_ text: String) -> Bool {
    (1...WireLimits.targetPlace).contains(text.utf8.count)
      && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  public var description: String { place.map { "\(kind):\($0)" } ?? kind }

  /// The labels of a node that can start it: its kind's name. So a router sends it to such a node whether or not it
  /// knows the kind itself.
  public var requirements: [String: String] { [kind: "true"] }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let value = Self(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "a target is KIND or KIND:PLACE, such as \"pty\" or \"docker:CONTAINER\"")
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// What to start when a session is created.
public struct Creation: Hashable, Sendable, Codable {
  public var target: Target
  /// Program and arguments. Empty: the target's login shell (`$SHELL`, or the container's `/bin/sh`).
  public var command: [String]
  /// Added to the environment, or replacing variables of it.
  public var environment: [String: String]
  public var workingDirectory: String?
  /// Whom the process runs as; nil: as its node runs them, or as its container does.
  public var user: UserName?
  /// When it is ended for want of use; nil: as the node's operator chose.
  public var idle: Lifetime?
  /// How long its end stays readable; nil: as the node's operator chose.
  public var keep: Lifetime?
  /// When it is ended however busy it is; nil: never.
  public var timeout: Lifetime?
  /// What the node must be labelled with, besides what its target needs; for placement alone.
  public var labels: [String: String]?

  public init(
    target: Target = .pty, command: [String] = [], environment: [String: String] = [:],
    workingDirectory: String? = nil, user: UserName? = nil, idle: Lifetime? = nil,
    keep: Lifetime? = nil, timeout: Lifetime? = nil, labels: [String: String]? = nil
  ) {
    self.target = target
    self.command = command
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.user = user
    self.idle = idle
    self.keep = keep
    self.timeout = timeout
    self.labels = labels
  }

  /// The labels of a node that can have it.
  public var requirements: [String: String] {
    (labels ?? [:]).merging(target.requirements) { _, needed in needed }
  }

  private enum CodingKeys: String, CodingKey {
    case target, command, user, idle, keep, timeout, labels
    case environment = "env"
    case workingDirectory = "cwd"
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    target = try container.decodeIfPresent(Target.self, forKey: .target) ?? .pty
    command = try container.decodeIfPresent([String].self, forKey: .command) ?? []
    environment =
      try container.decodeIfPresent([String: String].self, forKey: .environment) ?? [:]
    workingDirectory = try container.decodeIfPresent(String.self, forKey: .workingDirectory)
    user = try container.decodeIfPresent(UserName.self, forKey: .user)
    idle = try container.decodeIfPresent(Lifetime.self, forKey: .idle)
    keep = try container.decodeIfPresent(Lifetime.self, forKey: .keep)
    timeout = try container.decodeIfPresent(Lifetime.self, forKey: .timeout)
    labels = try container.decodeIfPresent([String: String].self, forKey: .labels)
  }

  /// What of it is not what `other` asks for, by the names of `create`.
  public func differences(from other: Creation) -> [String] {
    var names: [String] = []
    if target != other.target { names.append("target") }
    if command != other.command { names.append("command") }
    if workingDirectory != other.workingDirectory { names.append("cwd") }
    if environment != other.environment { names.append("env") }
    if user != other.user { names.append("user") }
    if idle != other.idle { names.append("idle") }
    if keep != other.keep { names.append("keep") }
    if timeout != other.timeout { names.append("timeout") }
    return names
  }
}
