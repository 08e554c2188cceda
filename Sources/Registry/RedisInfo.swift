// What a Redis answers to INFO: lines of a field and its value. Pure.

enum RedisInfo {
  /// A field of an answer to INFO, if it is a short word.
  static func value(of field: String, in info: String) -> String? {
    let lines = info.split { $0.isNewline }
    guard let line = lines.first(where: { $0.hasPrefix(field + ":") }) else { return nil }
    let value = line.dropFirst(field.count + 1)
    let isWord = (1...64).contains(value.utf8.count) && value.utf8.allSatisfy { $0 > 0x20 }
    return isWord ? String(value) : nil
  }
}
