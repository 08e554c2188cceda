// What a holder and its nodes know each other by.

struct HolderSecret: Sendable {
  /// 16 bytes, by which holders are told apart.
  var identity: [UInt8]
  /// 32 bytes, that both sides prove to know.
  var key: [UInt8]

  private static let identityLength = 16
  private static let keyLength = 32
  static let length = identityLength + keyLength

  private init(identity: [UInt8], key: [UInt8]) {
    self.identity = identity
    self.key = key
  }

  init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.length else { return nil }
    identity = Array(bytes[..<Self.identityLength])
    key = Array(bytes[Self.identityLength...])
  }

  var bytes: [UInt8] { identity + key }

  static func random() -> HolderSecret {
    HolderSecret(identity: .random(identityLength), key: .random(keyLength))
  }
}
