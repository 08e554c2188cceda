// What a router vouches for, on a link: who asks, and what a token gave them. The owner's node, which
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

/// Somebody's rights to one session, before its owner is known.
public struct Access: Sendable, Equatable, Codable {
  /// Who; nil: authentication is off.
  public var subject: String?
  /// What the session's name gives; nil: nothing.
  public var rights: Rights?
  /// What owning it gives; nil: nothing.
  public var own: Rights?

  public init(subject: String?, rights: Rights?, own: Rights?) {
    self.subject = subject
    self.rights = rights
    self.own = own
  }

  /// Authentication is off: everybody may do everything.
  public static let open = Access(subject: nil, rights: .admin, own: nil)

  /// Whether any session of that name could be entered.
  public var isNothing: Bool { rights == nil && own == nil }

  private func isOwner(_ owner: String?) -> Bool { owner != nil && owner == subject }

  /// The rights to a session of `owner` (nil: nobody's); nil: none.
  public func rights(owner: String?) -> Rights? {
    guard isOwner(owner), let own else { return rights }
    return max(own, rights ?? own)
  }

  /// Ending a session takes `write` to one's own, or `admin`.
  public func mayKill(owner: String?) -> Bool {
    guard let rights = rights(owner: owner) else { return false }
    return rights == .admin || (rights == .write && isOwner(owner))
  }
}
