// A file that this process has open, until nobody uses it any more.

import Glibc
import Wire

final class OpenFile: Sendable {
  private let path: String
  private let descriptor: CInt

  /// Nil: there is none.
  /// - Throws: `notPrivate` unless it is a file of this user's alone.
  convenience init?(reading path: String) throws(PrivateFileError) {
    // Of a pipe, others would wait for who writes to it.
    self.init(path, O_RDONLY | O_NONBLOCK)
    guard isOpen else {
      if errno == ENOENT { return nil }
      throw .system("cannot read \(path)", errno)
    }
    try requirePrivate()
  }

  /// Makes it where it is missing.
  /// - Throws: `notPrivate` unless it is a file of this user's alone.
  convenience init(changing path: String) throws(PrivateFileError) {
    self.init(path, O_RDWR | O_CREAT | O_NONBLOCK, mode: 0o600)
    guard isOpen else { throw .system("cannot open \(path)", errno) }
    try requirePrivate()
  }

  /// Makes it where there is nothing of this name.
  convenience init(creating path: String, mode: mode_t) throws(PrivateFileError) {
    self.init(path, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
    guard isOpen else { throw .system("cannot make \(path)", errno) }
  }

  private init(_ path: String, _ flags: CInt, mode: mode_t = 0) {
    self.path = path
    descriptor = open(path, flags | O_NOFOLLOW | O_CLOEXEC, mode)
  }

  private var isOpen: Bool { descriptor >= 0 }

  deinit { if isOpen { close(descriptor) } }

  private func status() throws(PrivateFileError) -> stat {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system("cannot look at \(path)", errno) }
    return status
  }

  private func requirePrivate() throws(PrivateFileError) {
    let status = try status()
    guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
      status.st_mode & 0o077 == 0
    else {
      throw PrivateFileError(
        .notPrivate, "\(path) has to be a file of this user that nobody else may read (chmod 600)")
    }
  }

  /// False: another process has it.
  func lock(_ kind: CInt) throws(PrivateFileError) -> Bool {
    if flock(descriptor, kind | LOCK_NB) == 0 { return true }
    guard errno == EWOULDBLOCK else { throw .system("cannot lock \(path)", errno) }
    return false
  }

  /// All of it.
  func read(atMost most: Int = PrivateFilesLimits.file) throws(PrivateFileError) -> [UInt8] {
    let size = Int(try status().st_size)
    guard size <= most else {
      throw PrivateFileError(
        .tooLarge,
        "\(path) has \(size) bytes, more than any such file: nobody but Fairlead should write it")
    }
    var bytes = [UInt8](repeating: 0, count: size)
    let count = pread(descriptor, &bytes, size, 0)
    guard count >= 0 else { throw .system("cannot read \(path)", errno) }
    return Array(bytes.prefix(count))
  }

  /// Writes all that it is to have, into an empty one. One that could not be written is taken away.
  func write(_ bytes: [UInt8]) throws(PrivateFileError) {
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress, $0.count, off_t(done))
      }
      guard count > 0 else {
        let number = count < 0 ? errno : ENOSPC
        unlink(path)
        throw .system("cannot write \(path)", number)
      }
      done += count
    }
  }

  func empty() throws(PrivateFileError) {
    guard ftruncate(descriptor, 0) == 0 else { throw .system("cannot write \(path)", errno) }
  }

  /// Whether the file at the path is this one.
  func isAt(_ path: String) -> Bool {
    var found = stat()
    guard lstat(path, &found) == 0, let own = try? status() else { return false }
    return found.st_dev == own.st_dev && found.st_ino == own.st_ino
  }
}
