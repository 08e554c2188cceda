// Somebody whose token was checked, or anybody where authentication is off.

public import Wire

public struct Principal: Sendable, Equatable {
  /// Nil: authentication is off.
  public var subject: String?
  public var grants: Grants
  /// Seconds since 1970; nil: never.
  public var expires: Double?

  public init(subject: String?, grants: Grants, expires: Double? = nil) {
    self.subject = subject
    self.grants = grants
    self.expires = expires
  }

  /// Whoever comes, where authentication is off.
  public static let anyone = Principal(subject: nil, grants: .everything)

  public func allows(
    _ operation: Operation, session: SessionID? = nil, creator: String? = nil
  ) -> Decision {
    grants.allows(operation, session: session, creator: creator, subject: subject)
  }

  public func access(to session: SessionID) -> Access {
    grants.access(to: session, subject: subject)
  }

  /// The summary as this one may see it: without the viewers' names, if they are not to be told.
  public func shown(_ summary: SessionSummary) -> SessionSummary {
    guard !access(to: summary.session).mayName(creator: summary.creator) else { return summary }
    var summary = summary
    for index in summary.viewers.indices { summary.viewers[index].sub = nil }
    return summary
  }
}
