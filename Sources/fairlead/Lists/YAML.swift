// Answers as YAML: whatever is written as JSON, in the indented form of YAML 1.2, of which JSON's strings are a part.
// Pure.

import FoundationEssentials
import Wire

/// Any JSON.
indirect enum JSONValue: Decodable, Equatable {
  case object([String: JSONValue])
  case list([JSONValue])
  case text(String)
  case whole(Int64)
  /// Above the largest `Int64`.
  case large(UInt64)
  case number(Double)
  case truth(Bool)
  case null

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode([String: JSONValue].self) {
      self = .object(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .list(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode(Bool.self) {
      self = .truth(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .whole(value)
    } else if let value = try? container.decode(UInt64.self) {
      self = .large(value)
    } else {
      self = .number(try container.decode(Double.self))
    }
  }
}

enum YAML {
  /// Without a line's end behind it.
  static func text(_ value: JSONValue) -> String { lines(value).joined(separator: "\n") }

  /// - Parameter json: of one value.
  static func text(json: Data) throws -> String {
    text(try JSONDecoder().decode(JSONValue.self, from: json))
  }

  private static func lines(_ value: JSONValue) -> [String] {
    switch value {
    case .object(let keys) where !keys.isEmpty:
      return keys.sorted { $0.key < $1.key }.flatMap { key, value in
        entry(plain(key) ? key : quoted(key), value)
      }
    case .list(let items) where !items.isEmpty:
      return items.flatMap { item in
        let lines = lines(item)
        return ["- " + lines[0]] + lines.dropFirst().map { "  " + $0 }
      }
    default: return [scalar(value)]
    }
  }

  private static func entry(_ key: String, _ value: JSONValue) -> [String] {
    switch value {
    case .object(let keys) where !keys.isEmpty: [key + ":"] + lines(value).map { "  " + $0 }
    case .list(let items) where !items.isEmpty: [key + ":"] + lines(value).map { "  " + $0 }
    default: [key + ": " + scalar(value)]
    }
  }

  private static func scalar(_ value: JSONValue) -> String {
    switch value {
    case .object: "{}"
    case .list: "[]"
    case .text(let text): plain(text) ? text : quoted(text)
    case .whole(let number): "\(number)"
    case .large(let number): "\(number)"
    case .number(let number): "\(number)"
    case .truth(let truth): truth ? "true" : "false"
    case .null: "null"
    }
  }

  /// Words that YAML 1.1, which many still read, takes for something else than text.
  private static let words: Set<String> = [
    "true", "false", "yes", "no", "on", "off", "null", "y", "n",
  ]

  /// Whether it is that text also without quotes: a word that begins with a letter.
  private static func plain(_ text: String) -> Bool {
    guard let first = text.utf8.first, isLetter(first), !words.contains(text.lowercased()) else {
      return false
    }
    return text.utf8.allSatisfy {
      isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || "_-./".utf8.contains($0)
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    let bytes = (try? encoder.encode(text)).map { inertJSON($0) } ?? []
    return String(decoding: bytes, as: UTF8.self)
  }
}
