// How long something of a session may last, as `create` says it: a time or never.

/// `90s`, `15m`, `2h`, `1d` or `never`.
public enum Lifetime: Hashable, Sendable, Codable, CustomStringConvertible {
  case seconds(Int)
  case never

  private static let units: [(suffix: Character, seconds: Int)] = [
    ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1),
  ]

  /// Nil for anything but a number and its unit, together at most ``WireLimits/lifetime``, or `never`.
  public init?(_ text: String) {
    if text == "never" {
      self = .never
      return
    }
    let digits = text.utf8.dropLast()
    guard let unit = Self.units.first(where: { $0.suffix == text.last }),
      (1...9).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }),
      let count = Int(text.dropLast()), count <= WireLimits.lifetime / unit.seconds
    else { return nil }
    self = .seconds(count * unit.seconds)
  }

  public var description: String {
    guard case .seconds(let seconds) = self else { return "never" }
    let unit = Self.units.first { seconds >= $0.seconds && seconds % $0.seconds == 0 }
    return unit.map { "\(seconds / $0.seconds)\($0.suffix)" } ?? "\(seconds)s"
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let value = Self(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "a time is such as \"90s\", \"15m\", \"2h\" or \"1d\", or \"never\"")
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
