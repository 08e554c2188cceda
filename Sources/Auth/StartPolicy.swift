// Whether a role may start as it was told: nothing that can be reached from other machines runs open
// or in the clear by accident. Pure.

public struct StartPolicy: Sendable {
  public enum Role: String, Sendable { case serve, router, node }

  public var role: Role
  /// The address it would listen on.
  public var host: String
  /// Its listener speaks TLS.
  public var hasTLS: Bool
  /// It asks for tokens (a router), or for the cluster's key or certificates (a node).
  public var hasAuthentication: Bool
  /// `--no-auth`
  public var noAuthentication: Bool
  /// `--plaintext-behind-proxy`
  public var plaintextBehindProxy: Bool
  /// `--public-url`
  public var publicURL: String?

  public init(
    role: Role, host: String, hasTLS: Bool, hasAuthentication: Bool, noAuthentication: Bool,
    plaintextBehindProxy: Bool, publicURL: String?
  ) {
    self.role = role
    self.host = host
    self.hasTLS = hasTLS
    self.hasAuthentication = hasAuthentication
    self.noAuthentication = noAuthentication
    self.plaintextBehindProxy = plaintextBehindProxy
    self.publicURL = publicURL
  }

  /// Whether nobody on the way to `url` can read along.
  private static func isProtected(_ url: String?) -> Bool {
    guard let url else { return false }
    if url.hasPrefix("https://") { return true }
    guard url.hasPrefix("http://") else { return false }
    var host = url.dropFirst(7).prefix { $0 != "/" }
    if host.first == "[" {
      host = host.dropFirst().prefix { $0 != "]" }
    } else {
      host = host.prefix { $0 != ":" }
    }
    return isLoopback(String(host))
  }

  public enum Verdict: Equatable, Sendable {
    /// With what must be said at every start.
    case start(warnings: [String])
    case refuse(String)
  }

  public static func isLoopback(_ host: String) -> Bool {
    if host == "localhost" { return true }
    guard let address = IPAddress(host) else { return false }
    return address.isLoopback
  }

  public static func check(_ policy: StartPolicy) -> Verdict {
    let isLoopback = isLoopback(policy.host)
    if policy.plaintextBehindProxy {
      guard policy.role != .node else {
        return .refuse("--plaintext-behind-proxy is for what clients connect to, not for a node")
      }
      guard !policy.hasTLS else {
        return .refuse("--plaintext-behind-proxy and a certificate contradict each other")
      }
      guard isProtected(policy.publicURL) else {
        return .refuse(
          "--plaintext-behind-proxy needs --public-url https://…: where the load balancer that "
            + "ends TLS is reached (http:// only for a port of this machine's loopback)")
      }
    }
    if policy.noAuthentication, policy.hasAuthentication {
      return .refuse("--no-auth and a key contradict each other")
    }
    var warnings: [String] = []
    if !isLoopback {
      if !policy.hasTLS && !policy.plaintextBehindProxy
        && !(policy.role == .node && (policy.hasAuthentication || policy.noAuthentication))
      {
        return .refuse(
          policy.role == .node
            ? openNode(policy.host)
            : "\(policy.role.rawValue) would listen on \(policy.host) without TLS. Give it a "
              + "certificate (--tls-cert, --tls-key), or --plaintext-behind-proxy with "
              + "--public-url if a load balancer before it ends TLS")
      }
      if !policy.hasAuthentication && !policy.noAuthentication {
        return .refuse(
          policy.role == .node
            ? openNode(policy.host)
            : "\(policy.role.rawValue) would listen on \(policy.host) and ask nobody for a token: "
              + "that gives a shell to whoever reaches it. Give it --token-key FILE, or --no-auth "
              + "if you mean it")
      }
      if policy.plaintextBehindProxy {
        warnings.append(
          "plaintext on \(policy.host): only the load balancer of \(policy.publicURL ?? "") may "
            + "reach it")
      }
      if policy.role == .node && !policy.hasTLS {
        warnings.append(
          "links on \(policy.host) are not encrypted: keep them on a network of their own")
      }
    }
    if isLoopback && !policy.hasAuthentication && !policy.noAuthentication {
      warnings.append("no key is set: every user of this machine gets in without being asked")
    }
    if policy.noAuthentication {
      warnings.append("--no-auth: whoever reaches \(policy.host) gets a shell, without being asked")
    }
    return .start(warnings: warnings)
  }

  private static func openNode(_ host: String) -> String {
    "node would take links on \(host) from anybody: that gives a shell to whoever reaches it. Give "
      + "it certificates (--link-cert, --link-key, --link-ca), or --cluster-key-file FILE (the same "
      + "on routers and nodes), or --no-auth if you mean it"
  }
}
