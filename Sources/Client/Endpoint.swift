// Where to connect: the URL of a Fairlead router or of the load balancer before it.

public import Wire

/// What keeps a client from connecting. `message` says what to do.
public typealias ClientError = Failure<ClientErrorCode>

public enum ClientErrorCode: String, FailureCode {
  case badURL, notConnected, closed
  /// The server speaks no TLS, where TLS was spoken; or TLS alone.
  case plainText, tlsRequired
}

/// A router's address, read from `http://HOST[:PORT][/PATH]`, `https://…`, `ws://…` or
/// `wss://…`.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
  public var host: String
  public var port: Int
  /// Before `/v1/connect`; empty, or beginning with a slash and not ending with one.
  public var path: String
  /// `https` and `wss`: TLS.
  public var isEncrypted: Bool

  public init(host: String, port: Int, path: String = "", isEncrypted: Bool = false) {
    self.host = host
    self.port = port
    self.path = path
    self.isEncrypted = isEncrypted
  }

  /// - Throws: ``ClientError`` for anything but such URLs.
  public init(_ url: String) throws {
    func bad(_ why: String) -> ClientError {
      ClientError(.badURL, "\"\(url)\" \(why); give a URL such as http://127.0.0.1:7070")
    }
    guard let separator = url.firstRange(of: "://") else { throw bad("has no scheme") }
    let scheme = url[..<separator.lowerBound].lowercased()
    let isEncrypted = scheme == "https" || scheme == "wss"
    guard isEncrypted || scheme == "http" || scheme == "ws" else { throw bad("is not HTTP") }
    let rest = url[separator.upperBound...]
    var authority = rest.prefix { $0 != "/" }
    var path = rest.dropFirst(authority.count)
    guard !path.contains(where: { $0 == "?" || $0 == "#" || $0.isWhitespace || !$0.isASCII })
    else { throw bad("has a query, a fragment or odd characters") }
    while path.last == "/" { path = path.dropLast() }
    var port = isEncrypted ? 443 : 80
    if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
      guard let number = Int(authority[authority.index(after: colon)...]),
        (1...65_535).contains(number)
      else { throw bad("has no valid port") }
      port = number
      authority = authority[..<colon]
    }
    if authority.first == "[", authority.last == "]" {
      authority = authority.dropFirst().dropLast()
    }
    guard !authority.isEmpty,
      authority.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._:%".contains($0)) })
    else { throw bad("has no valid host") }
    self.init(
      host: String(authority), port: port, path: String(path), isEncrypted: isEncrypted)
  }

  /// As in a Host header.
  public var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
  public var description: String {
    "\(isEncrypted ? "https" : "http")://\(authority)\(path)"
  }
}
