// By which names a server may be called by a page that counts as its own.

import Auth

/// Where nobody is asked for a token, the names must be known: a page of any site could otherwise have its
/// own name lead here (DNS rebinding), and would then be of the same host (promise P9). Addresses and
/// `localhost` are nobody else's names.
public struct OwnHosts: Sendable {
  private let names: Set<String>?
  /// Only this machine's own programs reach it, and call it by these names.
  private let isLoopback: Bool

  /// Whatever a request calls the server: its token decides.
  public static let any = OwnHosts()

  private init() { (names, isLoopback) = (nil, false) }

  /// - Parameters:
  ///   - origins: of its own pages, such as `https://console.example.com`.
  ///   - host: what it listens on.
  public init(of origins: [String], listeningOn host: String) {
    let authorities = origins.compactMap { origin in
      origin.firstRange(of: "://").map { origin[$0.upperBound...].lowercased() }
    }
    names = Set(authorities.map { String(Self.host(of: $0)) } + [host.lowercased()])
    isLoopback = StartPolicy.isLoopback(host)
  }

  /// Whether a request that calls the server so is meant for it. To a server on loopback a name of elsewhere is one
  /// that was made to lead there, by a page that wants to read what it answers; other machines' servers have names
  /// that they need not know.
  /// - Parameter authority: a Host header's value.
  public func mayBeCalled(_ authority: String) -> Bool {
    !isLoopback || contains(authority.lowercased())
  }

  /// Without the port.
  private static func host(of authority: String) -> Substring {
    authority.prefix { $0 != ":" && $0 != "/" }
  }

  /// Whether a page of `origin` is the server's own, as the request that it sends calls it.
  /// - Parameters:
  ///   - origin: an Origin header's value, such as `https://console.example.com`.
  ///   - authority: a Host header's value.
  public func isOwnPage(of origin: String, calling authority: String) -> Bool {
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
    var host = Self.host(of: authority)
    // A name that is whole may say so.
    if host.last == "." { host = host.dropLast() }
    if host == "localhost" || host.hasSuffix(".localhost") { return true }
    // An IPv4 address: no top-level domain is a number.
    if let last = host.split(separator: ".").last, last.allSatisfy(\.isASCIIDigit) { return true }
    return names.contains(String(host))
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
