// What a holder and its nodes know each other by.

import PrivateFiles
import Wire

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

  /// Of a node's holders on this start of this machine (``HolderName``).
  var holderName: String {
    let boot = ProcessTable.contents(of: "/proc/sys/kernel/random/boot_id") ?? ""
    return boot.filter { !$0.isWhitespace } + "/" + identity.hexadecimal
  }

  // MARK: In a state directory

  static func file(in directory: String) -> String { directory + "/key" }

  /// Nil: no node has made one there.
  /// - Throws: ``PrivateFileError``, or ``StateDirectoryError`` if it is none.
  static func known(in directory: String) throws -> HolderSecret? {
    let path = file(in: directory)
    guard let bytes = try PrivateFile.read(path) else { return nil }
    guard let secret = HolderSecret(bytes) else {
      throw StateDirectoryError(
        .directory,
        "\(path) is no holder's key: if no terminal is left there, remove the directory \(directory)"
      )
    }
    return secret
  }
}
