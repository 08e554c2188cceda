// Colours that a program changed (OSC 4, 10, 11, 12), and those it did not, to answer when it asks.

/// A colour, eight bits per component.
public struct ScreenColor: Equatable, Sendable {
  public var red: UInt8
  public var green: UInt8
  public var blue: UInt8

  public init(red: UInt8, green: UInt8, blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  init(_ value: UInt32) {
    self.init(
      red: UInt8(truncatingIfNeeded: value >> 16), green: UInt8(truncatingIfNeeded: value >> 8),
      blue: UInt8(truncatingIfNeeded: value))
  }
}

struct Palette: Equatable {
  /// Changed colours by index.
  var changed: [UInt8: ScreenColor] = [:]
  /// Foreground, background and cursor, as changed by the program.
  var special: [ScreenColor?] = [nil, nil, nil]
  /// The same as the viewer's theme has them.
  var theme: [ScreenColor?] = [nil, nil, nil]

  static let specialDefaults = [
    ScreenColor(0xFFFFFF), ScreenColor(0x000000), ScreenColor(0xFFFFFF),
  ]

  /// xterm.js' default theme.
  private static let named: [UInt32] = [
    0x2E3436, 0xCC0000, 0x4E9A06, 0xC4A000, 0x3465A4, 0x75507B, 0x06989A, 0xD3D7CF,
    0x555753, 0xEF2929, 0x8AE234, 0xFCE94F, 0x729FCF, 0xAD7FA8, 0x34E2E2, 0xEEEEEC,
  ]

  subscript(index: UInt8) -> ScreenColor {
    if let color = changed[index] { return color }
    switch index {
    case 0..<16: return ScreenColor(Self.named[Int(index)])
    case 16..<232:
      let levels: [UInt8] = [0, 95, 135, 175, 215, 255]
      let cube = Int(index) - 16
      return ScreenColor(
        red: levels[cube / 36], green: levels[cube / 6 % 6], blue: levels[cube % 6])
    default:
      let grey = 8 + (index - 232) * 10
      return ScreenColor(red: grey, green: grey, blue: grey)
    }
  }

  /// Foreground (0), background (1) or cursor (2).
  func specialColor(_ index: Int) -> ScreenColor {
    special[index] ?? theme[index] ?? Self.specialDefaults[index]
  }

  /// The user's background, not the program's, is nearer to black than to white, as eyes see it (ITU-R BT.709).
  var isDark: Bool {
    let background = theme[1] ?? Self.specialDefaults[1]
    return 2_126 * Int(background.red) + 7_152 * Int(background.green)
      + 722 * Int(background.blue) < 1_275_000
  }

  /// X11's `rgb:h/h/h` (one to four digits each) or `#` with three, six, nine or twelve digits.
  static func parse(_ text: ArraySlice<UInt8>) -> ScreenColor? {
    func digits(_ slice: ArraySlice<UInt8>) -> Int? {
      var value = 0
      for byte in slice {
        switch byte {
        case 0x30...0x39: value = value << 4 | Int(byte - 0x30)
        case 0x41...0x46: value = value << 4 | Int(byte - 0x37)
        case 0x61...0x66: value = value << 4 | Int(byte - 0x57)
        default: return nil
        }
      }
      return slice.isEmpty ? nil : value
    }
    if text.count > 4, text.prefix(3).map({ $0 | 0x20 }) == Array("rgb".utf8),
      text[text.startIndex + 3] == UInt8(ascii: ":")
    {
      let parts = text.dropFirst(4).split(
        separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      guard parts.count == 3, let size = parts.first?.count, (1...4).contains(size),
        parts.allSatisfy({ $0.count == size })
      else { return nil }
      let largest = (1 << (4 * size)) - 1
      let values = parts.compactMap(digits)
      guard values.count == 3 else { return nil }
      let scaled = values.map { UInt8(($0 * 510 + largest) / (2 * largest)) }
      return ScreenColor(red: scaled[0], green: scaled[1], blue: scaled[2])
    }
    guard text.first == UInt8(ascii: "#"), [3, 6, 9, 12].contains(text.count - 1) else {
      return nil
    }
    let size = (text.count - 1) / 3
    var values: [UInt8] = []
    for component in 0..<3 {
      let start = text.startIndex + 1 + component * size
      guard let value = digits(text[start..<start + size]) else { return nil }
      let byte = size == 1 ? value << 4 : value >> (4 * (size - 2))
      values.append(UInt8(truncatingIfNeeded: byte))
    }
    return ScreenColor(red: values[0], green: values[1], blue: values[2])
  }
}

extension [UInt8] {
  /// `rgb:rrrr/gggg/bbbb`.
  mutating func append(color: ScreenColor) {
    append("rgb:")
    for (index, component) in [color.red, color.green, color.blue].enumerated() {
      if index > 0 { append(UInt8(ascii: "/")) }
      append(hex: component)
      append(hex: component)
    }
  }

  mutating func append(hex byte: UInt8) {
    let digits: [UInt8] = Array("0123456789abcdef".utf8)
    append(digits[Int(byte >> 4)])
    append(digits[Int(byte & 15)])
  }
}
