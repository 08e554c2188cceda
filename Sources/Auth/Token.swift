// A JSON Web Token in its compact form (RFC 7515 section 3.1, RFC 7519). jwt-kit has the keys and the
// signatures; the three parts are taken apart here, so that a token's header is bounded and its
// algorithm is its key's, and so that a HELLO is checked in one step on its event loop.

import FoundationEssentials
import Wire

/// Who a token is for, until when, and what it allows.
public struct Claims: Sendable, Equatable, Codable {
  public var sub: String
  public var iss: String?
  public var aud: [String]
  /// Seconds since 1970.
  public var exp: Double
  public var nbf: Double?
  public var iat: Double?
  public var fl: Grants

  public init(
    sub: String, iss: String? = nil, aud: [String], exp: Double, nbf: Double? = nil,
    iat: Double? = nil, fl: Grants
  ) {
    self.sub = sub
    self.iss = iss
    self.aud = aud
    self.exp = exp
    self.nbf = nbf
    self.iat = iat
    self.fl = fl
  }

  private enum CodingKeys: String, CodingKey { case sub, iss, aud, exp, nbf, iat, fl }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    sub = try container.decode(String.self, forKey: .sub)
    iss = try container.decodeIfPresent(String.self, forKey: .iss)
    if let one = try? container.decode(String.self, forKey: .aud) {
      aud = [one]
    } else {
      aud = try container.decodeIfPresent([String].self, forKey: .aud) ?? []
    }
    exp = try container.decode(Double.self, forKey: .exp)
    nbf = try container.decodeIfPresent(Double.self, forKey: .nbf)
    iat = try container.decodeIfPresent(Double.self, forKey: .iat)
    fl = try container.decode(Grants.self, forKey: .fl)
  }

  /// What makes it unusable whoever signed it; nil: nothing.
  var problem: String? {
    if sub.isEmpty || sub.utf8.count > WireLimits.subject
      || sub.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
    {
      return "\"sub\" is empty, too long or has control characters"
    }
    if !(0...AuthLimits.latest).contains(exp) { return "\"exp\" is no time" }
    if let nbf, !(0...AuthLimits.latest).contains(nbf) { return "\"nbf\" is no time" }
    return nil
  }
}

struct TokenHeader: Codable {
  var alg: String?
  var kid: String?
  var typ: String?
  var crit: [String]?
}

/// A token taken apart, and not believed yet.
struct UncheckedToken {
  var header: TokenHeader
  var payload: [UInt8]
  var signature: [UInt8]
  /// What the signature is of.
  var signed: [UInt8]

  init(_ text: String) throws(AuthError) {
    guard text.utf8.count <= AuthLimits.token else {
      throw AuthError(.tooLong, "a token has at most \(AuthLimits.token) bytes")
    }
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].count <= AuthLimits.header,
      let header = base64URLDecode(parts[0]), let payload = base64URLDecode(parts[1]),
      let signature = base64URLDecode(parts[2])
    else { throw AuthError(.malformed, "that is not a JSON Web Token") }
    guard let parsed = try? JSONDecoder().decode(TokenHeader.self, from: Data(header)) else {
      throw AuthError(.malformed, "the token's header cannot be read")
    }
    guard parsed.crit == nil else {
      throw AuthError(.malformed, "the token's header asks for extensions (\"crit\")")
    }
    self.header = parsed
    self.payload = payload
    self.signature = signature
    signed = Array(parts[0]) + [UInt8(ascii: ".")] + Array(parts[1])
  }

  /// The claims, of a token whose signature is right.
  func claims() throws(AuthError) -> Claims {
    let claims: Claims
    do {
      claims = try JSONDecoder().decode(Claims.self, from: Data(payload))
    } catch let error as DecodingError {
      throw AuthError(.malformed, "the token's claims: \(error.words())")
    } catch {
      throw AuthError(.malformed, "the token's claims cannot be read")
    }
    if let problem = claims.problem { throw AuthError(.malformed, "the token's \(problem)") }
    return claims
  }
}
