// Text that others chose, where it must stay what it is: within its line of a log, and without power
// over the terminal of who reads it. Pure.

extension Unicode.Scalar {
  /// Whether it could end a line, steer a terminal or turn the order of the text around it: control
  /// characters (also those from U+0080 on), line separators, and marks such as those of bidi.
  public var isSteering: Bool {
    if (0x20..<0x7F).contains(value) { return false }
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: return true
    default: return false
    }
  }
}

extension StringProtocol {
  /// The same text with what could steer written out: `\n`, `\t`, `\u{1b}`.
  public var escaped: String {
    guard unicodeScalars.contains(where: \.isSteering) else { return String(self) }
    var text = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      switch scalar {
      case "\n": text.append(contentsOf: "\\n".unicodeScalars)
      case "\r": text.append(contentsOf: "\\r".unicodeScalars)
      case "\t": text.append(contentsOf: "\\t".unicodeScalars)
      case _ where scalar.isSteering:
        text.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
      default: text.append(scalar)
      }
    }
    return String(text)
  }
}

/// JSON in which strings hold nothing that steers: encoders write U+009B, bidi marks and line
/// separators as they are, though RFC 8259 lets each be `\uXXXX`. Between strings JSON is ASCII.
public func inertJSON(_ json: some Collection<UInt8>) -> [UInt8] {
  guard json.contains(where: { $0 >= 0x7F }) else { return Array(json) }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(json.count + 64)
  for scalar in String(decoding: json, as: UTF8.self).unicodeScalars {
    if scalar.value >= 0x7F, scalar.isSteering {
      for unit in String(scalar).utf16 { bytes += "\\u\(fourDigits(unit))".utf8 }
    } else {
      bytes += String(scalar).utf8
    }
  }
  return bytes
}

private func fourDigits(_ unit: UInt16) -> String {
  let digits = String(unit, radix: 16)
  return String(repeating: "0", count: 4 - digits.count) + digits
}
