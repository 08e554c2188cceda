// Checks tokens. The keys come from a file that is read again when it changes; a file that cannot be
// used leaves the keys as they were, and says so.

import FoundationEssentials
import Glibc
import NIOConcurrencyHelpers
public import Wire

/// Which tokens are taken, besides having a right signature.
public struct TokenPolicy: Sendable {
  /// The `iss` that a token must have; nil: any or none.
  public var issuer: String?
  /// The `aud` that a token must have, so that one made for another service is of no use here.
  public var audience: String

  public init(issuer: String? = nil, audience: String = "fairlead") {
    self.issuer = issuer
    self.audience = audience
  }
}

public final class TokenVerifier: Sendable {
  private let path: String
  private let policy: TokenPolicy
  private let state: NIOLockedValueBox<State>

  private struct State: Sendable {
    var keys: KeySet
    var stamp: Stamp?
  }

  /// What changes when a file does: also when another one is moved into its place.
  private struct Stamp: Equatable, Sendable {
    var inode: UInt64
    var size: Int64
    var seconds: Int
    var nanoseconds: Int
  }

  /// Checks with the keys in the file at `path`: a secret, a key in PEM, or a JWKS.
  /// - Throws: ``AuthError`` `key_file`.
  public init(path: String, policy: TokenPolicy = TokenPolicy()) async throws(AuthError) {
    self.path = path
    self.policy = policy
    let stamp = Self.stamp(path)
    state = NIOLockedValueBox(State(keys: try await Self.read(path), stamp: stamp))
  }

  init(keys: KeySet, policy: TokenPolicy) {
    path = ""
    self.policy = policy
    state = NIOLockedValueBox(State(keys: keys, stamp: nil))
  }

  /// Who the token is from.
  /// - Parameter now: seconds since 1970.
  /// - Throws: ``AuthError``, with what is wrong with the token.
  public func verify(_ token: String, now: Double) throws(AuthError) -> Principal {
    let unchecked = try UncheckedToken(token)
    let keys = state.withLockedValue { $0.keys }
    let key = try keys.key(id: unchecked.header.kid, algorithm: unchecked.header.alg)
    guard key.isSignature(unchecked.signature, of: unchecked.signed) else {
      throw AuthError(.signature, "the token's signature is not right for its key")
    }
    let claims = try unchecked.claims()
    if let issuer = policy.issuer, claims.iss != issuer {
      throw AuthError(.issuer, "the token's \"iss\" is not \(issuer)")
    }
    guard claims.aud.contains(policy.audience) else {
      throw AuthError(.audience, "the token's \"aud\" does not name \(policy.audience)")
    }
    guard now < claims.exp else {
      throw AuthError(.expired, "the token has run out; get a new one")
    }
    if let nbf = claims.nbf, now + AuthLimits.skew < nbf {
      throw AuthError(.notYetValid, "the token is not valid yet; compare the clocks")
    }
    return Principal(subject: claims.sub, grants: claims.fl, expires: claims.exp)
  }

  public func verify(_ token: String) throws(AuthError) -> Principal {
    try verify(token, now: WallClock.seconds)
  }

  /// Reads the file again if it has changed, or whether or not it has. True: it was read.
  /// - Throws: ``AuthError`` when the file cannot be used; the keys stay as they were.
  @discardableResult public func reload(evenIfUnchanged: Bool = false) async throws(AuthError)
    -> Bool
  {
    guard !path.isEmpty else { return false }
    let stamp = Self.stamp(path)
    guard evenIfUnchanged || state.withLockedValue({ $0.stamp != stamp }) else { return false }
    // What is wrong is said once for each state of the file.
    state.withLockedValue { $0.stamp = stamp }
    let keys = try await Self.read(path)
    state.withLockedValue { $0.keys = keys }
    return true
  }

  /// Looks after the file until the task is cancelled.
  /// - Parameter report: called with what there is to say, for the log.
  public func watch(report: @Sendable (Result<Void, AuthError>) -> Void) async {
    while !Task.isCancelled {
      do throws(AuthError) {
        if try await reload() { report(.success(())) }
      } catch {
        report(.failure(error))
      }
      try? await Task.sleep(for: AuthLimits.keyFileInterval)
    }
  }

  private static func stamp(_ path: String) -> Stamp? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Stamp(
      inode: UInt64(status.st_ino), size: Int64(status.st_size),
      seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
  }

  private static func read(_ path: String) async throws(AuthError) -> KeySet {
    try await KeySet(text: try readKeyFile(path), name: path)
  }
}

/// The bytes of a file that holds a key, which is small.
public func readKeyFile(_ path: String) throws(AuthError) -> [UInt8] {
  var status = stat()
  guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
    throw AuthError(.keyFile, "\(path) is not a file that can be read")
  }
  guard status.st_size <= AuthLimits.keyFile else {
    throw AuthError(.keyFile, "\(path) is larger than a key file is")
  }
  guard let data = try? Data(contentsOf: URL(filePath: path)) else {
    throw AuthError(.keyFile, "\(path) cannot be read by this user")
  }
  return Array(data)
}
