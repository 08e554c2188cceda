// What a token allows, as its claim `fl` says: which sessions, how, and what may be created. Pure: the
// decision is made from the claim, the session's name and its creator alone, and what no grant allows is
// refused.

public import Wire

/// Which sessions a grant is for.
public enum SessionPattern: Hashable, Sendable, Codable, CustomStringConvertible {
  case exactly(SessionID)
  /// Sessions whose name begins so: `build-*`.
  case prefix(String)
  /// `*`
  case all
  /// `@own`: those that the token's subject created. No session can have that name.
  case own
  /// `{sub}`, `u-{sub}`, `{sub}-*`: with the token's subject in its place, so that one grant gives each user
  /// names that no other user's are.
  case ofSubject(before: String, after: String, isPrefix: Bool)

  public static let form =
    "a session is NAME, PREFIX*, * or @own, and {sub} in a name stands for the token's sub"

  /// Nil unless `text` is a name, a name's beginning with `*`, `*` or `@own`; the name may have `{sub}` in it
  /// once, and then something between that and `*`: `ann*` would be anna's, too.
  public init?(_ text: String) {
    if let place = text.firstRange(of: "{sub}") {
      let before = String(text[..<place.lowerBound])
      var after = String(text[place.upperBound...])
      let isPrefix = after.last == "*"
      if isPrefix { after.removeLast() }
      guard SessionID.isValidName(before + "x" + after), !(isPrefix && after.isEmpty) else {
        return nil
      }
      self = .ofSubject(before: before, after: after, isPrefix: isPrefix)
    } else if text == "*" {
      self = .all
    } else if text == "@own" {
      self = .own
    } else if text.last == "*", SessionID.isValidName(String(text.dropLast())) {
      self = .prefix(String(text.dropLast()))
    } else if let id = SessionID(text) {
      self = .exactly(id)
    } else {
      return nil
    }
  }

  public var description: String {
    switch self {
    case .exactly(let id): id.rawValue
    case .prefix(let text): text + "*"
    case .all: "*"
    case .own: "@own"
    case .ofSubject(let before, let after, let isPrefix):
      "\(before){sub}\(after)" + (isPrefix ? "*" : "")
    }
  }

  /// With the subject in its place.
  func description(for subject: String?) -> String {
    guard case .ofSubject(let before, let after, let isPrefix) = self, let subject else {
      return description
    }
    return before + subject + after + (isPrefix ? "*" : "")
  }

  /// Whether the name alone, whoever owns it, makes the session one of these.
  func names(_ session: SessionID, subject: String?) -> Bool {
    switch self {
    case .exactly(let id): id == session
    case .prefix(let text): session.rawValue.utf8.starts(with: text.utf8)
    case .all: true
    case .own: false
    case .ofSubject(let before, let after, let isPrefix):
      if let subject {
        Self.names(session, before, subject, after, isPrefix)
      } else {
        false
      }
    }
  }

  /// A subject that is no part of a name has no such session; nor has one with the character in it that is to
  /// end it, since `ann-bo-1` would be ann's and ann-bo's.
  private static func names(
    _ session: SessionID, _ before: String, _ subject: String, _ after: String, _ isPrefix: Bool
  ) -> Bool {
    let name = before + subject + after
    guard SessionID.isValidName(subject), SessionID.isValidName(name) else { return false }
    guard isPrefix else { return session.rawValue == name }
    guard let end = after.utf8.first, !subject.utf8.contains(end) else { return false }
    return session.rawValue.utf8.starts(with: name.utf8)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let value = Self(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: Self.form)
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// One part of a token's rights.
public struct Grant: Hashable, Sendable, Codable {
  public var sessions: [SessionPattern]
  public var rights: Rights
  /// What may be started, under a name that `sessions` cover (`@own` covers any); needs `write`.
  public var create: CreationRule?
  /// Whether who else is attached to these sessions is told by name (`sub`); an `admin` is told anyway.
  public var names: Bool?

  public init(
    sessions: [SessionPattern], rights: Rights, create: CreationRule? = nil, names: Bool? = nil
  ) {
    self.sessions = sessions
    self.rights = rights
    self.create = create
    self.names = names
  }

  func covers(_ session: SessionID, subject: String?) -> Bool {
    sessions.contains { $0 == .own || $0.names(session, subject: subject) }
  }

  var problem: String? {
    if sessions.count > AuthLimits.patterns { return "a grant of \(sessions.count) sessions" }
    return create?.problem
  }
}

/// All that a token allows. In the claim, one grant may stand without the list around it.
public struct Grants: Hashable, Sendable, Codable {
  public var all: [Grant]

  public init(_ all: [Grant]) { self.all = all }

  /// Everything, everywhere.
  public static let everything = Grants([
    Grant(sessions: [.all, .own], rights: .admin, create: .asAnybody)
  ])

  public init(from decoder: any Decoder) throws {
    // Which of the two it is shows before what is in it is read, so that a fault is told where it is.
    if (try? decoder.unkeyedContainer()) != nil {
      all = try decoder.singleValueContainer().decode([Grant].self)
    } else {
      all = [try decoder.singleValueContainer().decode(Grant.self)]
    }
    let problem =
      all.count > AuthLimits.grants
      ? "\(all.count) grants" : all.lazy.compactMap(\.problem).first
    if let problem {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "\(problem) are too many"))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if all.count == 1 { try container.encode(all[0]) } else { try container.encode(all) }
  }

  /// What the subject may do to a session, for its node, which alone knows its creator.
  public func access(to session: SessionID, subject: String?) -> Access {
    var access = Access(subject: subject, rights: nil, asCreator: nil)
    for grant in all {
      if grant.sessions.contains(where: { $0.names(session, subject: subject) }) {
        access.rights = max(access.rights ?? grant.rights, grant.rights)
        if grant.names == true { access.names = true }
      }
      if subject != nil, grant.sessions.contains(.own) {
        access.asCreator = max(access.asCreator ?? grant.rights, grant.rights)
        if grant.names == true { access.namesAsCreator = true }
      }
    }
    return access
  }
}

/// What a client asks to do.
public enum Operation: Hashable, Sendable {
  /// Look at a session: attach as a watcher, read its screen, see it listed.
  case watch
  /// Type into it.
  case drive
  /// End it.
  case kill
  /// Start it.
  case create(Creation)
  /// See or change the cluster itself: nodes, draining, where a session is, tickets.
  case operate
}

public enum Decision: Equatable, Sendable {
  case allowed
  /// With what to tell the client.
  case refused(String)

  public var isAllowed: Bool { self == .allowed }
}

extension Grants {
  /// Whether `subject` may do `operation` to `session`, which `creator` created (nil: it does not
  /// exist, or was created without authentication). Without a session only ``Operation/operate``
  /// makes sense.
  public func allows(
    _ operation: Operation, session: SessionID? = nil, creator: String? = nil, subject: String?
  ) -> Decision {
    if case .operate = operation {
      return all.contains { $0.rights == .admin && $0.sessions.contains(.all) }
        ? .allowed : .refused("this takes a token with \"admin\" rights to all sessions (\"*\")")
    }
    guard let session else { return .refused("no session is named") }
    let access = access(to: session, subject: subject)
    switch operation {
    case .watch:
      return access.rights(creator: creator) == nil
        ? .refused("this token may not see session \(session)") : .allowed
    case .drive:
      return access.rights(creator: creator).map { $0 >= .write } == true
        ? .allowed : .refused("this token may not type into session \(session)")
    case .kill:
      return access.mayKill(creator: creator)
        ? .allowed : .refused("this token may not end session \(session)")
    case .create(let creation):
      let creating = all.filter { $0.rights >= .write && $0.create != nil }
      let rules = creating.filter { $0.covers(session, subject: subject) }.compactMap(\.create)
      let obstacles = rules.map { $0.obstacle(to: creation) }
      if obstacles.contains(nil) { return .allowed }
      if let nearest = CreationObstacle.nearest(obstacles.compactMap(\.self)) {
        return .refused(nearest.description)
      }
      let names = creating.flatMap(\.sessions).map { $0.description(for: subject) }
      return .refused(
        "this token may not create session \(session); it may create "
          + CreationObstacle.list(names))
    case .operate: return .refused("")
    }
  }
}
