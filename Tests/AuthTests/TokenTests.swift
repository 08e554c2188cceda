// Which tokens are taken: whoever made them, they are checked whole, and each refusal says why (promises P9 and P10).

import Foundation
import JWTKit
import Testing
import Wire

@testable import Auth

private let policy = TokenPolicy(issuer: "https://issuer.example")
private let now = 1_795_600_000.0

/// A verifier of one kind of key file.
private func verifier(_ text: String) async throws -> TokenVerifier {
  TokenVerifier(keys: try await KeySet(text: Array(text.utf8), name: "test"), policy: policy)
}

/// What a token is refused with; nil: it is taken.
private func refusal(of token: String, by verifier: TokenVerifier, at time: Double = now)
  -> AuthError.Code?
{
  do throws(AuthError) {
    _ = try verifier.verify(token, now: time)
    return nil
  } catch {
    return error.code
  }
}

private func claims(
  _ change: (inout Claims) -> Void = { _ in }
) -> Claims {
  var claims = Claims(
    sub: "alice", iss: "https://issuer.example", aud: ["fairlead"], exp: now + 60, fl: .everything)
  change(&claims)
  return claims
}

private func signer(_ text: String) async throws -> TokenSigner {
  let keys = try await KeySet(text: Array(text.utf8), name: "test")
  return TokenSigner(key: try #require(keys.keys.first))
}

@Suite struct TokensOfOthers {
  @Test(arguments: [
    (Sample.secret + "\n", Sample.hs256), (Sample.rsaPublic, Sample.rs256),
    (Sample.ecPublic, Sample.es256), (Sample.edPublic, Sample.eddsa),
    (Sample.rsaPrivate, Sample.rs256), (Sample.jwks, Sample.rs256), (Sample.jwks, Sample.es256),
    (Sample.jwks, Sample.eddsa),
  ]) func areTakenWithTheRightKey(file: String, token: String) async throws {
    let principal = try await verifier(file).verify(token, now: now)
    #expect(principal.subject == "alice")
    #expect(principal.expires == 4_102_444_800)
    #expect(
      principal.grants
        == Grants([
          Grant(
            sessions: [.own], rights: .write,
            create: CreationRule(targets: ["pty"], commands: [.any]))
        ]))
  }

  @Test func withoutAKidFailInASet() async throws {
    #expect(refusal(of: Sample.hs256, by: try await verifier(Sample.jwks)) == .algorithm)
  }

  @Test(arguments: [Sample.secret, Sample.rsaPrivate, Sample.ecPrivate, Sample.edPrivate])
  func ourOwnTokensAreTakenToo(file: String) async throws {
    let token = try await signer(file).sign(claims())
    #expect(refusal(of: token, by: try await verifier(file)) == nil)
  }
}

@Suite struct WrongTokensAreRefused {
  @Test func withAClearCodeEach() async throws {
    let sign = try await signer(Sample.secret)
    let check = try await verifier(Sample.secret)
    func code(_ change: (inout Claims) -> Void, at time: Double = now) throws -> AuthError.Code? {
      refusal(of: try sign.sign(claims(change)), by: check, at: time)
    }
    #expect(try code { _ in } == nil)
    #expect(try code { $0.exp = now } == .expired)
    #expect(try code { $0.exp = now - 1 } == .expired)
    #expect(try code { $0.nbf = now + 30 } == .notYetValid)
    #expect(try code { $0.nbf = now + 3 } == nil)
    #expect(try code { $0.iss = "https://other.example" } == .issuer)
    #expect(try code { $0.iss = nil } == .issuer)
    #expect(try code { $0.aud = ["other"] } == .audience)
    #expect(try code { $0.aud = [] } == .audience)
    #expect(throws: AuthError.self) { try code { $0.sub = "" } }
    #expect(throws: AuthError.self) { try code { $0.exp = .infinity } }
  }

  @Test func signedByAnotherKey() async throws {
    let other = try await signer(String(repeating: "x", count: 40)).sign(claims())
    #expect(refusal(of: other, by: try await verifier(Sample.secret)) == .signature)
  }

  @Test func ofAlgorithmNone() async throws {
    for header in [#"{"alg":"none"}"#, #"{"alg":"None","typ":"JWT"}"#, "{}", #"{"alg":"HS512"}"#] {
      let payload = base64URLEncode(try JSONEncoder().encode(claims()))
      let token = base64URLEncode(Array(header.utf8)) + "." + payload
      for signature in ["", "AAAA"] {
        for file in [Sample.secret, Sample.rsaPublic, Sample.jwks] {
          let check = try await verifier(file)
          #expect(refusal(of: token + "." + signature, by: check) == .algorithm)
        }
      }
    }
  }

  /// The classic confusion: a token signed by HMAC with the public key's text as the secret.
  @Test func signedWithAPublicKeyAsSecret() async throws {
    for pem in [Sample.rsaPublic, Sample.ecPublic, Sample.edPublic] {
      for text in [pem, pem + "\n"] {
        let key = try await KeySet.key(secret: Array(text.utf8), name: "test")
        let token = try TokenSigner(key: key).sign(claims(), keyID: "r")
        #expect(refusal(of: token, by: try await verifier(pem)) == .algorithm)
        #expect(refusal(of: token, by: try await verifier(Sample.jwks)) == .algorithm)
      }
    }
  }

  @Test func withAnUnknownKid() async throws {
    let check = try await verifier(Sample.jwks)
    let token = try await signer(Sample.ecPrivate).sign(claims(), keyID: "nobody")
    #expect(refusal(of: token, by: check) == .unknownKey)
    let wrong = try await signer(Sample.ecPrivate).sign(claims(), keyID: "r")
    #expect(refusal(of: wrong, by: check) == .algorithm)
    // A key that the set has for encryption is no key for signatures.
    let encrypting = try await signer(Sample.ecPrivate).sign(claims(), keyID: "enc")
    #expect(refusal(of: encrypting, by: check) == .unknownKey)
    // Only one key of the set is for ES256, so that it needs no name.
    #expect(
      refusal(of: try await signer(Sample.ecPrivate).sign(claims()), by: check) == nil)
  }

  @Test func thatAreTooLong() async throws {
    let check = try await verifier(Sample.secret)
    #expect(refusal(of: String(repeating: "a", count: 8_193), by: check) == .tooLong)
    let header = base64URLEncode(
      Array(#"{"alg":"HS256","x":"\#(String(repeating: "y", count: 1_000))"}"#.utf8))
    #expect(refusal(of: header + ".e30.AAAA", by: check) == .malformed)
  }

  @Test(arguments: [
    "", ".", "..", "...", "a.b", "a.b.c.d", "e30.e30.e30=", "e30.e30.+/AA", "ä.e30.AAAA",
    "bm90IGpzb24.e30.AAAA", "eyJhbGciOjF9.e30.AAAA",
  ]) func thatAreNone(token: String) async throws {
    let code = refusal(of: token, by: try await verifier(Sample.secret))
    #expect(code == .malformed || code == .algorithm)
  }

  @Test func thatAskForExtensions() async throws {
    let header = base64URLEncode(Array(#"{"alg":"HS256","crit":["b64"]}"#.utf8))
    #expect(
      refusal(of: header + ".e30.AAAA", by: try await verifier(Sample.secret)) == .malformed)
  }

  @Test func withOddClaims() async throws {
    let key = try await KeySet.key(secret: Array(Sample.secret.utf8), name: "test")
    let check = try await verifier(Sample.secret)
    let good = #""sub":"a","iss":"https://issuer.example","aud":"fairlead","exp":1795600060"#
    for odd in [
      "[]", "{}", "null", #"{\#(good)}"#, #"{\#(good),"fl":{}}"#,
      #"{\#(good),"fl":{"sessions":["../x"],"rights":"read"}}"#,
      #"{\#(good),"fl":{"sessions":["*"],"rights":"root"}}"#,
      #"{\#(good),"fl":{"sessions":"*","rights":"read"}}"#,
      #"{"sub":"a","aud":"fairlead","exp":1e300,"fl":[]}"#,
      #"{"sub":"a","aud":"fairlead","exp":"1795600060","fl":[]}"#,
      #"{"sub":"a","aud":"fairlead","fl":[]}"#,
    ] {
      let text =
        base64URLEncode(Array(#"{"alg":"HS256"}"#.utf8)) + "." + base64URLEncode(Array(odd.utf8))
      let token = text + "." + base64URLEncode(try key.implementation.sign(Array(text.utf8)))
      #expect(refusal(of: token, by: check) == .malformed, "\(odd)")
    }
  }

  /// Whatever one changes in a token, it is not taken any more.
  @Test func withAnyByteChanged() async throws {
    let check = try await verifier(Sample.edPublic)
    let bytes = Array(Sample.eddsa.utf8)
    for index in bytes.indices {
      var changed = bytes
      changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "Q") : UInt8(ascii: "A")
      // The last character of a part has bits that are not part of any byte.
      let token = String(decoding: changed, as: UTF8.self)
      #expect(refusal(of: token, by: check) != nil, "changed at \(index)")
    }
  }
}

@Suite struct KeyFilesTests {
  @Test(arguments: [
    "", "short", "{}", #"{"keys":[]}"#, #"{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}"#,
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
  ]) func thatCannotBeUsedSayWhy(text: String) async {
    let error = await #expect(throws: AuthError.self) {
      try await KeySet(text: Array(text.utf8), name: "keys.json")
    }
    #expect(error?.code == .keyFile)
    #expect(error?.message.contains("keys.json") == true)
  }

  @Test func aChangedFileIsReadAgainAndABrokenOneIsNot() async throws {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-key-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Sample.secret.write(toFile: path, atomically: true, encoding: .utf8)
    let check = try await TokenVerifier(path: path, policy: policy)
    let old = try await signer(Sample.secret).sign(claims())
    #expect(refusal(of: old, by: check) == nil)
    #expect(try await check.reload() == false)

    try "broken".write(toFile: path, atomically: true, encoding: .utf8)
    await #expect(throws: AuthError.self) { try await check.reload() }
    #expect(refusal(of: old, by: check) == nil, "the old key goes on")

    try Sample.edPublic.write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try await check.reload() == true)
    #expect(refusal(of: old, by: check) == .algorithm)
    #expect(refusal(of: Sample.eddsa, by: check) == nil)
  }

  @Test func aPublicKeyDoesNotSign() async throws {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-key-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Sample.ecPublic.write(toFile: path, atomically: true, encoding: .utf8)
    await #expect(throws: AuthError.self) { try await TokenSigner(path: path) }
  }
}
