// What OPEN asks to be started: a target (where) and a command (what).

/// Where a session's process runs.
public enum Target: Hashable, Sendable, Codable, CustomStringConvertible {
  /// A pseudo-terminal on the node's own machine.
  case pty
  /// A `docker exec` in a running container, named by its id or name.
  case docker(container: String)

  /// Reads `pty` or `docker:CONTAINER`; nil for anything else.
  public init?(_ text: String) {
    if text == "pty" {
      self = .pty
    } else if text.hasPrefix("docker:"), Self.isValidContainer(text.dropFirst(7)) {
      self = .docker(container: String(text.dropFirst(7)))
    } else {
      return nil
    }
  }

  /// Docker's own rule for names, `[a-zA-Z0-9][a-zA-Z0-9_.-]+`; it keeps a name from becoming a path.
  private static func isValidContainer(_ name: Substring) -> Bool {
    guard (2...128).contains(name.utf8.count), let first = name.utf8.first,
      ![UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-")].contains(first)
    else { return false }
    return name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
        UInt8(ascii: "."):
        true
      default: false
      }
    }
  }

  public var description: String {
    switch self {
    case .pty: "pty"
    case .docker(let container): "docker:\(container)"
    }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let value = Self(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "a target is \"pty\" or \"docker:CONTAINER\"")
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

  public init(
    target: Target = .pty, command: [String] = [], environment: [String: String] = [:],
    workingDirectory: String? = nil, user: UserName? = nil, idle: Lifetime? = nil,
    keep: Lifetime? = nil, timeout: Lifetime? = nil
  ) {
    self.target = target
    self.command = command
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.user = user
    self.idle = idle
    self.keep = keep
    self.timeout = timeout
  }

  private enum CodingKeys: String, CodingKey {
    case target, command, user, idle, keep, timeout
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
