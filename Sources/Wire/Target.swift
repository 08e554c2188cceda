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

  public init(
    target: Target = .pty, command: [String] = [], environment: [String: String] = [:],
    workingDirectory: String? = nil
  ) {
    self.target = target
    self.command = command
    self.environment = environment
    self.workingDirectory = workingDirectory
  }

  private enum CodingKeys: String, CodingKey {
    case target, command
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
  }
}
