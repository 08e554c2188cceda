// Every number that bounds what a stranger can make this module do, and why (promise P6).

public enum AuthLimits {
  /// Bytes of a token: what fits in a request header and in a HELLO, and many times a usual one.
  public static let token = 8 * 1024
  /// Bytes of a token's header, read before its signature is checked.
  static let header = 1024
  /// Grants in a token, and patterns or words in a list of one.
  static let grants = 32
  static let patterns = 64
  /// Patterns in the answer that says what a token allows: enough to see what was mistyped.
  static let toldPatterns = 8
  /// Bytes of each of them.
  static let toldPattern = 64
  /// Bytes of a key or JWKS file, and keys in it.
  static let keyFile = 256 * 1024
  static let keys = 64
  /// Bytes of a shared secret: as many as HS256's hash has (RFC 7518 section 3.2).
  public static let secret = 32
  /// Seconds that an issuer's clock may be ahead of ours: for `nbf` alone, since a token that ends too
  /// early is only renewed.
  static let skew = 5.0
  /// Seconds since 1970 of the largest time in a claim: the year 9999.
  static let latest = 253_402_300_799.0
  /// Tickets that wait to be used at a time; the oldest gives way.
  static let tickets = 64
  /// Seconds for which a ticket waits.
  static let ticketLife = 600.0
  /// Bytes of a token in a cookie: with its name, browsers keep 4 KiB (RFC 6265, section 6.1).
  static let cookieToken = 4_000
  /// Seconds that a cookie is good for: a working week and its weekend.
  public static let cookieLife = 7 * 86_400.0
  /// Seconds that it is good for in the clear, where another user's server gets it that takes the port while this one is
  /// down: a day.
  public static let clearCookieLife = 86_400.0
  /// Cookies of one name of a request that are tried: each costs a check of a signature.
  static let cookies = 4
  /// How often a file of keys is looked at: its `stat`, not what is in it.
  static let keyFileInterval = Duration.seconds(1)
  /// Bytes of the longest PROXY header of version 1, by its definition.
  static let proxyText = 107
  /// Bytes of the longest one of version 2 here: addresses take 216, and what may follow them is not used.
  static let proxyBinary = 16 + 4_096
  /// Characters of an address in numbers: the longest of IPv6 (`INET6_ADDRSTRLEN`).
  static let address = 45
  /// Entries of `X-Forwarded-For` that are looked at, the last ones: more proxies of ours stand behind one another nowhere.
  static let forwarded = 32
}
