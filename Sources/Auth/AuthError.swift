// Why somebody is not let in, or may not do something. The messages go to the client and to the audit
// log, so that none of them holds a secret or a part of a token.

public import Wire

public typealias AuthError = Failure<AuthErrorCode>

public enum AuthErrorCode: String, FailureCode, CaseIterable {
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
  /// This server was given no keys: it takes tokens of its own only.
  case noKeys = "token_no_keys"
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

  public static var isTold: Bool { true }
}
