// What a node leaves with a holder and must believe when it comes back: signed, so that who forges a holder, or gets into
// one, cannot say that it has another's session. What a node leaves beside that harms its own session at most.

import Holder

struct Seal: Sendable {
  private let key: [UInt8]
  private static let length = 32

  /// - Parameters:
  ///   - key: 32 bytes, that no process of a session gets to know.
  ///   - place: the holder's: elsewhere nothing is believed that was signed for it.
  init(_ key: [UInt8], place: String) {
    self.key = MAC.of([Array("fairlead seal \(place)".utf8)], key: key)
  }

  func close(_ bytes: [UInt8]) -> [UInt8] { MAC.of([bytes], key: key) + bytes }

  /// The bytes behind the signature, which is not checked.
  static func unverifiedContents(of sealed: [UInt8]) -> [UInt8] { Array(sealed.dropFirst(length)) }

  /// Nil: no node that knows the key has said so there.
  func open(_ sealed: [UInt8]) -> [UInt8]? {
    guard sealed.count >= Self.length else { return nil }
    let bytes = Array(sealed[Self.length...])
    return MAC.isEqual(Array(sealed[..<Self.length]), MAC.of([bytes], key: key)) ? bytes : nil
  }
}
