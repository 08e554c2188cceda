// How a Redis is written, with the passwords left out where it is shown:
//
//     redis://[user:password@]host[:port][/database]
//     redis+unix://[user:password@]/path[?db=database], or unix://…
//     redis+sentinel://[user:password@]host[:port],…/name[/database][?sentinel-user=…&sentinel-password=…]
//     redis+cluster://[user:password@]host[:port],…
//
// and `rediss…` where TLS is spoken. With sentinels this is the form of Python's clients: the name of the primary is
// a part of the path, as the database is, and user and password are Redis's.

import Transport
public import Wire

extension RedisEndpoint {
  static let form =
    "a Redis URL is redis://[user:password@]host[:port][/database], redis+unix://[user:password@]/path, "
    + "redis+sentinel://[user:password@]host[:port],…/name[/database] or redis+cluster://[user:password@]host[:port],…; "
    + "rediss… is with TLS"

  /// - Throws: ``RedisError`` `misconfigured`, with what is wrong; never with a password.
  public init(_ url: String) throws(RedisError) {
    guard let end = url.firstRange(of: "://") else {
      throw Self.wrong("there is no redis:// in it")
    }
    let rest = url[end.upperBound...]
    let authority = rest.prefix { $0 != "/" }
    let path = rest[authority.endIndex...].prefix { $0 != "?" }
    let query = rest[path.endIndex...].dropFirst()
    let scheme = String(url[..<end.lowerBound])
    let isEncrypted = scheme.hasPrefix("rediss")
    let at = authority.lastIndex(of: "@")
    let hosts = at.map { authority[authority.index(after: $0)...] } ?? authority
    let usual: Int
    switch scheme {
    case "redis", "rediss":
      self.init(.one, at: [], isEncrypted: isEncrypted)
      usual = 6_379
    case "redis+unix", "unix":
      guard hosts.isEmpty, let address = Address("unix://" + (Self.percentDecoded(path) ?? ""))
      else { throw Self.wrong("the path of the socket begins with / and has at most 107 bytes") }
      self.init(.one, at: [address])
      usual = 0
    case "redis+sentinel", "rediss+sentinel":
      self.init(.sentinel(primary: ""), at: [], isEncrypted: isEncrypted)
      sentinelsAreEncrypted = isEncrypted
      usual = 26_379
    case "redis+cluster", "rediss+cluster":
      self.init(.cluster, at: [], isEncrypted: isEncrypted)
      usual = 6_379
    default: throw Self.wrong("\(scheme):// is not a Redis scheme")
    }
    if let at { try read(login: authority[..<at]) }
    if servers.isEmpty {
      try read(path: path)
      try read(hosts: hosts, usual: usual)
    }
    try read(query: query)
  }

  private static func wrong(_ what: String) -> RedisError {
    RedisError(.misconfigured, "\(what); \(form)")
  }

  private mutating func read(login: Substring) throws(RedisError) {
    let parts = login.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let texts = parts.compactMap { Self.percentDecoded($0) }
    guard texts.count == parts.count else { throw Self.wrong("user or password has a stray %") }
    // As redis-cli reads it: with one part only, that is the password.
    password = texts.last
    user = texts.count > 1 && texts.first?.isEmpty == false ? texts.first : nil
  }

  private mutating func read(path: Substring) throws(RedisError) {
    var parts = path.split(separator: "/", omittingEmptySubsequences: true)[...]
    if case .sentinel = kind {
      guard let name = parts.popFirst().flatMap({ Self.percentDecoded($0) }),
        name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
      else { throw Self.wrong("the name by which sentinels know the primary follows the hosts") }
      kind = .sentinel(primary: name)
    }
    guard parts.count <= 1 else { throw Self.wrong("too much follows the host") }
    try read(database: parts.first ?? "")
  }

  private mutating func read(database text: Substring) throws(RedisError) {
    guard text.isEmpty || Int(text).map((0...16_383).contains) == true else {
      // Not quoted: it may be the end of a password.
      throw Self.wrong("the database is not a number (a / in a password is written %2F)")
    }
    database = Int(text) ?? 0
    guard kind != .cluster || database == 0 else {
      throw Self.wrong("a Cluster has no database but 0")
    }
  }

  private mutating func read(hosts: Substring, usual: Int) throws(RedisError) {
    let parts =
      kind == .one ? [hosts] : hosts.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count <= RedisLimits.servers else {
      throw Self.wrong("it names more than \(RedisLimits.servers) hosts")
    }
    for part in parts { servers.append(try Self.address(part, usual: usual)) }
  }

  private static func address(_ text: Substring, usual: Int) throws(RedisError) -> Address {
    var host = text
    var portText: Substring?
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      host = text[text.index(after: text.startIndex)..<end]
      let tail = text[text.index(after: end)...]
      guard tail.isEmpty || tail.hasPrefix(":") else { throw wrong("\(tail) follows the host") }
      portText = tail.isEmpty ? nil : tail.dropFirst()
    } else if let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      portText = text[text.index(after: colon)...]
    }
    guard !host.isEmpty, !host.contains(",") else { throw wrong("it names no host, or too many") }
    guard let portText else { return .tcp(host: String(host), port: usual) }
    guard let port = Int(portText), (1...65_535).contains(port) else {
      // Not quoted: it may be a password without a host.
      throw wrong("the port is not a number from 1 to 65535")
    }
    return .tcp(host: String(host), port: port)
  }

  private mutating func read(query: Substring) throws(RedisError) {
    for option in query.split(separator: "&") {
      let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let value = Self.percentDecoded(parts[1]) else {
        throw Self.wrong("what follows the ? is not name=value, or has a stray %")
      }
      switch (parts[0], kind) {
      case ("db", .one) where servers.first?.host == nil: try read(database: parts[1])
      case ("sentinel-user", .sentinel): sentinelUser = value
      case ("sentinel-password", .sentinel): sentinelPassword = value
      case ("sentinel-tls", .sentinel) where value == "yes" || value == "no":
        sentinelsAreEncrypted = value == "yes"
      default: throw Self.wrong("\(parts[0])= is no option of such a URL, or not with this value")
      }
    }
  }

  // MARK: Passwords from elsewhere

  /// `url` with this password in it; nil if it has one already.
  public static func url(_ url: String, password: String) -> String? {
    guard let scheme = url.firstRange(of: "://") else { return url }
    let rest = url[scheme.upperBound...]
    let authority = rest.prefix { $0 != "/" }
    // Here, a name alone is the user's: the password is elsewhere.
    let at = authority.lastIndex(of: "@")
    let login = (at.map { authority[..<$0] } ?? "").split(separator: ":", maxSplits: 1)
    guard login.count < 2 else { return nil }
    let host = at.map { rest[rest.index(after: $0)...] } ?? rest
    return
      "\(url[..<scheme.upperBound])\(login.first ?? ""):\(percentEncoded(password))@\(host)"
  }

  /// `url` with this password for its sentinels; nil if it has one already, or names none.
  public static func url(_ url: String, sentinelPassword: String) -> String? {
    guard let endpoint = try? RedisEndpoint(url), case .sentinel = endpoint.kind,
      endpoint.sentinelPassword == nil
    else { return nil }
    let path = (url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...])
      .drop { $0 != "/" }
    return
      "\(url)\(path.contains("?") ? "&" : "?")sentinel-password=\(percentEncoded(sentinelPassword))"
  }

  private static func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF")
    return text.utf8.map { "%\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
  }

  /// RFC 3986, section 2.1; nil for a % that two hexadecimal digits do not follow.
  private static func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16) else {
        return nil
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension RedisEndpoint: CustomStringConvertible {
  /// Without users and passwords.
  public var description: String {
    let hosts = servers.compactMap(\.authority).joined(separator: ",")
    let scheme = isEncrypted ? "rediss" : "redis"
    switch kind {
    case .one:
      guard case .unix(let path)? = servers.first else { return "\(scheme)://\(hosts)/\(database)" }
      return "redis+unix://\(path)" + (database == 0 ? "" : "?db=\(database)")
    case .sentinel(let name): return "\(scheme)+sentinel://\(hosts)/\(name)/\(database)"
    case .cluster: return "\(scheme)+cluster://\(hosts)"
    }
  }
}
