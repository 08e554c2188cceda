// Where somebody listens: TCP or a Unix socket, in one spelling.

/// A TCP address or a Unix socket.
public enum Address: Hashable, Sendable, CustomStringConvertible {
  case tcp(host: String, port: Int)
  case unix(path: String)

  /// Reads `unix:///PATH` or `tcp://HOST:PORT` (`[ADDRESS]` for IPv6); nil for anything else.
  public init?(_ url: String) {
    if url.hasPrefix("unix://") {
      let path = String(url.dropFirst(7))
      // sun_path holds 108 bytes with its final zero, unix(7).
      guard path.hasPrefix("/"), (2...107).contains(path.utf8.count) else { return nil }
      self = .unix(path: path)
    } else if url.hasPrefix("tcp://") {
      let address = url.dropFirst(6)
      guard let colon = address.lastIndex(of: ":"),
        let port = Int(address[address.index(after: colon)...]), (1...65_535).contains(port)
      else { return nil }
      var host = address[..<colon]
      if host.hasPrefix("["), host.hasSuffix("]") {
        host = host.dropFirst().dropLast()
      } else if host.contains(":") {
        return nil
      }
      guard !host.isEmpty, !host.contains(where: { "/@[] ".contains($0) }) else { return nil }
      self = .tcp(host: String(host), port: port)
    } else {
      return nil
    }
  }

  public var description: String {
    switch self {
    case .tcp(let host, let port): "tcp://\(Self.bracketed(host)):\(port)"
    case .unix(let path): "unix://\(path)"
    }
  }

  /// As in a URL; a Unix socket has none.
  public var authority: String? {
    if case .tcp(let host, let port) = self { "\(Self.bracketed(host)):\(port)" } else { nil }
  }

  /// Whom a certificate must name; nobody at a Unix socket.
  public var host: String? { if case .tcp(let host, _) = self { host } else { nil } }

  private static func bracketed(_ host: String) -> String {
    host.contains(":") ? "[\(host)]" : host
  }
}
