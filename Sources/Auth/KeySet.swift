// The keys that tokens are checked with: one from a key file (a shared secret, or a key in PEM), or
// many from a JWKS file (RFC 7517). Each key is for one algorithm, whatever a token says of itself:
// that closes the confusion of a public key with a shared secret, and `none`.

import FoundationEssentials
import JWTKit
import Wire

/// The algorithms taken, by their names in RFC 7518 and RFC 8037.
public enum Algorithm: String, Sendable, CaseIterable {
  case hs256 = "HS256"
  case rs256 = "RS256"
  case es256 = "ES256"
  case eddsa = "EdDSA"
}

/// A key and the one algorithm that it is for.
struct Key: Sendable {
  /// Its name in a JWKS; nil: the only key of a file.
  var id: String?
  var algorithm: Algorithm
  var canSign: Bool
  var implementation: any JWTAlgorithm

  func isSignature(_ signature: [UInt8], of text: [UInt8]) -> Bool {
    (try? implementation.verify(signature, signs: text)) ?? false
  }
}

struct KeySet: Sendable {
  var keys: [Key]

  init(_ keys: [Key]) { self.keys = keys }

  /// Reads the text of a key file.
  /// - Parameter name: of the file, for messages.
  init(text: [UInt8], name: String) async throws(AuthError) {
    guard text.count <= AuthLimits.keyFile else {
      throw AuthError(.keyFile, "\(name) is larger than a key file is")
    }
    let start = text.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
    if start.first == UInt8(ascii: "{") {
      try await self.init(jwks: text, name: name)
    } else if start.starts(with: "-----BEGIN ".utf8) {
      self.init([try await Self.key(pem: String(decoding: text, as: UTF8.self), name: name)])
    } else {
      var secret = text[...]
      while let last = secret.last, last == 0x0A || last == 0x0D { secret = secret.dropLast() }
      self.init([try await Self.key(secret: Array(secret), name: name)])
    }
  }

  /// The key for a token's header.
  func key(id: String?, algorithm: String?) throws(AuthError) -> Key {
    guard let algorithm = algorithm.flatMap(Algorithm.init(rawValue:)) else {
      throw AuthError(
        .algorithm, "the token's algorithm is not one of HS256, RS256, ES256, EdDSA")
    }
    let candidates: [Key]
    if keys.count == 1, keys[0].id == nil {
      // A key file names no key, so that any name in the token means it.
      candidates = keys
    } else if let id {
      candidates = keys.filter { $0.id == id }
      if candidates.isEmpty {
        throw AuthError(.unknownKey, "no key here has the \"kid\" that the token names")
      }
    } else {
      candidates = keys.filter { $0.algorithm == algorithm }
      if candidates.count > 1 {
        throw AuthError(.unknownKey, "the token names no \"kid\", and several keys could be meant")
      }
    }
    guard let key = candidates.first(where: { $0.algorithm == algorithm }) else {
      throw AuthError(
        .algorithm, "the token says \(algorithm.rawValue), but its key is for another algorithm")
    }
    return key
  }

  // MARK: Reading keys

  static func key(secret: [UInt8], name: String, id: String? = nil) async throws(AuthError) -> Key {
    guard secret.count >= AuthLimits.secret else {
      throw AuthError(
        .keyFile,
        "the secret in \(name) has \(secret.count) bytes; it needs at least \(AuthLimits.secret): "
          + "openssl rand -hex 32 > FILE")
    }
    let keys = JWTKeyCollection()
    await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
    return try await key(from: keys, .hs256, id: id, canSign: true, name: name)
  }

  /// The kind of key is found by trying: PEM's own labels do not tell EC from Ed25519.
  private static func key(pem: String, name: String) async throws(AuthError) -> Key {
    let keys = JWTKeyCollection()
    if let key = try? Insecure.RSA.PrivateKey(pem: pem) {
      await keys.add(rsa: key, digestAlgorithm: .sha256)
      return try await self.key(from: keys, .rs256, canSign: true, name: name)
    }
    if let key = try? Insecure.RSA.PublicKey(pem: pem) {
      await keys.add(rsa: key, digestAlgorithm: .sha256)
      return try await self.key(from: keys, .rs256, canSign: false, name: name)
    }
    if let key = try? ES256PrivateKey(pem: pem) {
      await keys.add(ecdsa: key)
      return try await self.key(from: keys, .es256, canSign: true, name: name)
    }
    if let key = try? ES256PublicKey(pem: pem) {
      await keys.add(ecdsa: key)
      return try await self.key(from: keys, .es256, canSign: false, name: name)
    }
    if let key = try? EdDSA.PrivateKey(pem: pem) {
      await keys.add(eddsa: key)
      return try await self.key(from: keys, .eddsa, canSign: true, name: name)
    }
    if let key = try? EdDSA.PublicKey(pem: pem) {
      await keys.add(eddsa: key)
      return try await self.key(from: keys, .eddsa, canSign: false, name: name)
    }
    throw AuthError(
      .keyFile,
      "\(name) holds no key that can be used: an RSA key of 2048 bits or more, a P-256 key or an "
        + "Ed25519 key, in PEM, not encrypted and not a certificate")
  }

  private static func key(
    from keys: JWTKeyCollection, _ algorithm: Algorithm, id: String? = nil, canSign: Bool,
    name: String
  ) async throws(AuthError) -> Key {
    do {
      let implementation = try await keys.getKey(for: id.map { JWKIdentifier(string: $0) })
      return Key(id: id, algorithm: algorithm, canSign: canSign, implementation: implementation)
    } catch {
      throw AuthError(.keyFile, "the key in \(name) cannot be used: \(error)")
    }
  }

  /// A key of a set that this version does not know is passed over, as RFC 7517 section 5 asks.
  private struct Lenient: Decodable {
    var key: JWK?
    init(from decoder: any Decoder) {
      let use = try? decoder.container(keyedBy: Use.self).decodeIfPresent(String.self, forKey: .use)
      key = use == nil || use == "sig" ? try? JWK(from: decoder) : nil
    }
    private enum Use: String, CodingKey { case use }
  }

  private struct Document: Decodable { var keys: [Lenient] }

  private init(jwks text: [UInt8], name: String) async throws(AuthError) {
    guard let document = try? JSONDecoder().decode(Document.self, from: Data(text)) else {
      throw AuthError(.keyFile, "\(name) is not a JWKS: {\"keys\":[…]}")
    }
    guard document.keys.count <= AuthLimits.keys else {
      throw AuthError(.keyFile, "\(name) has more than \(AuthLimits.keys) keys")
    }
    var keys: [Key] = []
    for key in document.keys.lazy.compactMap(\.key) {
      guard let id = key.keyIdentifier?.string,
        let algorithm = Self.algorithm(of: key)
      else { continue }
      guard !keys.contains(where: { $0.id == id }) else {
        throw AuthError(.keyFile, "\(name) has two keys with the same \"kid\"")
      }
      let collection = JWTKeyCollection()
      guard (try? await collection.add(jwk: key)) != nil,
        let implementation = try? await collection.getKey(
          for: JWKIdentifier(string: id), alg: algorithm.rawValue),
        implementation.name == algorithm.rawValue
      else { continue }
      // A set is for checking; who has the private key signs elsewhere.
      keys.append(
        Key(id: id, algorithm: algorithm, canSign: false, implementation: implementation))
    }
    guard !keys.isEmpty else {
      throw AuthError(
        .keyFile, "\(name) has no key with a \"kid\" for RS256, ES256 (P-256) or EdDSA (Ed25519)")
    }
    self.init(keys)
  }

  private static func algorithm(of key: JWK) -> Algorithm? {
    let own: Algorithm? =
      switch key.keyType {
      case .rsa: .rs256
      case .ecdsa: key.curve == .ecdsa(.p256) ? .es256 : nil
      case .octetKeyPair: key.curve == .eddsa(.ed25519) ? .eddsa : nil
      default: nil
      }
    guard let stated = key.algorithm else { return own }
    return stated.rawValue == own?.rawValue ? own : nil
  }
}
