// IP addresses and ranges, as far as believing a proxy needs them. Pure.

import Glibc

/// An IPv4 or IPv6 address. An IPv4 address mapped into IPv6 (`::ffff:1.2.3.4`) is the IPv4 one.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
  /// 4 or 16 of them.
  let bytes: [UInt8]

  init(bytes: [UInt8]) {
    let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    self.bytes = bytes.count == 16 && bytes.starts(with: mapped) ? Array(bytes.suffix(4)) : bytes
  }

  /// Nil unless `text` is an address in numbers.
  public init?(_ text: String) {
    guard text.utf8.count <= AuthLimits.address, !text.utf8.contains(0) else { return nil }
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      self.init(bytes: withUnsafeBytes(of: &four) { Array($0) })
    } else if inet_pton(AF_INET6, text, &six) == 1 {
      self.init(bytes: withUnsafeBytes(of: &six) { Array($0) })
    } else {
      return nil
    }
  }

  /// As proxies write it: `192.0.2.7:51008`, `[2001:db8::1]:443` or `[2001:db8::1]` as well. An IPv6 address
  /// without brackets has no port.
  init?(mayHavePort text: String) {
    if let address = IPAddress(text) {
      self = address
      return
    }
    guard let end = text.lastIndex(where: { $0 == ":" || $0 == "]" }) else { return nil }
    let port = text[end...].dropFirst()
    var host = text[...end]
    if text[end] == ":" {
      guard let number = Int(port), (0...65_535).contains(number),
        port.utf8.allSatisfy({ (48...57).contains($0) })
      else { return nil }
      host = host.dropLast()
    } else if !port.isEmpty {
      return nil
    }
    let isSix = host.first == "["
    if isSix {
      guard host.last == "]" else { return nil }
      host = host.dropFirst().dropLast()
    }
    guard host.contains(":") == isSix else { return nil }
    self.init(String(host))
  }

  var isLoopback: Bool {
    bytes.count == 4 ? bytes[0] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1]
  }

  public var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "" }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// `10.0.0.0/8`, `fd00::/8`, or one address.
public struct AddressRange: Hashable, Sendable, CustomStringConvertible {
  let address: IPAddress
  let bits: Int

  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
    let width = address.bytes.count * 8
    guard parts.count == 2 else {
      (self.address, bits) = (address, width)
      return
    }
    guard let bits = Int(parts[1]), (0...width).contains(bits),
      parts[1].utf8.allSatisfy({ (48...57).contains($0) })
    else { return nil }
    (self.address, self.bits) = (address, bits)
  }

  public func contains(_ other: IPAddress) -> Bool {
    guard other.bytes.count == address.bytes.count else { return false }
    var left = bits
    for (a, b) in zip(address.bytes, other.bytes) where left > 0 {
      let mask = left >= 8 ? 0xFF : UInt8(truncatingIfNeeded: 0xFF00 >> left)
      if a & mask != b & mask { return false }
      left -= 8
    }
    return true
  }

  public var description: String { "\(address)/\(bits)" }
}

/// The proxies whose word on a client's address is believed.
public struct TrustedProxies: Sendable {
  public var ranges: [AddressRange]
  public init(_ ranges: [AddressRange] = []) { self.ranges = ranges }

  public func contains(_ peer: String) -> Bool {
    guard !ranges.isEmpty, let address = IPAddress(peer) else { return false }
    return ranges.contains { $0.contains(address) }
  }

  /// The client's address by `X-Forwarded-For`, read from its end for as long as the entries are
  /// proxies of ours: what stands before them was written by somebody else. The header of a peer
  /// that is not ours is not read.
  public func client(peer: String, forwardedFor headers: [String]) -> String {
    guard contains(peer) else { return peer }
    var client = peer
    let entries = headers.flatMap { $0.split(separator: ",") }.suffix(AuthLimits.forwarded)
    for entry in entries.reversed() {
      let text = String(entry.filter { $0 != " " && $0 != "\t" })
      guard let address = IPAddress(mayHavePort: text) else { break }
      client = address.description
      if !contains(client) { break }
    }
    return client
  }
}
