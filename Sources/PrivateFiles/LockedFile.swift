// A file that this process alone has, until it lets go of it or ends, however it ends: the system frees the lock. So
// it proves who lives, which a process number does not, since that passes on to others.

import Glibc
public import Wire

public final class LockedFile: Sendable {
  private let file: OpenFile

  /// Opens the file, which is made where it is missing, with the folders where it lies. It never waits.
  /// - Throws: `locked` if another process has it, `notPrivate` if others may read it.
  public init(_ path: String) throws(PrivateFileError) {
    try PrivateFolder.makeParents(of: path)
    file = try OpenFile(changing: path)
    guard try file.lock(LOCK_EX) else {
      throw PrivateFileError(.locked, "another process uses \(path)")
    }
  }

  /// Makes a file that takes the place of what was there, and that nobody finds before it is whole and locked:
  /// ``PrivateFile/readLocked(_:)`` reads it.
  public init(replacing path: String, with bytes: [UInt8]) throws(PrivateFileError) {
    file = try PrivateFile.replace(path, with: bytes, isProgram: false, isLocked: true)
  }

  /// All that it holds.
  public func read() throws(PrivateFileError) -> [UInt8] { try file.read() }

  /// Replaces what it holds; not at once for who reads it without the lock.
  public func overwrite(_ bytes: [UInt8]) throws(PrivateFileError) {
    try file.empty()
    try file.write(bytes)
  }

  /// Takes the file away, unless another has taken its place.
  public func remove(_ path: String) { if file.isAt(path) { unlink(path) } }
}
