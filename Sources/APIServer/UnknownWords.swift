// What a request says and this API does not know: a mistyped key or parameter is refused by its name,
// and never left aside as if it had not been meant.

import API
import FoundationEssentials
import Hummingbird
import NIOCore
import Wire

extension Request {
  /// - Throws: ``OperationError`` for a parameter of the query that is none of `known`, or comes twice.
  func allowQuery(_ known: String...) throws { try allow(query: known) }

  /// - Throws: ``OperationError`` for a parameter of the query that is none of `known`, or comes twice.
  func allow(query known: [String]) throws {
    var seen: Set<Substring> = []
    for (name, _) in uri.queryParameters {
      guard known.contains(String(name)) else {
        let takes = known.isEmpty ? "none" : known.joined(separator: ", ")
        throw OperationError(
          .badRequest, "unknown query parameter \"\(shown(name))\"; taken here: \(takes)")
      }
      guard seen.insert(name).inserted else {
        throw OperationError(.badRequest, "the query parameter \"\(shown(name))\" comes twice")
      }
    }
  }
}

/// Any JSON, as far as its keys go.
indirect enum JSONKeys: Decodable {
  case object([String: JSONKeys])
  /// A list, a text, a number, true or false.
  case value
  case null

  init(from decoder: any Decoder) throws {
    if let object = try? decoder.singleValueContainer().decode([String: JSONKeys].self) {
      self = .object(object)
    } else {
      self = try decoder.singleValueContainer().decodeNil() ? .null : .value
    }
  }

  /// The path of a key that `understood` does not have; nil: there is none. A null says nothing, and
  /// is not written again.
  func unknownKey(besides understood: JSONKeys) -> String? {
    guard case .object(let given) = self, case .object(let known) = understood else { return nil }
    for (key, value) in given.sorted(by: { $0.key < $1.key }) {
      if case .null = value { continue }
      guard let counterpart = known[key] else { return key }
      if let rest = value.unknownKey(besides: counterpart) { return key + "." + rest }
    }
    return nil
  }
}

/// Decodes a body of which every key means something: what was understood is written again, and a key
/// that is not in it then was not understood. So the keys stand in one place, with the type.
/// - Parameter more: keys that the route itself reads.
func decodeKnowing<Value: Codable>(_ type: Value.Type, _ body: ByteBuffer, more: [String] = [])
  throws -> Value
{
  let value = try decode(type, body)
  let given = try decode(JSONKeys.self, body)
  var understood = try JSONDecoder().decode(JSONKeys.self, from: JSONEncoder().encode(value))
  if case .object(var keys) = understood {
    for key in more { keys[key] = .value }
    understood = .object(keys)
  }
  if let key = given.unknownKey(besides: understood) {
    throw OperationError(.badRequest, "unknown key \"\(shown(key))\" in the body; see docs/api.md")
  }
  return value
}

private func shown(_ name: some StringProtocol) -> String {
  name.clipped(to: WireLimits.quoted).escaped
}
