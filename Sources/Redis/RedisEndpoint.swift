// Where a Redis is, and who logs in there: `redis://[user:password@]host[:port][/database]`.

public import Wire

public struct RedisEndpoint: Sendable, Equatable, CustomStringConvertible {
  public var host: String
  public var port: Int
  public var user: String?
  public var password: String?
  public var database: Int
  /// `rediss://`: TLS.
  public var isEncrypted: Bool

  /// - Throws: ``RedisError`` `misconfigured`, with what is wrong; never with the password.
  public init(_ url: String) throws(RedisError) {
    func wrong(_ what: String) -> RedisError {
      RedisError(
        .misconfigured, "\(what); a Redis URL is redis://[user:password@]host[:port][/database]")
    }
    guard let scheme = url.firstRange(of: "://") else { throw wrong("there is no redis:// in it") }
    switch url[..<scheme.lowerBound] {
    case "redis": isEncrypted = false
    case "rediss": isEncrypted = true
    case let other: throw wrong("\(other):// is not a Redis scheme")
    }
    var rest = url[scheme.upperBound...]
    if let slash = rest.firstIndex(of: "/") {
      let text = rest[rest.index(after: slash)...]
      guard text.isEmpty || Int(text).map((0...16_383).contains) == true else {
        // Not quoted: it may be the end of a password.
        throw wrong("the database is not a number (a / in a password is written %2F)")
      }
      database = Int(text) ?? 0
      rest = rest[..<slash]
    } else {
      database = 0
    }
    if let at = rest.lastIndex(of: "@") {
      let login = rest[..<at]
      let parts = login.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let texts = parts.compactMap { Self.percentDecoded($0) }
      guard texts.count == parts.count else { throw wrong("user or password has a stray %") }
      // As redis-cli reads it: with one part only, that is the password.
      password = texts.last
      user = texts.count > 1 && texts.first?.isEmpty == false ? texts.first : nil
      rest = rest[rest.index(after: at)...]
    }
    var hostText = rest
    var portText: Substring?
    if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
      hostText = rest[rest.index(after: rest.startIndex)..<end]
      let tail = rest[rest.index(after: end)...]
      guard tail.isEmpty || tail.hasPrefix(":") else { throw wrong("\(tail) follows the host") }
      portText = tail.isEmpty ? nil : tail.dropFirst()
    } else if let colon = rest.lastIndex(of: ":") {
      hostText = rest[..<colon]
      portText = rest[rest.index(after: colon)...]
    }
    guard !hostText.isEmpty else { throw wrong("it names no host") }
    host = String(hostText)
    guard let portText else {
      port = 6_379
      return
    }
    guard let number = Int(portText), (1...65_535).contains(number) else {
      // Not quoted: it may be a password without a host.
      throw wrong("the port is not a number from 1 to 65535")
    }
    port = number
  }

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
    let digits = Array("0123456789ABCDEF")
    let encoded = password.utf8.map { "%\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
    return "\(url[..<scheme.upperBound])\(login.first ?? ""):\(encoded)@\(host)"
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

  /// Without user and password.
  public var description: String {
    let authority = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    return "\(isEncrypted ? "rediss" : "redis")://\(authority)/\(database)"
  }

  /// What is said first on a connection. It ends with a PING, so that a connection counts as made
  /// only once a Redis has answered on it, and a password that is missing is noticed at once.
  var greeting: [RedisCommand] {
    var commands: [RedisCommand] = []
    if let password {
      commands.append(RedisCommand(["AUTH"] + (user.map { [$0] } ?? []) + [password]))
    }
    if database != 0 { commands.append(RedisCommand(["SELECT", String(database)])) }
    commands.append(RedisCommand(["PING"]))
    return commands
  }
}
