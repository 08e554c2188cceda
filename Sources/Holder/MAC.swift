// HMAC with SHA-256 (RFC 2104, FIPS 180-4), by which node and holder prove to each other that they know the key. The
// holder is linked with no library that has it; the tests hold it against one.

public struct SHA256 {
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab,
    0x5be0_cd19,
  ]
  private var block: [UInt8] = []
  private var count: UInt64 = 0

  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585,
    0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
    0xc671_78f2,
  ]

  public init() { block.reserveCapacity(64) }

  public mutating func update(_ bytes: [UInt8]) {
    for byte in bytes {
      block.append(byte)
      if block.count == 64 {
        compress()
        block.removeAll(keepingCapacity: true)
      }
    }
    count &+= UInt64(bytes.count)
  }

  public consuming func finish() -> [UInt8] {
    let bits = count &* 8
    var padding: [UInt8] = [0x80]
    while (block.count + padding.count) % 64 != 56 { padding.append(0) }
    for shift in (0..<8).reversed() {
      padding.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift * 8)))
    }
    update(padding)
    var digest: [UInt8] = []
    for word in state {
      for shift in (0..<4).reversed() {
        digest.append(UInt8(truncatingIfNeeded: word >> UInt32(shift * 8)))
      }
    }
    return digest
  }

  private mutating func compress() {
    var words = [UInt32](repeating: 0, count: 64)
    for index in 0..<16 {
      let at = index * 4
      words[index] =
        UInt32(block[at]) << 24 | UInt32(block[at + 1]) << 16 | UInt32(block[at + 2]) << 8
        | UInt32(block[at + 3])
    }
    for index in 16..<64 {
      let (early, late) = (words[index - 15], words[index - 2])
      let low = rotate(early, 7) ^ rotate(early, 18) ^ (early >> 3)
      let high = rotate(late, 17) ^ rotate(late, 19) ^ (late >> 10)
      words[index] = words[index - 16] &+ low &+ words[index - 7] &+ high
    }
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    for index in 0..<64 {
      let choice = (e & f) ^ (~e & g)
      let mixed = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
      let first = h &+ mixed &+ choice &+ Self.constants[index] &+ words[index]
      let majority = (a & b) ^ (a & c) ^ (b & c)
      let second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) &+ majority
      (h, g, f, e) = (g, f, e, d &+ first)
      (d, c, b, a) = (c, b, a, first &+ second)
    }
    for (index, value) in [a, b, c, d, e, f, g, h].enumerated() {
      state[index] = state[index] &+ value
    }
  }

  private func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 {
    value >> count | value << (32 - count)
  }
}

public enum MAC {
  /// - Parameter key: 32 bytes at most 64.
  public static func of(_ parts: [[UInt8]], key: [UInt8]) -> [UInt8] {
    let padded = key + [UInt8](repeating: 0, count: max(0, 64 - key.count))
    var inner = SHA256()
    inner.update(padded.map { $0 ^ 0x36 })
    for part in parts { inner.update(part) }
    var outer = SHA256()
    outer.update(padded.map { $0 ^ 0x5c })
    outer.update(inner.finish())
    return outer.finish()
  }

  /// In a time that does not tell where they differ.
  public static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
  }
}

/// How the two prove to each other that they know the key: each by a MAC over both nonces, which neither chose alone,
/// and over who says it, so that nothing that was said is of use to somebody who heard it.
public enum Handshake {
  /// What this holder speaks.
  public static let version: UInt8 = 1
  /// What nodes speak: a holder outlives many of them, so that none of these is dropped while some holder may speak
  /// it. HELLO and PROOF are the same in all of them.
  public static let versions: ClosedRange<UInt8> = 1...1
  public static let nonce = 32
  public static let key = 32

  public static func nodesProof(
    version: UInt8 = version, key: [UInt8], holder: [UInt8], holderNonce: [UInt8],
    nodeNonce: [UInt8]
  ) -> [UInt8] {
    MAC.of([Array("fairlead node".utf8), [version], holder, holderNonce, nodeNonce], key: key)
  }

  public static func holdersProof(
    version: UInt8 = version, key: [UInt8], holder: [UInt8], holderNonce: [UInt8],
    nodeNonce: [UInt8]
  ) -> [UInt8] {
    MAC.of([Array("fairlead holder".utf8), [version], holder, holderNonce, nodeNonce], key: key)
  }
}
