// What a request must be before anybody looks at what it asks for: one meaning, and a size that a server can
// hold. A proxy and this server that read a request differently would answer each other's clients.

import APIServer
import NIOHTTP1
import Wire

/// Why a request is not taken. No ``Failure``: it is the answer, with a status and a place.
struct RequestProblem: Error, Equatable {
  var status: HTTPResponseStatus
  var code: String
  var message: String
  /// Where it should have gone.
  var location: String?

  static func malformed(_ message: String) -> RequestProblem {
    RequestProblem(status: .badRequest, code: "bad_request", message: message)
  }
  static let tooLarge = RequestProblem(
    status: .payloadTooLarge, code: "too_large",
    message: "a body of more than \(WireLimits.frameBody) bytes")
}

/// Pure.
struct RequestRules {
  /// Where the public URL puts all of this: empty, or beginning with a slash and not ending with one.
  var path = ""
  /// The names by which this server may be called.
  var ownHosts = OwnHosts.any

  /// Brings `head` into the one form that what follows reads: a path of this server, and the Host that was
  /// meant.
  func apply(to head: inout HTTPRequestHead) throws(RequestProblem) {
    try checkHost(&head)
    try checkFraming(head)
    guard head.uri.hasPrefix("/") || (head.uri == "*" && head.method == .OPTIONS) else {
      throw .malformed("the request's target is not a path of this server")
    }
    try checkName(head)
    try stripPath(&head)
  }

  private func checkName(_ head: HTTPRequestHead) throws(RequestProblem) {
    // No browser asks without a Host.
    if let host = head.headers.first(name: "host"), !ownHosts.mayBeCalled(host) {
      throw RequestProblem(
        status: .misdirectedRequest, code: "unknown_host",
        message:
          "this server asks nobody for a token, and does not go by the name \(host): call it by an "
          + "address or localhost, or tell it its name by --public-url")
    }
  }

  /// RFC 9112, section 3.2: one Host, and an absolute target goes before it.
  private func checkHost(_ head: inout HTTPRequestHead) throws(RequestProblem) {
    let hosts = head.headers["host"]
    guard hosts.count == 1 || (hosts.isEmpty && head.version == .http1_0) else {
      throw .malformed(hosts.isEmpty ? "the request has no Host" : "the request has several Hosts")
    }
    if let scheme = ["http://", "https://"].first(where: { head.uri.lowercased().hasPrefix($0) }) {
      let rest = head.uri.dropFirst(scheme.count)
      let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
      let target = rest.dropFirst(authority.count)
      guard !authority.isEmpty else { throw .malformed("the request's target has no host") }
      head.headers.replaceOrAdd(name: "Host", value: String(authority))
      head.uri = target.hasPrefix("/") ? String(target) : "/" + target
    }
    guard head.headers["host"].allSatisfy({ $0.utf8.allSatisfy(Self.mayBeInHost) }) else {
      throw .malformed("the request's Host is none")
    }
  }

  /// What RFC 3986, section 3.2 allows in a host and a port; nobody has a user's name in it.
  private static func mayBeInHost(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-._~%!$&'()*+,;=:[]".utf8.contains(byte)
    }
  }

  /// RFC 9112, section 6: how long the body is, said once and in one way.
  private func checkFraming(_ head: HTTPRequestHead) throws(RequestProblem) {
    let codings = head.headers["transfer-encoding"]
    let lengths = head.headers["content-length"]
    if !codings.isEmpty {
      guard codings.count == 1, codings[0].lowercased() == "chunked", lengths.isEmpty,
        head.version != .http1_0
      else { throw .malformed("a body's Transfer-Encoding can only be chunked, without a length") }
    }
    if let length = lengths.first {
      guard lengths.count == 1, length.utf8.allSatisfy({ (48...57).contains($0) }) else {
        throw .malformed("a body's Content-Length is one number")
      }
      guard let count = Int(length), count <= WireLimits.frameBody else { throw .tooLarge }
    }
    guard head.headers["expect"].allSatisfy({ $0.lowercased() == "100-continue" }) else {
      throw RequestProblem(
        status: .expectationFailed, code: "bad_request",
        message: "only 100-continue can be expected")
    }
  }

  /// A proxy may hand on the path that it is given, or without what leads to this server.
  private func stripPath(_ head: inout HTTPRequestHead) throws(RequestProblem) {
    guard !path.isEmpty, head.uri.hasPrefix(path) else { return }
    let rest = head.uri.dropFirst(path.count)
    // A path that only begins alike is another one.
    if rest.hasPrefix("/") {
      head.uri = String(rest)
    } else if rest.isEmpty || rest.hasPrefix("?") {
      // Without the slash, the page's own addresses would lead elsewhere.
      throw RequestProblem(
        status: .permanentRedirect, code: "moved", message: "it is at \(path)/",
        location: "\(path)/\(rest)")
    }
  }
}

extension HTTPRequestHead {
  /// Whether a body follows.
  var hasBody: Bool {
    headers.contains(name: "transfer-encoding")
      || headers["content-length"].contains { $0 != "0" }
  }

  /// The path without its query.
  var pathOnly: Substring { uri.prefix { $0 != "?" } }
}
