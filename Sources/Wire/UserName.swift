// Whom a session's process runs as, where its `create` says so.

/// A user's name or number. Each has one spelling, so that no other gets round a rule that names it.
public struct UserName: Hashable, Sendable, Codable, CustomStringConvertible {
  public let rawValue: String

  public static let form =
    "a user is a name of at most \(WireLimits.userName) characters of A-Z, a-z, 0-9, _, . and -, or a number"

  /// Numbers that every system and Docker take.
  private static let numbers = 0...Int(Int32.max)

  /// Nil unless `text` is a name as useradd(8) takes them, or a number without leading zeros.
  public init?(_ text: String) {
    guard (1...WireLimits.userName).contains(text.utf8.count), let first = text.utf8.first else {
      return nil
    }
    if Self.isDigit(first) {
      // Only its own spelling comes out again.
      guard let number = Int(text), Self.numbers.contains(number), "\(number)" == text else {
        return nil
      }
    } else {
      guard Self.isLetter(first), text.utf8.allSatisfy(Self.isPart) else { return nil }
    }
    rawValue = text
  }

  /// The one whom no pattern stands for.
  public var isRoot: Bool { rawValue == "root" || number == 0 }

  /// Nil: it is a name.
  public var number: UInt32? { UInt32(rawValue) }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "_")
  }

  private static func isPart(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
  }

  public var description: String { rawValue }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let value = Self(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: Self.form)
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }
}
