// Why JSON from outside was not taken, as its author can mend it: the place in it, and what is wrong
// there, without Swift's names of types.

extension DecodingError {
  /// Such as `fl[1].rights: "wrte" is not one of read, write, admin`.
  /// - Parameter root: the name of what was decoded; empty: the document itself.
  public func words(root: String = "") -> String {
    switch self {
    case .keyNotFound(let key, let context):
      return place(context.codingPath, root) + "\"\(key.stringValue.safe)\" is missing"
    case .typeMismatch(let type, let context):
      return place(context.codingPath, root) + "it is not \(Self.name(of: type))"
    case .valueNotFound(let type, let context):
      return place(context.codingPath, root) + "it is null, and not \(Self.name(of: type))"
    case .dataCorrupted(let context):
      // Foundation says of a text that is no JSON only that it was corrupted, and where.
      guard context.underlyingError == nil else { return "it is not JSON" }
      return place(context.codingPath, root) + Self.plain(context.debugDescription)
    @unknown default: return "it is not understood"
    }
  }

  /// Swift's own words name types.
  private static func plain(_ words: String) -> String {
    if words.hasPrefix("The given data") { return "it is not JSON" }
    if words.hasPrefix("Cannot initialize "), let end = words.firstRange(of: " value ")?.upperBound
    {
      return "\"\(String(words[end...]).safe)\" is no value of it"
    }
    return words.escaped
  }

  private func place(_ path: [any CodingKey], _ root: String) -> String {
    var place = root
    for key in path {
      if let index = key.intValue {
        place += "[\(index)]"
      } else {
        place += (place.isEmpty ? "" : ".") + key.stringValue.safe
      }
    }
    return place.isEmpty ? "" : place + ": "
  }

  private static func name(of type: any Any.Type) -> String {
    switch type {
    case is String.Type: "a text"
    case is Bool.Type: "true or false"
    case is any BinaryInteger.Type: "a whole number"
    case is any BinaryFloatingPoint.Type: "a number"
    case is any AnyArray.Type: "a list"
    default: "an object"
    }
  }

  /// For a value that is one of a few words, and was another.
  public static func notOneOf(
    _ words: [String], _ given: String, at path: [any CodingKey]
  ) -> DecodingError {
    .dataCorrupted(
      Context(
        codingPath: path,
        debugDescription: "\"\(given.safe)\" is not one of \(words.joined(separator: ", "))"))
  }
}

extension String {
  /// Short, and of one line: it is the author's, and goes into an answer and into logs.
  fileprivate var safe: String { clipped(to: WireLimits.quoted).escaped }
}

private protocol AnyArray {}
extension Array: AnyArray {}
