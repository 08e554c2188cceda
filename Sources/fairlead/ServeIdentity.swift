// Which registry a `serve` is, whose registry is in its memory: the same at each start on a port, so that it ends
// what one that died left in containers. The file that says so is locked while it runs: another one beside it, on
// another address or in another container with the same home, is another registry.

import Auth
import Cluster
import Glibc
import Wire

final class ServeIdentity: Sendable {
  let registry: RegistryIdentity
  /// The lock lives as long as this; -1: there is none.
  private let descriptor: CInt

  init(_ address: NodeAddress) {
    let path =
      address.port == 0 ? nil : ServeFile.directory.map { "\($0)/serve-\(address.port).identity" }
    descriptor = path.flatMap(PrivateFile.lock) ?? -1
    registry = Self.read(descriptor) ?? .random()
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// What it holds, or what was made for it; nil if that could not be kept.
  private static func read(_ descriptor: CInt) -> RegistryIdentity? {
    guard descriptor >= 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    if count > 0,
      let identity = RegistryIdentity(String(decoding: bytes.prefix(count), as: UTF8.self))
    {
      return identity
    }
    let identity = RegistryIdentity.random()
    let text = Array(identity.rawValue.utf8)
    guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.count, 0) == text.count
    else { return nil }
    return identity
  }
}
