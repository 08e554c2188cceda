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

  func allows(_ creation: Creation) -> Bool { obstacle(to: creation) == nil }

  /// The first part of what is asked for that it does not allow; nil: it allows all.
  func obstacle(to creation: Creation) -> CreationObstacle? {
    let target = creation.target.description
    guard targets.contains(where: { matches($0, target) }) else {
      return CreationObstacle(.target, "the target \(target)", allowed: targets)
    }
    guard commands.contains(where: { $0.allows(creation.command) }) else {
      return CreationObstacle(
        .command, creation.command.isEmpty ? "the login shell" : "this command",
        allowed: commands.map(\.description))
    }
    let isFree = commands.contains(.any)
    if !(isFree && env == nil) {
      let names = env ?? []
      let others = creation.environment.keys.filter { key in
        !names.contains { matches($0, key) }
      }
      if let name = others.min() {
        return CreationObstacle(.env, "the variable \(name)", allowed: names)
      }
    }
    if let directory = creation.workingDirectory, !(isFree && cwd == nil) {
      guard !directory.split(separator: "/").contains(".."),
        (cwd ?? []).contains(where: { matches($0, directory) })
      else { return CreationObstacle(.cwd, "this directory", allowed: cwd ?? []) }
    }
    if let user = creation.user, !allows(user) {
      let name = user.isRoot ? "\(user), whom no pattern stands for" : "\(user)"
      return CreationObstacle(.user, "the user \(name)", allowed: users ?? [])
    }
    return nil
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

/// Why a rule does not allow what is asked for: which part of it, and what the rule allows there instead. The command
/// that was asked for is not in it, nor a directory or a variable's value, since the audit log has it too.
struct CreationObstacle: Equatable {
  /// In the order in which they are looked at.
  enum Part: Int { case target, command, env, cwd, user }

  let part: Part
  private let asked: String
  private var allowed: [String]

  init(_ part: Part, _ asked: String, allowed: [String]) {
    self.part = part
    self.asked = asked.clipped(to: AuthLimits.toldPattern)
    self.allowed = allowed
  }

  /// Of several rules: that of the ones which allow the most of what was asked for.
  static func nearest(_ obstacles: [CreationObstacle]) -> CreationObstacle? {
    guard var nearest = obstacles.max(by: { $0.part.rawValue < $1.part.rawValue }) else {
      return nil
    }
    nearest.allowed = obstacles.filter { $0.part == nearest.part }.flatMap(\.allowed)
    return nearest
  }

  var description: String {
    "this token does not allow \(asked) (create.\(part)); it allows \(Self.list(allowed))"
  }

  /// Some of them, each once.
  static func list(_ patterns: [String]) -> String {
    var told: [String] = []
    for pattern in patterns where !told.contains(pattern) { told.append(pattern) }
    guard !told.isEmpty else { return "none" }
    let more = told.count - AuthLimits.toldPatterns
    return told.prefix(AuthLimits.toldPatterns)
      .map { $0.clipped(to: AuthLimits.toldPattern) }.joined(separator: ", ")
      + (more > 0 ? ", and \(more) more" : "")
  }
}

/// Which command a rule allows: `"*"`, or a list of words, `[]` being the login shell. A last word `*`
/// stands for any further words.
public enum CommandPattern: Hashable, Sendable, Codable, CustomStringConvertible {
  case any
  case words([String])

  /// As the claim has it.
  public var description: String {
    switch self {
    case .any: "*"
    case .words(let words): "[" + words.map { "\"\($0)\"" }.joined(separator: ",") + "]"
    }
  }

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
