// Which pages may call this server through a user's browser.

public import APIServer
import NIOHTTP1

/// Which pages may connect: those of the same host, and those on a list, so that no other web site
/// can open a user's terminals through the user's browser. Programs send no Origin.
public struct OriginPolicy: Sendable {
  /// Whole origins, such as `https://console.example.com`, in the form that browsers send.
  let allowed: Set<String>
  /// The names by which the server's own pages may call it.
  let ownHosts: OwnHosts
  /// Those of `allowed` that are the server's own pages'.
  let own: Set<String>

  public init(
    allowed: Set<String> = [], own: Set<String> = [], ownHosts: OwnHosts = .any
  ) {
    self.ownHosts = ownHosts
    self.own = Set(own.map(Self.withoutPort))
    self.allowed = Set(
      allowed.map { Self.withoutPort($0.hasSuffix("/") ? String($0.dropLast()) : $0) })
  }

  /// The origin as browsers send it: without the port that its scheme has anyway.
  private static func withoutPort(_ origin: String) -> String {
    let origin = origin.lowercased()
    for (scheme, port) in [("http://", ":80"), ("https://", ":443")]
    where origin.hasPrefix(scheme) && origin.hasSuffix(port) {
      return String(origin.dropLast(port.count))
    }
    return origin
  }

  func allows(_ headers: HTTPHeaders) -> Bool {
    allows(origins: headers["origin"], hosts: headers["host"])
  }

  var pageRules: PageRules {
    PageRules(ownHosts: ownHosts, ownOrigins: own) { allows(origins: $0, hosts: $1) }
  }

  private func allows(origins: [String], hosts: [String]) -> Bool {
    if origins.isEmpty { return true }
    guard origins.count == 1, let origin = origins.first else { return false }
    if allowed.contains(Self.withoutPort(origin)) { return true }
    guard hosts.count == 1, let host = hosts.first else { return false }
    return ownHosts.isOwnPage(of: origin, calling: host)
  }
}
