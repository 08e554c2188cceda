// Which web pages may open a user's terminals (promise P9).

import APIServer
import NIOHTTP1
import Testing

@testable import Router

@Suite struct OriginPolicyTests {
  private func allows(
    _ origins: [String], host: String? = "term.example.com", allowed: Set<String> = []
  ) -> Bool {
    var headers = HTTPHeaders()
    if let host { headers.add(name: "Host", value: host) }
    for origin in origins { headers.add(name: "Origin", value: origin) }
    return OriginPolicy(allowed: allowed).allows(headers)
  }

  @Test func aProgramSendsNoOrigin() { #expect(allows([])) }

  @Test(
    "the page's own host",
    arguments: [
      ("https://term.example.com", "term.example.com"),
      ("http://term.example.com:8080", "term.example.com:8080"),
      ("https://TERM.example.com", "term.Example.com"), ("http://[::1]:7070", "[::1]:7070"),
      ("http://127.0.0.1:7070", "127.0.0.1:7070"),
      // A browser leaves the scheme's own port out; a proxy may put it in.
      ("https://term.example.com", "term.example.com:443"),
      ("http://term.example.com", "term.example.com:80"), ("http://[::1]", "[::1]:80"),
    ])
  func same(origin: String, host: String) { #expect(allows([origin], host: host)) }

  @Test(
    "every other one",
    arguments: [
      "https://evil.example.com", "https://term.example.com.evil.com", "https://example.com",
      "https://term.example.com:8443", "http://term.example.com:443", "null", "",
      "term.example.com",
      "https://term.example.com@evil.com", "https://evil.com/term.example.com", "https://",
      "https:///term.example.com", "//term.example.com", "file://term.example.com",
      "https://term.example.com/", "https://term.example.com evil.com",
      "chrome-extension://term.example.com",
    ])
  func other(origin: String) { #expect(!allows([origin])) }

  /// Where nobody is asked for a token: a page whose own name was made to lead here is of the same host.
  @Test(
    "a name that is nobody's but the server's",
    arguments: [
      ("evil.example:7070", false), ("term.example.com", true), ("TERM.example.com:7070", true),
      ("127.0.0.1:7070", true), ("[::1]:7070", true), ("localhost:7070", true),
      ("fl.localhost", true), ("127.0.0.1.evil.example", false), ("localhost.evil.example", false),
    ])
  func known(host: String, isKnown: Bool) {
    let policy = OriginPolicy(
      ownHosts: OwnHosts(of: ["https://term.example.com:8443/"], listeningOn: "0.0.0.0"))
    let headers = HTTPHeaders([("Host", host), ("Origin", "http://\(host)")])
    #expect(policy.allows(headers) == isKnown)
  }

  @Test func severalOriginsOrNoHost() {
    #expect(!allows(["https://term.example.com", "https://term.example.com"]))
    #expect(!allows(["https://term.example.com"], host: nil))
    #expect(!allows(["https://"], host: ""))
  }

  @Test func anAllowedOriginIsAWholeOrigin() {
    let allowed: Set = ["https://Console.example.com/", "http://dev.local:3000"]
    #expect(allows(["https://console.example.com"], allowed: allowed))
    #expect(allows(["http://dev.local:3000"], host: nil, allowed: allowed))
    let withPort: Set = ["https://x.example:443/", "http://y.example:80"]
    #expect(allows(["https://x.example"], allowed: withPort))
    #expect(allows(["http://y.example"], allowed: withPort))
    #expect(!allows(["http://x.example:443"], allowed: withPort))
    #expect(!allows(["http://console.example.com"], allowed: allowed))
    #expect(!allows(["https://console.example.com:444"], allowed: allowed))
    #expect(!allows(["http://dev.local"], allowed: allowed))
    #expect(!allows(["null"], allowed: allowed))
  }
}
