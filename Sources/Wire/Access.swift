// What a router vouches for, on a link: who asks, and what a token gave them. The node, which
// alone knows whose the session is, decides by it.

/// What a client may do to a session. Later rights include earlier ones.
public enum Rights: String, Sendable, Codable, Comparable, CaseIterable {
  /// Look.
  case read
  /// Type, resize; end what is one's own.
  case write
  /// End any.
  case admin
  public init(from decoder: any Decoder) throws {
    let name = try decoder.singleValueContainer().decode(String.self)
    guard let rights = Self(rawValue: name) else {
      throw DecodingError.notOneOf(Self.allCases.map(\.rawValue), name, at: decoder.codingPath)
    }
    self = rights
  }

  private var order: Int { self == .read ? 0 : self == .write ? 1 : 2 }
  public static func < (a: Rights, b: Rights) -> Bool { a.order < b.order }
}

/// Somebody's rights to one session, before its creator is known.
public struct Access: Sendable, Equatable, Codable {
  /// Who; nil: authentication is off.
  public var subject: String?
  /// What the session's name gives; nil: nothing.
  public var rights: Rights?
  /// What having created it gives; nil: nothing.
  public var asCreator: Rights?
  /// Whether its name, or having created it, lets them know who else is attached.
  public var names: Bool?
  public var namesAsCreator: Bool?

  public init(
    subject: String?, rights: Rights?, asCreator: Rights?, names: Bool? = nil,
    namesAsCreator: Bool? = nil
  ) {
    self.subject = subject
    self.rights = rights
    self.asCreator = asCreator
    self.names = names
    self.namesAsCreator = namesAsCreator
  }

  private enum CodingKeys: String, CodingKey {
    case subject, rights, names
    case asCreator = "own"
    case namesAsCreator = "ownNames"
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    subject = try container.decodeIfPresent(String.self, forKey: .subject)
    rights = try container.decodeIfPresent(Rights.self, forKey: .rights)
    asCreator = try container.decodeIfPresent(Rights.self, forKey: .asCreator)
    names = try container.decodeIfPresent(Bool.self, forKey: .names)
    namesAsCreator = try container.decodeIfPresent(Bool.self, forKey: .namesAsCreator)
    // It is told to others, in frames that have a bound.
    if let subject,
      subject.utf8.count > WireLimits.subject || subject.utf8.contains(where: { $0 < 0x20 })
    {
      throw DecodingError.dataCorruptedError(
        forKey: .subject, in: container,
        debugDescription: "over \(WireLimits.subject) bytes, or with control characters")
    }
  }

  /// Authentication is off: everybody may do everything.
  public static let open = Access(subject: nil, rights: .admin, asCreator: nil)

  /// Whether any session of that name could be entered.
  public var isNothing: Bool { rights == nil && asCreator == nil }

  private func isCreator(_ creator: String?) -> Bool { creator != nil && creator == subject }

  /// The rights to a session that `creator` created (nil: nobody's); nil: none.
  public func rights(creator: String?) -> Rights? {
    guard isCreator(creator), let asCreator else { return rights }
    return max(asCreator, rights ?? asCreator)
  }

  /// Who else is attached is told, besides their ClientIDs, to an `admin` and to whom a token says so.
  public func mayName(creator: String?) -> Bool {
    guard let rights = rights(creator: creator) else { return false }
    return rights == .admin || names == true || (namesAsCreator == true && isCreator(creator))
  }

  /// Ending a session takes `write` to one's own, or `admin`.
  public func mayKill(creator: String?) -> Bool {
    guard let rights = rights(creator: creator) else { return false }
    return rights == .admin || (rights == .write && isCreator(creator))
  }
}
