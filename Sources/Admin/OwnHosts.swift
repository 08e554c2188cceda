// By which names a server may be called by a page that counts as its own.

/// Where nobody is asked for a token, the names must be known: a page of any site could otherwise have its
/// own name lead here (DNS rebinding), and would then be of the same host (promise P9). Addresses and
/// `localhost` are nobody else's names.
public struct OwnHosts: Sendable {
  private let names: Set<String>?

  /// Whatever a request calls the server: its token decides.
  public static let any = OwnHosts(names: nil)

  /// - Parameter names: nil: any. Without ports, in lower case.
  public init(names: Set<String>?) { self.names = names }

  /// - Parameter authority: a Host header's value, in lower case.
  public func contains(_ authority: String) -> Bool {
    guard let names else { return true }
    // An IPv6 address.
    if authority.hasPrefix("[") { return true }
    let host = authority.prefix { $0 != ":" }
    if host == "localhost" || host.hasSuffix(".localhost") { return true }
    // An IPv4 address: no top-level domain is a number.
    if let last = host.split(separator: ".").last, last.allSatisfy(\.isASCIIDigit) { return true }
    return names.contains(String(host))
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
