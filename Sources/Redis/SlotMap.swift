// Where a slot of a Redis Cluster is, by what one of its servers says, and which slot a key is in. Pure.

import Transport
import Wire

/// What an answer to CLUSTER SLOTS says of one slot.
struct SlotMap: Equatable {
  /// Who has the slot.
  var primary: Address
  /// All servers of the Cluster.
  var servers: [Address]

  /// - Parameter askedAt: who said so: a server that does not know its own name leaves it out.
  init(_ value: RedisValue, slot: Int, askedAt asked: Address) throws(RedisError) {
    var found: Address?
    servers = []
    for range in value.array ?? [] {
      guard let parts = range.array, parts.count >= 3, let first = parts[0].integer,
        let last = parts[1].integer
      else {
        throw RedisError(.protocolViolation, "the Cluster's list of slots cannot be read")
      }
      let named = parts[2...].map { Self.address($0, askedAt: asked) }
      servers += named.compactMap(\.self)
      if first <= slot, slot <= last { found = named.first ?? nil }
    }
    guard let found else {
      throw RedisError(
        .unavailable,
        "no server of the Cluster has slot \(slot); see redis-cli --cluster check")
    }
    primary = found
  }

  private static func address(_ value: RedisValue, askedAt asked: Address) -> Address? {
    guard let parts = value.array, parts.count >= 2, let port = parts[1].integer,
      (1...65_535).contains(port)
    else { return nil }
    let host = parts[0].string.flatMap { $0.isEmpty || $0 == "?" ? nil : $0 } ?? asked.host
    return host.map { .tcp(host: $0, port: port) }
  }
}

/// Which of a Cluster's 16,384 slots a key is in: CRC-16/XMODEM of it, or of what stands between the first { and the
/// next }. (Redis Cluster specification, "Key distribution model".)
enum HashSlot {
  static func of(_ key: String) -> Int {
    var hashed = Array(key.utf8)[...]
    if let open = hashed.firstIndex(of: UInt8(ascii: "{")) {
      let rest = hashed[(open + 1)...]
      if let close = rest.firstIndex(of: UInt8(ascii: "}")), close > rest.startIndex {
        hashed = rest[..<close]
      }
    }
    var crc: UInt16 = 0
    for byte in hashed {
      crc ^= UInt16(byte) << 8
      for _ in 0..<8 { crc = crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021 }
    }
    return Int(crc % 16_384)
  }
}
