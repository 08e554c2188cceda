// What a token lets its bearer start. A rule that names commands also closes the ways round them: no
// environment variable and no working directory that it does not name. A user is named by no rule that does not say so.

import Wire

/// The claim `create`. A list that is absent allows nothing, except that any command (`"*"`) comes
/// with any environment and directory.
public struct CreationRule: Hashable, Sendable, Codable {
  /// `pty`, `docker:NAME`, `docker:PREFIX*`, or `*`.
  public var targets: [String]
  public var commands: [CommandPattern]
  /// Names of variables, `NAME` or `PREFIX*`.
  public var env: [String]?
  /// Directories, `/PATH` or `/PATH/*`.
  public var cwd: [String]?
  /// Users that `create.user` may name, `NAME` or `PREFIX*`; `root` and `0` only in full.
  public var users: [String]?

  public init(
    targets: [String], commands: [CommandPattern], env: [String]? = nil, cwd: [String]? = nil,
    users: [String]? = nil
  ) {
    self.targets = targets
    self.commands = commands
    self.env = env
    self.cwd = cwd
    self.users = users
  }

  /// Anything, as whom its node or container runs it.
  public static let anything = CreationRule(targets: ["*"], commands: [.any])
  /// Anything, as anybody that its node allows.
  public static let asAnybody = CreationRule(
    targets: ["*"], commands: [.any], users: ["*", "root", "0"])

  private enum CodingKeys: String, CodingKey { case targets, commands, env, cwd, users }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    targets = try container.decodeIfPresent([String].self, forKey: .targets) ?? []
    commands = try container.decodeIfPresent([CommandPattern].self, forKey: .commands) ?? []
    env = try container.decodeIfPresent([String].self, forKey: .env)
    cwd = try container.decodeIfPresent([String].self, forKey: .cwd)
    users = try container.decodeIfPresent([String].self, forKey: .users)
  }

  var problem: String? {
    let lists = [targets.count, commands.count, env?.count, cwd?.count, users?.count]
    let longest = lists.compactMap(\.self).max() ?? 0
    return longest > AuthLimits.patterns ? "a rule with \(longest) patterns" : nil
  }

  func allows(_ creation: Creation) -> Bool {
    let target = creation.target.description
    guard targets.contains(where: { matches($0, target) }) else { return false }
    guard commands.contains(where: { $0.allows(creation.command) }) else { return false }
    let isFree = commands.contains(.any)
    if !(isFree && env == nil) {
      let names = env ?? []
      guard creation.environment.keys.allSatisfy({ key in names.contains { matches($0, key) } })
      else { return false }
    }
    if let directory = creation.workingDirectory, !(isFree && cwd == nil) {
      guard !directory.split(separator: "/").contains(".."),
        (cwd ?? []).contains(where: { matches($0, directory) })
      else { return false }
    }
    return creation.user.map(allows) ?? true
  }

  private func allows(_ user: UserName) -> Bool {
    (users ?? []).contains { $0 == user.rawValue || !user.isRoot && matches($0, user.rawValue) }
  }

  /// `TEXT` or `PREFIX*`.
  private func matches(_ pattern: String, _ text: String) -> Bool {
    guard pattern.last == "*" else { return pattern == text }
    return text.utf8.starts(with: pattern.utf8.dropLast())
  }
}

/// Which command a rule allows: `"*"`, or a list of words, `[]` being the login shell. A last word `*`
/// stands for any further words.
public enum CommandPattern: Hashable, Sendable, Codable {
  case any
  case words([String])

  func allows(_ command: [String]) -> Bool {
    switch self {
    case .any: return true
    case .words(let words):
      guard words.count > 1, words.last == "*" else { return words == command }
      return command.starts(with: words.dropLast())
    }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      guard text == "*" else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "a command is \"*\" or a list of words")
      }
      self = .any
    } else {
      self = .words(try container.decode([String].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .any: try container.encode("*")
    case .words(let words): try container.encode(words)
    }
  }
}
