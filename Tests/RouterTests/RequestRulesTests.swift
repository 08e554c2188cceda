// What is a request, and where it leads (promise P9).

import APIServer
import NIOCore
import NIOHTTP1
import Testing

@testable import Router

@Suite struct RequestRulesTests {
  /// The target and the Host that are left, or the status of the refusal.
  private func apply(
    _ uri: String, _ headers: [(String, String)] = [("Host", "a")], path: String = "",
    method: HTTPMethod = .GET, version: HTTPVersion = .http1_1, ownHosts: OwnHosts = .any
  ) -> String {
    var head = HTTPRequestHead(
      version: version, method: method, uri: uri, headers: HTTPHeaders(headers))
    do throws(RequestProblem) {
      try RequestRules(path: path, ownHosts: ownHosts).apply(to: &head)
      return "\(head.uri) \(head.headers["host"].joined(separator: ","))"
    } catch {
      return error.location ?? "\(error.status.code)"
    }
  }

  @Test func anAbsoluteTargetGoesBeforeHost() {
    #expect(apply("http://b:80/v1/connect?x=1") == "/v1/connect?x=1 b:80")
    #expect(apply("HTTPS://b") == "/ b")
    #expect(apply("http://b?x") == "/?x b")
    #expect(apply("http:///x") == "400")
    #expect(apply("http://u@b/") == "400")
    #expect(apply("ftp://b/") == "400")
    #expect(apply("*", method: .OPTIONS) == "* a")
    #expect(apply("*") == "400")
  }

  @Test func thereIsOneHost() {
    #expect(apply("/", []) == "400")
    #expect(apply("/", [], version: .http1_0) == "/ ")
    #expect(apply("/", [("Host", "a"), ("host", "b")]) == "400")
    #expect(apply("/", [("Host", "a"), ("host", "a")], version: .http1_0) == "400")
    #expect(apply("/", [("Host", "[::1]:7070")]) == "/ [::1]:7070")
    #expect(apply("/", [("Host", "a/b")]) == "400")
  }

  /// A name that a page had lead to this machine is nobody's here, where nobody is asked for a token.
  @Test(
    "a server on loopback goes by no name of elsewhere",
    arguments: [
      ("evil.example:7070", false), ("localhost.evil.example", false),
      ("127.0.0.1.evil.example", false),
      ("", false), ("127.0.0.1:7070", true), ("[::1]:7070", true), ("localhost", true),
      ("LOCALHOST.:7070", true), ("a.localhost:1", true), ("term.example.com:8443", true),
      ("Term.example.com", true),
    ])
  func names(host: String, isKnown: Bool) {
    let own = OwnHosts(of: ["https://term.example.com:8443"], listeningOn: "127.0.0.1")
    #expect(apply("/", [("Host", host)], ownHosts: own) == (isKnown ? "/ \(host)" : "421"))
    // The target's goes before the header's.
    #expect(apply("http://evil.example/", [("Host", "localhost")], ownHosts: own) == "421")
    // What other machines reach has names that it need not know.
    let open = OwnHosts(of: [], listeningOn: "0.0.0.0")
    #expect(apply("/", [("Host", host)], ownHosts: open) == "/ \(host)")
    #expect(apply("/", [("Host", host)]) == "/ \(host)")
    #expect(apply("/", [], version: .http1_0, ownHosts: own) == "/ ")
  }

  /// A proxy may take the path of the public URL off, or not.
  @Test func thePathOfThePublicURLIsTakenOffOnce() {
    #expect(apply("/terminal/v1/nodes", path: "/terminal") == "/v1/nodes a")
    #expect(apply("/v1/nodes", path: "/terminal") == "/v1/nodes a")
    #expect(apply("/terminal/", path: "/terminal") == "/ a")
    #expect(apply("/terminal", path: "/terminal") == "/terminal/")
    #expect(apply("/terminal?ticket=x", path: "/terminal") == "/terminal/?ticket=x")
    #expect(apply("/terminals/x", path: "/terminal") == "/terminals/x a")
    #expect(apply("/a/b/t/x", path: "/a/b") == "/t/x a")
  }

  @Test func idleConnectionsOutliveThoseOfLoadBalancers() {
    #expect(RouterLimits.keepAlive > .seconds(60))
  }
}
