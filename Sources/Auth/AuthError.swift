// Why somebody is not let in, or may not do something. The messages go to the client and to the audit
// log, so that none of them holds a secret or a part of a token.

public struct AuthError: Error, Equatable, CustomStringConvertible {
  public enum Code: String, Sendable, CaseIterable {
    /// No token, cookie or ticket came.
    case missing = "token_missing"
    /// It is not three parts of base64url JSON, or has odd claims.
    case malformed = "token_malformed"
    /// More than ``AuthLimits/token`` bytes.
    case tooLong = "token_too_long"
    /// `none`, an algorithm that is not taken, or another one than its key is for.
    case algorithm = "token_algorithm"
    /// No key of that name.
    case unknownKey = "token_key_unknown"
    case signature = "token_signature"
    case expired = "token_expired"
    case notYetValid = "token_not_yet_valid"
    case issuer = "token_issuer"
    case audience = "token_audience"
    /// A renewed token is for somebody else.
    case subject = "token_subject"
    /// Used before, expired, or never issued.
    case ticket = "ticket_invalid"
    /// Known, and may not.
    case forbidden
    /// A key file that cannot be used.
    case keyFile = "key_file"
    /// Another end of a link that does not know the cluster's key.
    case clusterKey = "cluster_key"
  }
  public var code: Code
  /// What is wrong, and what to do.
  public var message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { "\(code.rawValue): \(message)" }
}

/// Every number that bounds what a stranger can make this module do (promise P6).
public enum AuthLimits {
  /// Bytes of a token: what fits in a request header and in a HELLO, and many times a usual one.
  public static let token = 8 * 1024
  /// Bytes of a token's header, read before its signature is checked.
  static let header = 1024
  /// Bytes of a `sub`: an e-mail address of any legal length.
  static let subject = 320
  /// Grants in a token, and patterns or words in a list of one.
  static let grants = 32
  static let patterns = 64
  /// Bytes of a key or JWKS file, and keys in it.
  static let keyFile = 256 * 1024
  static let keys = 64
  /// Bytes of a shared secret: as many as HS256's hash has (RFC 7518 section 3.2).
  public static let secret = 32
  /// Seconds that an issuer's clock may be ahead of ours: for `nbf` alone, since a token that ends too
  /// early is only renewed.
  static let skew = 5.0
  /// The largest time in a claim: the year 9999.
  static let latest = 253_402_300_799.0
  /// Tickets that wait to be used at a time; the oldest gives way.
  static let tickets = 64
  /// Seconds for which a ticket waits.
  static let ticketLife = 600.0
  /// Bytes of a token in a cookie: with its name, browsers keep 4 KiB (RFC 6265, section 6.1).
  static let cookieToken = 4_000
  /// Seconds that a cookie is good for: a working week and its weekend.
  static let cookieLife = 7 * 86_400.0
}
