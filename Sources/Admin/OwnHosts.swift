// By which names a server may be called by a page that counts as its own.

/// Where nobody is asked for a token, the names must be known: a page of any site could otherwise have its
/// own name lead here (DNS rebinding), and would then be of the same host (promise P9). Addresses and
/// `localhost` are nobody else's names.
public struct OwnHosts: Sendable {
  private let names: Set<String>?

  /// Whatever a request calls the server: its token decides.
  public static let any = OwnHosts(names: nil)

  private init(names: Set<String>?) { self.names = names }

  /// - Parameters:
  ///   - origins: of its own pages, such as `https://console.example.com`.
  ///   - host: what it listens on.
  public init(of origins: [String], listeningOn host: String) {
    let authorities = origins.compactMap { origin in
      origin.firstRange(of: "://").map { origin[$0.upperBound...].lowercased() }
    }
    names = Set(authorities.map { String(Self.host(of: $0)) } + [host.lowercased()])
  }

  /// Without the port.
  private static func host(of authority: String) -> Substring {
    authority.prefix { $0 != ":" && $0 != "/" }
  }

  /// Whether a page of `origin` is the server's own, as the request that it sends calls it.
  /// - Parameters:
  ///   - origin: an Origin header's value, such as `https://console.example.com`.
  ///   - authority: a Host header's value.
  public func own(pageOf origin: String, calling authority: String) -> Bool {
    let (origin, authority) = (origin.lowercased(), authority.lowercased())
    guard !authority.isEmpty, contains(authority) else { return false }
    // A browser leaves the scheme's own port out of both; what lies between may put it into Host.
    for (scheme, port) in [("http://", ":80"), ("https://", ":443")] where origin.hasPrefix(scheme)
    {
      let page = origin.dropFirst(scheme.count)
      return page == authority || page + port == authority || page == authority + port
    }
    return false
  }

  private func contains(_ authority: String) -> Bool {
    guard let names else { return true }
    // An IPv6 address.
    if authority.hasPrefix("[") { return true }
    let host = Self.host(of: authority)
    if host == "localhost" || host.hasSuffix(".localhost") { return true }
    // An IPv4 address: no top-level domain is a number.
    if let last = host.split(separator: ".").last, last.allSatisfy(\.isASCIIDigit) { return true }
    return names.contains(String(host))
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
