// Files of this user alone: keys, tokens, and what the processes of one place lock against each other. Nobody else can
// read one, not even half of it while it is written, and one that others may read is not believed.

import Glibc
public import Wire

public enum PrivateFile {
  /// The whole file; nil: there is none. It never waits.
  public static func read(_ path: String) throws(PrivateFileError) -> [UInt8]? {
    try read(path, atMost: PrivateFilesLimits.file)
  }

  /// The same of a file that is no key, and may be longer than one.
  /// - Parameter most: bytes.
  public static func read(_ path: String, atMost most: Int) throws(PrivateFileError) -> [UInt8]? {
    try OpenFile(reading: path)?.read(atMost: most)
  }

  /// The same of a file by ``LockedFile/init(replacing:with:)``; nil also once the process that wrote it has ended,
  /// however it did.
  public static func readLocked(_ path: String) throws(PrivateFileError) -> [UInt8]? {
    while let file = try OpenFile(reading: path) {
      if try !file.lock(LOCK_SH) { return try file.read() }
      // Another may have taken its place meanwhile.
      if file.isAt(path) { break }
    }
    return nil
  }

  /// Makes the file, and the folders where it lies, or takes the place of what was there.
  /// - Parameter isProgram: whether this user may execute it.
  public static func write(
    _ bytes: [UInt8], to path: String, isProgram: Bool = false
  ) throws(PrivateFileError) {
    try replace(path, with: bytes, isProgram: isProgram, isLocked: false)
  }

  /// Under another name first, so that nobody finds half of it, or finds it unlocked.
  @discardableResult
  static func replace(
    _ path: String, with bytes: [UInt8], isProgram: Bool, isLocked: Bool
  ) throws(PrivateFileError) -> OpenFile {
    try PrivateFolder.makeParents(of: path)
    let made = "\(path).\(UInt64.random(in: 0 ... .max))"
    let file = try OpenFile(creating: made, mode: isProgram ? 0o700 : 0o600)
    try file.write(bytes)
    do throws(PrivateFileError) {
      if isLocked { _ = try file.lock(LOCK_EX) }
      guard rename(made, path) == 0 else { throw .system("cannot make \(path)", errno) }
    } catch {
      unlink(made)
      throw error
    }
    return file
  }
}
