// The names that travel: sessions, clients, lives, epochs. Each is a type of its own, so that one
// cannot be handed over for another, and each is checked where it enters the system.

/// A string of 1 to 64 characters of `[A-Za-z0-9_-]`: the form of every name that a user can choose.
public protocol NameIdentifier: Hashable, Sendable, Codable, CustomStringConvertible {
  var rawValue: String { get }
  /// The caller has checked `rawValue` with ``isValidName(_:)``.
  init(unchecked rawValue: String)
}

extension NameIdentifier {
  /// Nil unless `rawValue` is 1 to 64 characters of `[A-Za-z0-9_-]`.
  public init?(_ rawValue: String) {
    guard Self.isValidName(rawValue) else { return nil }
    self.init(unchecked: rawValue)
  }

  public static func isValidName(_ name: String) -> Bool {
    let bytes = name.utf8
    guard WireLimits.name.contains(bytes.count) else { return false }
    return bytes.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
  }

  /// 128 random bits as 22 characters of base64url.
  public static func random() -> Self {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".utf8)
    var generator = SystemRandomNumberGenerator()
    var low = generator.next()
    var high = generator.next()
    var characters: [UInt8] = []
    for position in 0..<22 {
      // The first is a letter: a command would take a dash for an option.
      characters.append(alphabet[Int(low & (position == 0 ? 31 : 63))])
      low = (low >> 6) | (high << 58)
      high >>= 6
    }
    return Self(unchecked: String(decoding: characters, as: UTF8.self))
  }

  public var description: String { rawValue }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let value = Self(text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not 1 to 64 characters of [A-Za-z0-9_-]")
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }
}

/// A terminal that outlives its clients.
public struct SessionID: NameIdentifier {
  public let rawValue: String
  public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// One browser tab or program, kept across its reconnects and reloads.
public struct ClientID: NameIdentifier {
  public let rawValue: String
  public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// A random 64-bit number, written as 16 lower-case hexadecimal digits, since JSON's numbers end
/// at 2^53.
public protocol RandomIdentifier: Hashable, Sendable, Codable, CustomStringConvertible {
  var rawValue: UInt64 { get }
  init(rawValue: UInt64)
}

extension RandomIdentifier {
  public static func random() -> Self { Self(rawValue: UInt64.random(in: 1...UInt64.max)) }

  /// Nil unless `text` is 1 to 16 hexadecimal digits.
  public init?(_ text: String) {
    // A sign, which the standard library would take, is no digit.
    guard (1...16).contains(text.utf8.count), text.unicodeScalars.allSatisfy(\.isHexDigit),
      let value = UInt64(text, radix: 16)
    else { return nil }
    self.init(rawValue: value)
  }

  public var description: String {
    let digits = String(rawValue, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let value = Self(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not 1 to 16 hexadecimal digits")
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// One start of a session's pipe. Offsets belong to a life.
public struct Life: RandomIdentifier {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One start of a node process.
public struct Incarnation: RandomIdentifier {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// The number of one ownership of a session; it only rises, and is the fence.
public struct Epoch: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  public let rawValue: UInt64
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (a: Epoch, b: Epoch) -> Bool { a.rawValue < b.rawValue }
  public var description: String { String(rawValue) }

  public init(from decoder: any Decoder) throws {
    rawValue = try decoder.singleValueContainer().decode(UInt64.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }
}

/// A terminal's size in character cells.
public struct TerminalSize: Hashable, Sendable, Codable, CustomStringConvertible {
  public var columns: Int
  public var rows: Int

  public static let standard = TerminalSize(columns: 80, rows: 24)

  public init(columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
  }

  /// Reads `COLSxROWS`, as in `120x40`; nil unless both are 1 to 1,000.
  public init?(_ text: String) {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy(\.isDigit) }),
      let columns = Int(parts[0]), let rows = Int(parts[1])
    else { return nil }
    self.init(columns: columns, rows: rows)
    guard isValid else { return nil }
  }

  public var isValid: Bool {
    WireLimits.side.contains(columns) && WireLimits.side.contains(rows)
  }

  public var description: String { "\(columns)x\(rows)" }
}

/// How a process ended.
public enum ExitStatus: Hashable, Sendable, Codable, CustomStringConvertible {
  case exited(code: Int)
  case signalled(number: Int)

  private enum CodingKeys: String, CodingKey { case code, signal }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    if let number = try container.decodeIfPresent(Int.self, forKey: .signal) {
      self = .signalled(number: number)
    } else {
      self = .exited(code: try container.decode(Int.self, forKey: .code))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .exited(let code): try container.encode(code, forKey: .code)
    case .signalled(let number): try container.encode(number, forKey: .signal)
    }
  }

  public var description: String {
    switch self {
    case .exited(let code): "exit \(code)"
    case .signalled(let number): "signal \(number)"
    }
  }
}

extension UInt8 {
  fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}

extension Unicode.Scalar {
  fileprivate var isHexDigit: Bool { isASCII && properties.isASCIIHexDigit }
}

extension StringProtocol {
  /// The longest beginning that is whole characters of Unicode (scalars) and at most `limit` bytes of
  /// UTF-8. `prefix` counts what a reader sees as one, which has no bound in bytes.
  public func clipped(to limit: Int) -> String {
    guard utf8.count > limit else { return String(self) }
    var count = limit
    // The bytes of a character after its first are 10xxxxxx.
    while count > 0, utf8[utf8.index(startIndex, offsetBy: count)] & 0xC0 == 0x80 { count -= 1 }
    return String(self[..<utf8.index(startIndex, offsetBy: count)])
  }
}
