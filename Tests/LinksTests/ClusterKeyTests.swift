// The proof that the two ends of a link give each other (promise P9).

import Testing

@testable import Links

@Suite struct ClusterKeyTests {
  private let secret = Array(UInt8(ascii: "A")...UInt8(ascii: "Z")) + Array(0..<8)

  private func greeting(_ change: Int? = nil) -> ClusterKey.Greeting {
    var parts = ["fl", "router", "n1", "node", "i", "n2"]
    if let change { parts[change] += "x" }
    return ClusterKey.Greeting(
      cluster: parts[0], router: parts[1], routerNonce: parts[2], node: parts[3],
      incarnation: parts[4], nodeNonce: parts[5])
  }

  @Test func aProofIsForOneEndOfOneGreeting() throws {
    let key = try ClusterKey(secret: secret, name: "test")
    let other = try ClusterKey(
      secret: secret.reversed(), name: "test")
    let proof = key.proof(of: .node, greeting())
    #expect(key.isProof(proof, of: .node, greeting()))
    #expect(!key.isProof(proof, of: .router, greeting()), "it cannot be sent back")
    #expect(!other.isProof(proof, of: .node, greeting()))
    for change in 0..<6 { #expect(!key.isProof(proof, of: .node, greeting(change))) }
    for wrong in [nil, "", "x", proof + "A", String(proof.dropLast())] {
      #expect(!key.isProof(wrong, of: .node, greeting()))
    }
    // What is hashed cannot be cut elsewhere.
    #expect(
      !key.isProof(
        key.proof(
          of: .node,
          .init(
            cluster: "fl", router: "router2:n1", routerNonce: "", node: "node", incarnation: "i",
            nodeNonce: "n2")), of: .node, greeting()))
  }

  @Test func aShortKeyIsRefused() {
    #expect(throws: ClusterKeyError.self) { try ClusterKey(secret: [1, 2, 3], name: "test") }
  }
}
