// Makes tokens: for `fairlead token`, and for what `serve` hands out itself.

import FoundationEssentials
import JWTKit
public import Wire

public struct TokenSigner: Sendable {
  private let key: Key

  /// Signs with the secret or the private key in a file.
  /// - Throws: ``AuthError`` `key_file`.
  public init(path: String) async throws(AuthError) {
    let keys = try await KeySet(text: try readKeyFile(path), name: path)
    guard let key = keys.keys.first, keys.keys.count == 1, key.canSign else {
      throw AuthError(
        .keyFile, "\(path) holds no secret and no private key: it can check tokens, not make them")
    }
    self.key = key
  }

  init(key: Key) { self.key = key }

  public var algorithm: Algorithm { key.algorithm }

  /// - Parameter keyID: the header's `kid`.
  public func sign(_ claims: Claims, keyID: String? = nil) throws(AuthError) -> String {
    if let problem = claims.problem { throw AuthError(.malformed, "the token's \(problem)") }
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let header = TokenHeader(alg: key.algorithm.rawValue, kid: keyID ?? key.id, typ: "JWT")
      let text =
        base64URLEncode(try encoder.encode(header)) + "."
        + base64URLEncode(try encoder.encode(claims))
      let signature = try key.implementation.sign(Array(text.utf8))
      return text + "." + base64URLEncode(signature)
    } catch {
      throw AuthError(.keyFile, "the key cannot sign: \(error)")
    }
  }
}
