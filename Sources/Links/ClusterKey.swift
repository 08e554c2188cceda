// The cluster's key: how the two ends of a link prove to each other, by HMAC-SHA256 over nonces of
// both, that they belong to one cluster, without either telling the key. It authenticates the ends of
// a connection, not its bytes: on a network that others can write to, links need TLS.

import Crypto
public import Wire

public typealias ClusterKeyError = Failure<ClusterKeyErrorCode>

public enum ClusterKeyErrorCode: String, FailureCode {
  /// Whoever guesses could find it.
  case tooShort = "key_too_short"
}

public struct ClusterKey: Sendable {
  private let key: SymmetricKey

  /// - Parameters:
  ///   - secret: what its file holds; a line's end is not a part of it.
  ///   - name: the file's, for the error.
  public init(secret: [UInt8], name: String) throws(ClusterKeyError) {
    var secret = secret[...]
    while let last = secret.last, last == 0x0A || last == 0x0D { secret = secret.dropLast() }
    guard secret.count >= LinkLimits.clusterKey else {
      throw ClusterKeyError(
        .tooShort,
        "the key in \(name) has \(secret.count) bytes; it needs at least \(LinkLimits.clusterKey): "
          + "openssl rand -hex 32 > FILE")
    }
    key = SymmetricKey(data: Array(secret))
  }

  /// ``LinkLimits/nonce`` random bytes.
  public static func nonce() -> String {
    var generator = SystemRandomNumberGenerator()
    return base64URLEncode((0..<LinkLimits.nonce).map { _ in generator.next() as UInt8 })
  }

  /// Which end proves. Part of what is hashed, so that no proof can be sent back to its maker.
  public enum End: String, Sendable { case router, node }

  /// What both ends know when they prove. Strings are hashed with their lengths before them.
  public struct Greeting: Sendable {
    var parts: [String]
    public init(
      cluster: String, router: String, routerNonce: String, node: String, incarnation: String,
      nodeNonce: String
    ) {
      parts = [cluster, router, routerNonce, node, incarnation, nodeNonce]
    }
  }

  private func text(_ end: End, _ greeting: Greeting) -> [UInt8] {
    (["fairlead link 1", end.rawValue] + greeting.parts).flatMap { part in
      Array("\(part.utf8.count):".utf8) + Array(part.utf8)
    }
  }

  public func proof(of end: End, _ greeting: Greeting) -> String {
    base64URLEncode(HMAC<SHA256>.authenticationCode(for: text(end, greeting), using: key))
  }

  /// Another key of 32 bytes, for what has nothing to do with links: it tells nothing of this one.
  public func derived(for purpose: String) -> [UInt8] {
    Array(
      HMAC<SHA256>.authenticationCode(for: Array("fairlead key \(purpose)".utf8), using: key))
  }

  /// Compares in constant time.
  public func isProof(_ proof: String?, of end: End, _ greeting: Greeting) -> Bool {
    guard let proof, proof.utf8.count == LinkLimits.proof,
      let code = base64URLDecode(Array(proof.utf8))
    else { return false }
    return HMAC<SHA256>.isValidAuthenticationCode(
      code, authenticating: text(end, greeting), using: key)
  }
}
