// What `serve` hands out to its own user: a token for the command line, and one-time tickets that a
// browser exchanges for a cookie. All of it is signed with one key, which `serve` keeps over restarts, so that who is
// signed in stays so.

import Crypto
import NIOConcurrencyHelpers
public import Wire

public final class LocalIssuer: Sendable {
  /// The `kid` that leads a token here and not to the operator's keys.
  static let keyID = "fairlead-serve"
  private static let audience = "fairlead-serve"
  /// The `sub` of this process's own user.
  public static let subject = "local"

  private let signer: TokenSigner
  private let verifier: TokenVerifier
  private let tickets = NIOLockedValueBox<[(digest: SHA256Digest, expires: Double)]>([])

  /// - Parameter secret: of the key, ``AuthLimits/secret`` bytes.
  public init(secret: [UInt8] = LocalIssuer.newSecret()) async throws(AuthError) {
    let key = try await KeySet.key(secret: secret, name: "the key of serve", id: Self.keyID)
    signer = TokenSigner(key: key)
    verifier = TokenVerifier(
      keys: KeySet([key]), policy: TokenPolicy(issuer: Self.audience, audience: Self.audience))
  }

  public static func newSecret() -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<AuthLimits.secret).map { _ in generator.next() }
  }

  /// A token that allows everything here.
  /// - Parameter life: seconds.
  public func token(life: Double, now: Double) throws(AuthError) -> String {
    try signer.sign(
      Claims(
        sub: Self.subject, iss: Self.audience, aud: [Self.audience], exp: now + life, iat: now,
        fl: .everything))
  }

  public func token(life: Double) throws(AuthError) -> String {
    try token(life: life, now: WallClock.seconds)
  }

  func verify(_ token: String, now: Double) throws(AuthError) -> Principal {
    do throws(AuthError) {
      return try verifier.verify(token, now: now)
    } catch {
      guard error.code == .signature else { throw error }
      throw AuthError(
        .signature, "this token is of another key than this server's; `fairlead ticket` lets you in"
      )
    }
  }

  // MARK: Tickets

  private static let ticketBytes = 24

  /// By its form: base64url, of which four characters are three bytes.
  private static func isTicket(_ text: String) -> Bool {
    text.utf8.count == ticketBytes / 3 * 4
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  /// 192 random bits, good once and for ten minutes. Only their hashes are kept here.
  public func issueTicket(now: Double) -> String {
    var generator = SystemRandomNumberGenerator()
    let bytes = (0..<Self.ticketBytes).map { _ in generator.next() as UInt8 }
    let ticket = base64URLEncode(bytes)
    tickets.withLockedValue { tickets in
      tickets.removeAll { $0.expires <= now }
      if tickets.count >= AuthLimits.tickets { tickets.removeFirst() }
      tickets.append((SHA256.hash(data: Array(ticket.utf8)), now + AuthLimits.ticketLife))
    }
    return ticket
  }

  public func issueTicket() -> String { issueTicket(now: WallClock.seconds) }

  /// The cookie's token for a ticket, which is then of no more use.
  /// - Throws: ``AuthError`` `ticket_invalid`.
  public func redeem(_ ticket: String, life: Double, now: Double) throws(AuthError) -> String {
    guard Self.isTicket(ticket) else { throw AuthError(.malformed, "this is no ticket") }
    let digest = SHA256.hash(data: Array(ticket.utf8.prefix(AuthLimits.token)))
    let isGood = tickets.withLockedValue { tickets in
      tickets.removeAll { $0.expires <= now }
      // Digests compare in constant time, and all of them are compared.
      var found: Int?
      for (index, entry) in tickets.enumerated() where entry.digest == digest { found = index }
      guard let found else { return false }
      tickets.remove(at: found)
      return true
    }
    guard isGood else {
      throw AuthError(
        .ticket, "this ticket was used or has run out; `fairlead ticket` prints another")
    }
    return try token(life: life, now: now)
  }

  public func redeem(_ ticket: String, life: Double) throws(AuthError) -> String {
    try redeem(ticket, life: life, now: WallClock.seconds)
  }
}
