// Who a request or a connection is from. One of these per server, for its HTTP API and its
// WebSockets alike.

public import Wire

public final class AccessControl: Sendable {
  /// Nil: authentication is off, and everybody may do everything.
  private let sources: Sources?

  private struct Sources: Sendable {
    var verifier: TokenVerifier?
    var local: LocalIssuer?
  }

  /// Everybody may do everything.
  public static let open = AccessControl()

  private init() { sources = nil }

  /// - Parameters:
  ///   - verifier: checks the operator's tokens; nil: there are none.
  ///   - local: set in `serve`, which also takes its own.
  public init(verifier: TokenVerifier?, local: LocalIssuer? = nil) {
    sources = Sources(verifier: verifier, local: local)
  }

  public var isOpen: Bool { sources == nil }

  /// What hands out tickets; nil on routers, which share no memory in which one could be used once.
  public var tickets: LocalIssuer? { sources?.local }

  public var verifier: TokenVerifier? { sources?.verifier }

  /// - Throws: ``AuthError``.
  public func principal(token: String, now: Double) throws(AuthError) -> Principal {
    guard let sources else { return .anyone }
    if let local = sources.local, isLocal(token) { return try local.verify(token, now: now) }
    guard let verifier = sources.verifier else {
      // What is no token is told as that.
      _ = try UncheckedToken(token)
      throw AuthError(
        .noKeys, "this server takes no tokens of others: it was started without --token-key")
    }
    return try verifier.verify(token, now: now)
  }

  public func principal(token: String) throws(AuthError) -> Principal {
    try principal(token: token, now: WallClock.seconds)
  }

  /// What a browser's cookie is to hold for a ticket. Tickets alone are good in an address, where another web site can
  /// put one: they are all of this server's own user, while somebody else's token would sign the browser in as that one.
  /// - Throws: ``AuthError``.
  public func signIn(withTicket ticket: String, life: Double) throws(AuthError) -> SignedIn {
    guard let tickets else { throw AuthError(.ticket, "this server has no tickets") }
    return SignedIn(
      subject: LocalIssuer.subject, token: try tickets.redeem(ticket, life: life), life: life)
  }

  /// What a browser's cookie is to hold for a ticket or a token, each of which says by its form which it is.
  /// - Throws: ``AuthError``.
  public func signIn(with credential: String, life: Double) throws(AuthError) -> SignedIn {
    if tickets != nil, !credential.contains(".") {
      return try signIn(withTicket: credential, life: life)
    }
    let now = WallClock.seconds
    let principal = try principal(token: credential, now: now)
    guard credential.utf8.count <= AuthLimits.cookieToken else {
      throw AuthError(.tooLong, "the token is too long for a browser's cookie")
    }
    return SignedIn(
      subject: principal.subject, token: credential,
      life: min(life, (principal.expires ?? .infinity) - now))
  }

  private func isLocal(_ token: String) -> Bool {
    (try? UncheckedToken(token))?.header.kid == LocalIssuer.keyID
  }

  /// Who a request is from, by its headers; nil: it has no credentials. `Authorization` goes before
  /// the cookie.
  /// - Parameters:
  ///   - authorization: the values of that header.
  ///   - cookies: the values of `Cookie` headers.
  ///   - host: the `Host` header.
  /// - Throws: ``AuthError`` when there are some and they are not good.
  public func principal(
    authorization: [String], cookies: [String], host: String?
  ) throws(AuthError) -> Principal? {
    guard !isOpen else { return .anyone }
    if let header = authorization.first {
      guard authorization.count == 1, let token = bearer(header) else {
        throw AuthError(.malformed, "Authorization is not one \"Bearer TOKEN\"")
      }
      return try principal(token: token)
    }
    var refusal: AuthError?
    for token in SessionCookie(host: host).values(in: cookies) {
      do throws(AuthError) {
        return try principal(token: token)
      } catch {
        refusal = refusal ?? error
      }
    }
    if let refusal { throw refusal }
    return nil
  }

  /// As ``principal(authorization:cookies:host:)``, but someone without credentials is refused.
  public func requirePrincipal(
    authorization: [String], cookies: [String], host: String?
  ) throws(AuthError) -> Principal {
    guard
      let principal = try principal(
        authorization: authorization, cookies: cookies, host: host)
    else { throw missing }
    return principal
  }

  /// For who comes with nothing.
  /// With its code it is no longer than the reason of a WebSocket's end, 123 bytes (RFC 6455, section 5.5).
  public var missing: AuthError {
    AuthError(
      .missing,
      "this server asks for a token (`Authorization: Bearer`, HELLO)"
        + (tickets == nil
          ? ": commands take --token-file or FAIRLEAD_TOKEN"
          : ", or for the URL that `fairlead ticket` prints"))
  }

  private func bearer(_ header: String) -> String? {
    let parts = header.split(separator: " ", omittingEmptySubsequences: true)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return String(parts[1])
  }
}

/// Whose browser it is from now on.
public struct SignedIn: Sendable {
  public var subject: String?
  public var token: String
  /// Seconds.
  public var life: Double
}

/// The cookie that a ticket is exchanged for. Cookies do not tell ports apart, so that its name does:
/// two servers on one machine do not put each other's users out.
public struct SessionCookie: Sendable {
  private let name: String
  /// With it a browser takes the cookie from this host alone, by TLS and for all of its paths (RFC 6265bis, section
  /// 4.1.3.2).
  private static let ownHost = "__Host-"

  /// - Parameter host: the request's `Host` header.
  public init(host: String?) {
    let port = host?.split(separator: ":").last ?? ""
    let isPort =
      (1...5).contains(port.utf8.count) && port.utf8.allSatisfy { (48...57).contains($0) }
    name = isPort ? "fairlead-\(port)" : "fairlead"
  }

  /// A browser sends all that it has of a name, and another server of this host, or of a name above it, may have set
  /// one: those that only this host can have set come first.
  func values(in headers: [String]) -> [String] {
    values(of: Self.ownHost + name, in: headers) + values(of: name, in: headers)
  }

  private func values(of name: String, in headers: [String]) -> [String] {
    var values: [String] = []
    for header in headers {
      for pair in header.split(separator: ";") {
        let pair = pair.drop { $0 == " " }
        guard pair.utf8.starts(with: name.utf8) else { continue }
        let rest = pair.utf8.dropFirst(name.utf8.count)
        if rest.first == UInt8(ascii: "=") {
          values.append(String(decoding: rest.dropFirst(), as: UTF8.self))
          if values.count == AuthLimits.cookies { return values }
        }
      }
    }
    return values
  }

  /// The value of `Set-Cookie`.
  /// - Parameters:
  ///   - isSecure: the client came by TLS.
  ///   - path: of the server at its host: empty, or without a slash at its end.
  public func header(_ who: SignedIn, isSecure: Bool, path: String = "") -> String {
    "\(isSecure && path.isEmpty ? Self.ownHost : "")\(name)=\(who.token); Path=\(path.isEmpty ? "/" : path); Max-Age=\(Int(who.life.rounded())); HttpOnly; SameSite=Strict"
      + (isSecure ? "; Secure" : "")
  }
}
