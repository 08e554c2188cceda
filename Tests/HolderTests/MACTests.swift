// The proof by which a holder and its nodes know each other is HMAC (promise P9).

import Crypto
import Foundation
import Holder
import TestSupport
import Testing

@Suite("The holder's MAC") struct MACTests {
  @Test("is the one of RFC 2104, for keys and texts of every length") func isHMAC() {
    var random = SeededGenerator.announced()
    for length in 0..<300 {
      let key = (0..<Int.random(in: 1...64, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      let text = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      let cut = Int.random(in: 0...length, using: &random)
      let expected = HMAC<Crypto.SHA256>.authenticationCode(
        for: text, using: SymmetricKey(data: key))
      #expect(MAC.of([Array(text[..<cut]), Array(text[cut...])], key: key) == Array(expected))
    }
  }

  @Test("is compared to the last byte") func isCompared() {
    let mac = MAC.of([[1, 2, 3]], key: [4])
    #expect(MAC.isEqual(mac, mac))
    for index in mac.indices {
      var other = mac
      other[index] ^= 1
      #expect(!MAC.isEqual(mac, other))
    }
    #expect(!MAC.isEqual(mac, Array(mac.dropLast())))
  }

  @Test("of one side proves nothing for the other") func sidesDiffer() {
    let key = [UInt8](repeating: 7, count: 32)
    let nonce = [UInt8](repeating: 1, count: 32)
    let node = Handshake.nodesProof(key: key, holder: [2], holderNonce: nonce, nodeNonce: nonce)
    #expect(
      node != Handshake.holdersProof(key: key, holder: [2], holderNonce: nonce, nodeNonce: nonce))
    #expect(
      node != Handshake.nodesProof(key: key, holder: [3], holderNonce: nonce, nodeNonce: nonce))
  }
}
