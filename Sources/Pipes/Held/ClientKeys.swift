// What a holder knows a session's clients by: a keyed hash of who they are, that says nothing about them.

import Holder
import Wire

/// Confined to its connection's event loop.
final class ClientKeys {
  private let key: [UInt8]
  private var known: [ClientIdentity: ClientKey] = [:]

  init(_ secret: HolderSecret) { key = secret.key }

  func key(of client: ClientIdentity) -> ClientKey {
    if let known = known[client] { return known }
    let hash = MAC.of(
      [
        Array("fairlead client".utf8), Array(client.client.rawValue.utf8),
        [client.subject == nil ? 0 : 1], Array((client.subject ?? "").utf8),
      ], key: key)
    func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    let made = ClientKey(high: number(hash[0..<8]), low: number(hash[8..<16]))
    // They are made again when they are needed.
    if known.count >= PipeLimits.clientKeys { known = [:] }
    known[client] = made
    return made
  }
}

extension ClientKey {
  /// The key of the node itself, for what the screen tells the program. No client's hash is zero.
  static let node = ClientKey(high: 0, low: 0)
}
