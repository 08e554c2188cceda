// A small file that nobody but its user can read, not even half of it while it is written.

import Glibc

public enum PrivateFile {
  /// Writes `bytes` to `path`, whose folders are made if need be, in place of what was there.
  public static func write(_ bytes: [UInt8], path: String) -> Bool {
    let temporary = "\(path).\(getpid())"
    unlink(temporary)
    guard create(bytes, path: temporary) else { return false }
    guard rename(temporary, path) == 0 else {
      unlink(temporary)
      return false
    }
    return true
  }

  /// As ``write(_:path:)``, and false where there is anything of this name already.
  public static func create(_ bytes: [UInt8], path: String) -> Bool {
    makeFolders(of: path)
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return false }
    let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
    if written != bytes.count { unlink(path) }
    return written == bytes.count
  }

  private static func makeFolders(of path: String) {
    var folder = ""
    for part in path.split(separator: "/").dropLast() {
      folder += "/" + part
      mkdir(folder, 0o700)
    }
  }

  /// Opens the file, which is made if need be, for this process alone, until it is closed or the process ends.
  /// - Returns: its descriptor; nil if it is not this user's alone, or another process has it.
  public static func lock(_ path: String) -> CInt? {
    makeFolders(of: path)
    let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return nil }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_uid == getuid(), status.st_mode & 0o077 == 0,
      flock(descriptor, LOCK_EX | LOCK_NB) == 0
    else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  /// Nil unless the file is this user's, and nobody else may read or write it.
  public static func read(_ path: String) -> [UInt8]? {
    // Of a pipe, others would wait for who writes to it.
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_uid == getuid(), status.st_mode & 0o077 == 0,
      status.st_size <= AuthLimits.privateFile
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
    return count == bytes.count ? bytes : nil
  }
}
