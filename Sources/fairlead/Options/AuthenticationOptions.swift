// Who a server lets in, and what it refuses to start as: the options that `serve`, `router` and `node`
// share.

import ArgumentParser
import Auth
import Links
import Logging
import Router
import Wire

/// Whether FAIRLEAD_`name` says yes.
func flag(_ name: String) -> Bool {
  ["1", "true", "yes"].contains(environment(name)?.lowercased() ?? "")
}

struct AuthenticationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take tokens (JWT) that this key has signed: a file with a secret of at least 32 bytes, a key "
        + "in PEM (RSA, P-256, Ed25519) or a JWKS. Read again when it changes.", valueName: "file"))
  var tokenKey: String?

  @Option(help: ArgumentHelp("The \"iss\" that tokens must have.", valueName: "text"))
  var tokenIssuer: String?

  @Option(help: ArgumentHelp("The \"aud\" that tokens must have.", valueName: "text"))
  var tokenAudience: String = fromEnvironment("TOKEN_AUDIENCE", default: "fairlead")

  @Flag(name: .customLong("no-auth"), help: "Ask nobody for a token. Said at every start.")
  var noAuthFlag = false

  @Flag(
    name: .customLong("plaintext-behind-proxy"),
    help: "TLS ends at a load balancer before this; needs --public-url.")
  var plaintextFlag = false

  @Option(
    name: .customLong("public-url"),
    help: ArgumentHelp(
      "Where browsers reach this, if it is another URL, such as https://example.com/terminal/.",
      valueName: "url"))
  var publicURLOption: String?

  @Option(
    help: ArgumentHelp(
      "A proxy whose PROXY protocol and X-Forwarded-For are believed, as an address or range; may be "
        + "given again. (FAIRLEAD_TRUSTED_PROXY takes several, with commas between.)",
      valueName: "cidr"))
  var trustedProxy: [String] = []

  @Option(
    help: ArgumentHelp(
      "Write who opened, created, ended, drained what, and who was refused, as JSON lines; - is "
        + "standard output.", valueName: "file"))
  var auditLog: String?

  @Option(
    help: ArgumentHelp(
      "How long an HTTP connection is kept without a request: longer than the load balancer before "
        + "this keeps it.", valueName: "time"))
  var keepAlive: TimeOption = fromEnvironment("KEEP_ALIVE", default: TimeOption(seconds: 75))

  var noAuth: Bool { noAuthFlag || flag("NO_AUTH") }
  private var plaintextBehindProxy: Bool { plaintextFlag || flag("PLAINTEXT_BEHIND_PROXY") }
  private var keyPath: String? { tokenKey ?? environment("TOKEN_KEY") }

  /// Without a slash at its end.
  var publicURL: String? {
    (publicURLOption ?? environment("PUBLIC_URL")).map { url in
      url.hasSuffix("/") ? String(url.dropLast()) : url
    }
  }

  /// The path of the public URL: empty, or beginning with a slash and not ending with one.
  var publicPath: String {
    guard let url = publicURL, let scheme = url.firstRange(of: "://") else { return "" }
    return String(url[scheme.upperBound...].drop { $0 != "/" })
  }

  /// First words of this server's own paths: where a proxy may take a path off its front, one that begins with
  /// them could be taken off twice.
  private static let ownPaths = ["v1", "t", "assets", "sign-in", "livez", "readyz"]

  /// Browsers come by TLS.
  var isSecure: Bool { publicURL?.hasPrefix("https://") ?? false }

  private var ranges: [String] {
    trustedProxy + (environment("TRUSTED_PROXY") ?? "").split(separator: ",").map(String.init)
  }

  var proxies: TrustedProxies { TrustedProxies(ranges.compactMap { AddressRange($0) }) }

  func validate() throws {
    for range in ranges where AddressRange(range) == nil {
      throw ValidationError(
        "--trusted-proxy \(range): not an address or a range such as 10.0.0.0/8")
    }
    if let url = publicURL, !(url.hasPrefix("https://") || url.hasPrefix("http://")) {
      throw ValidationError("--public-url \(url): it begins with https:// or http://")
    }
    let path = publicPath.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    guard path.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.mayBeInPath) }) else {
      throw ValidationError(
        "--public-url \(publicURL ?? ""): its path has letters, digits and -._~ between single slashes"
      )
    }
    if let first = path.first, Self.ownPaths.contains(String(first)) {
      throw ValidationError("--public-url: a path that begins with /\(first) is this server's own")
    }
  }

  private static func mayBeInPath(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-._~".utf8.contains(byte)
    }
  }

  /// The origin of the public URL: its own pages may connect.
  var publicOrigin: [String] {
    guard let url = publicURL, let scheme = url.firstRange(of: "://") else { return [] }
    return [String(url[..<scheme.upperBound] + url[scheme.upperBound...].prefix { $0 != "/" })]
  }

  /// Refuses to start, or says what is daring.
  func check(
    _ role: StartPolicy.Role, host: String, hasTLS: Bool, hasLocalIssuer: Bool, _ logger: Logger
  ) throws {
    try enforce(
      StartPolicy(
        role: role, host: host, hasTLS: hasTLS,
        hasAuthentication: keyPath != nil || hasLocalIssuer, noAuthentication: noAuth,
        plaintextBehindProxy: plaintextBehindProxy, publicURL: publicURL), logger)
  }

  func access(local: LocalIssuer?) async throws -> AccessControl {
    if noAuth { return .open }
    var verifier: TokenVerifier?
    if let keyPath {
      let policy = TokenPolicy(
        issuer: tokenIssuer ?? environment("TOKEN_ISSUER"), audience: tokenAudience)
      do {
        verifier = try await TokenVerifier(path: keyPath, policy: policy)
      } catch {
        throw ValidationError("--token-key: \(error.message)")
      }
    }
    return verifier == nil && local == nil
      ? .open : AccessControl(verifier: verifier, local: local)
  }

  func audit(_ logger: Logger) throws -> AuditLog? {
    guard let path = auditLog ?? environment("AUDIT_LOG") else { return nil }
    do {
      return try AuditLog(path: path) { logger.error("\($0)") }
    } catch {
      throw ValidationError(error.message)
    }
  }
}

struct ClusterKeyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A secret of at least 32 bytes that all routers and nodes of the cluster know: routers and "
        + "nodes prove it to each other.", valueName: "file"))
  var clusterKeyFile: String?

  func key() throws -> ClusterKey? {
    guard let path = clusterKeyFile ?? environment("CLUSTER_KEY_FILE") else { return nil }
    do {
      return try ClusterKey(secret: try readKeyFile(path), name: path)
    } catch let error as AuthError {
      throw ValidationError("--cluster-key-file: \(error.message)")
    } catch let error as ClusterKeyError {
      throw ValidationError("--cluster-key-file: \(error.message)")
    }
  }
}

/// Ends the start that `StartPolicy` refuses, and says what it wants said.
func enforce(_ policy: StartPolicy, _ logger: Logger) throws {
  switch StartPolicy.check(policy) {
  case .start(let warnings):
    for warning in warnings { logger.warning("\(warning)") }
  case .refuse(let why): throw ValidationError(why)
  }
}
