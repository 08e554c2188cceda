// The records of the registry, as they are written into Redis and read again.

import FoundationEssentials
import Redis
import Wire

extension RedisRegistry {
  func record(in answer: RedisValue) throws -> SessionRecord? {
    guard let fields = answer.array, fields.count == Self.fields.count else {
      throw Self.corrupt("session record")
    }
    guard let state = fields[3].string else { return nil }
    guard
      var record = Self.record(
        node: fields[0].string, incarnation: fields[1].string, epoch: fields[2].integer,
        creator: fields[5].string, holder: fields[6].string)
    else { throw Self.corrupt("session record") }
    if state == "closed" {
      var tombstone: Tombstone = try decode(fields[4].string ?? "")
      tombstone.creator = record.creator
      record.state = .closed(tombstone)
      record.holder = nil
    } else {
      record.end = try end(in: fields[4], creator: record.creator)
      record.history = history(in: fields[7])
      record.isFree = fields[8].string == "1"
      record.next = record.isFree ? fields[9].string.flatMap(NodeID.init) : nil
    }
    return record
  }

  /// What cannot be read of it, or is longer than any, is left out: nothing depends on it.
  private func history(in field: RedisValue) -> [Tenure] {
    guard let text = field.string, text.utf8.count <= RegistryLimits.history,
      let history: [Tenure] = try? decode(text)
    else { return [] }
    return history.suffix(WireLimits.tenures)
  }

  func written(_ history: [Tenure]) throws -> String { history.isEmpty ? "" : try encode(history) }

  func end(in field: RedisValue, creator: String?) throws -> Tombstone? {
    guard let text = field.string else { return nil }
    var end: Tombstone = try decode(text)
    end.creator = creator
    return end
  }

  /// The creator has a field of its own, so that most records stay in the form of a hash that takes the least memory.
  func written(_ tombstone: Tombstone?) throws -> String {
    guard var kept = tombstone else { return "" }
    kept.creator = nil
    return try encode(kept)
  }

  static func record(
    node: String?, incarnation: String?, epoch: Int?, creator: String?, holder: String?
  ) -> SessionRecord? {
    guard let node = node.flatMap(NodeID.init), let epoch, epoch >= 0,
      let incarnation = incarnation.flatMap(Incarnation.init),
      holder.map(HolderName.isValid) ?? true
    else { return nil }
    return SessionRecord(
      node: node, incarnation: incarnation, epoch: Epoch(UInt64(epoch)), creator: creator,
      holder: holder)
  }

  func encode(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  func decode<Value: Decodable>(_ text: String) throws -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    } catch {
      throw RegistryError(
        .corrupt, "a record in Redis cannot be read; is --cluster \(cluster) another program's?",
        cause: error)
    }
  }
}
