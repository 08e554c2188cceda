// Which registry a `serve` is, whose registry is in its memory: the same at each start on a port, so that it ends
// what one that died left in containers. The file that says so is locked while it runs: another one beside it, on
// another address or in another container with the same home, is another registry. With it goes the key that signs
// its tokens, so that browsers that are signed in stay so when it is started again.

import Auth
import Logging
import PrivateFiles
import Registry
import Wire

final class ServeIdentity: Sendable {
  let registry: RegistryIdentity
  /// Nil: another `serve` has it, or it cannot be made.
  private let file: LockedFile?
  /// What its files are called, up to their ends.
  private let name: String?

  init(_ address: NodeAddress) {
    name = address.port == 0 ? nil : ServeFile.directory.map { "\($0)/serve-\(address.port)" }
    file = name.flatMap { try? LockedFile("\($0).identity") }
    registry = file.flatMap(Self.identity) ?? .random()
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
      guard identity.file == nil, isLeaving, ContinuousClock.now < deadline else {
        return identity
      }
      try? await Task.sleep(for: CommandLimits.departureInterval)
    }
  }

  /// The secret of the key that signs: the one that was kept, or a new one, which is kept from now on. Whoever reads
  /// it can sign in here, so that it is taken only from a file that is this user's alone.
  func signingSecret(_ logger: Logger) -> [UInt8] {
    let fresh = LocalIssuer.newSecret()
    guard let path = name.map({ "\($0).key" }) else { return fresh }
    guard file != nil else {
      logger.warning(
        "signing in holds until this server stops: another serve uses its port's files")
      return fresh
    }
    do throws(PrivateFileError) {
      // This user's of another length was cut off as it was written.
      if let kept = try PrivateFile.read(path), kept.count == AuthLimits.secret { return kept }
      try PrivateFile.write(fresh, to: path)
    } catch {
      logger.warning(
        "signing in holds until this server stops: its key cannot be kept",
        metadata: ["error": "\(error)"])
    }
    return fresh
  }

  /// What it holds, or what was made for it; nil if that could not be kept.
  private static func identity(in file: LockedFile) -> RegistryIdentity? {
    if let bytes = try? file.read(),
      let identity = RegistryIdentity(String(decoding: bytes, as: UTF8.self))
    {
      return identity
    }
    let identity = RegistryIdentity.random()
    do { try file.overwrite(Array(identity.rawValue.utf8)) } catch { return nil }
    return identity
  }
}
