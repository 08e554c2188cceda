// Which registry a `serve` is, whose registry is in its memory: the same at each start on a port, so that it ends
// what one that died left in containers. The file that says so is locked while it runs: another one beside it, on
// another address or in another container with the same home, is another registry. With it goes the key that signs
// its tokens, so that browsers that are signed in stay so when it is started again.

import Auth
import Glibc
import Logging
import Registry
import Wire

final class ServeIdentity: Sendable {
  let registry: RegistryIdentity
  /// The lock lives as long as this; -1: there is none.
  private let descriptor: CInt
  /// What its files are called, up to their ends.
  private let name: String?

  init(_ address: NodeAddress) {
    name = address.port == 0 ? nil : ServeFile.directory.map { "\($0)/serve-\(address.port)" }
    descriptor = name.map { "\($0).identity" }.flatMap(PrivateFile.lock) ?? -1
    registry = Self.read(descriptor) ?? .random()
  }

  /// Waits for a `serve` that leaves: first for its address, then for its lock. It has taken its port's other file
  /// away by then; one that stays, on another address, keeps both.
  /// - Returns: nil: the process is to end.
  static func take(_ address: NodeAddress, _ logger: Logger) async throws -> ServeIdentity? {
    let wait = AddressWait(address: address, limit: CommandLimits.departure, logger: logger)
    guard try await wait.isFree() else { return nil }
    let deadline = ContinuousClock.now + CommandLimits.departure
    while true {
      let identity = ServeIdentity(address)
      let isLeaving = identity.name != nil && ServeFile.of(port: address.port) == nil
      guard identity.descriptor < 0, isLeaving, ContinuousClock.now < deadline else {
        return identity
      }
      try? await Task.sleep(for: CommandLimits.departureInterval)
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// The secret of the key that signs: the one that was kept, or a new one, which is kept from now on. Whoever reads
  /// it can sign in here, so that it is taken only from a file that is this user's alone.
  func signingSecret(_ logger: Logger) -> [UInt8] {
    let fresh = LocalIssuer.newSecret()
    guard let path = name.map({ "\($0).key" }) else { return fresh }
    guard descriptor >= 0 else {
      logger.warning(
        "signing in holds until this server stops: another serve uses its port's files")
      return fresh
    }
    if PrivateFile.create(fresh, path: path) { return fresh }
    if let kept = PrivateFile.read(path) {
      if kept.count == AuthLimits.secret { return kept }
      // This user's, and cut off as it was written.
      if PrivateFile.write(fresh, path: path) { return fresh }
    }
    logger.warning(
      "signing in holds until this server stops: its key's file is not this user's alone, or cannot be written",
      metadata: ["file": "\(path)"])
    return fresh
  }

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
