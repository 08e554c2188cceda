// Nobody reads what is one user's alone, and a lock says who lives (promise P9).

import Glibc
import PrivateFiles
import TestSupport
import Testing
import Wire

@Suite struct PrivateFilesTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path + "/a/b/file" }

  init() throws { folder = try TemporaryFolder() }

  @Test func whatIsWrittenIsReadByItsUserAlone() throws {
    #expect(try PrivateFile.read(path) == nil)
    for bytes in [[1, 2, 3], [UInt8](repeating: 7, count: 10_000), []] as [[UInt8]] {
      try PrivateFile.write(bytes, to: path)
      #expect(try PrivateFile.read(path) == bytes)
    }
    for (name, mode) in [("a", 0o700), ("a/b", 0o700), ("a/b/file", 0o600)] as [(String, mode_t)] {
      var found = stat()
      #expect(stat("\(folder.path)/\(name)", &found) == 0 && found.st_mode & 0o777 == mode)
    }
  }

  @Test(arguments: [0o640, 0o604, 0o620] as [mode_t])
  func whatOthersMayReadOrWriteIsNotBelieved(mode: mode_t) throws {
    try PrivateFile.write([1], to: path)
    #expect(chmod(path, mode) == 0)
    expect(.notPrivate) { _ = try PrivateFile.read(path) }
    expect(.notPrivate) { _ = try LockedFile(path) }
  }

  @Test func whatIsNoFileIsNotWaitedFor() throws {
    let pipe = folder.path + "/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    expect(.notPrivate) { _ = try PrivateFile.read(pipe) }
    expect(.notPrivate) { _ = try LockedFile(pipe) }
    let link = folder.path + "/link"
    try PrivateFile.write([1], to: path)
    #expect(symlink(path, link) == 0)
    expect(.system) { _ = try PrivateFile.read(link) }
  }

  @Test func whatIsTooLargeIsNotRead() throws {
    try PrivateFile.write([UInt8](repeating: 0, count: 16 * 1024 + 1), to: path)
    expect(.tooLarge) { _ = try PrivateFile.read(path) }
  }

  @Test func aFolderThatOthersMayEnterIsRefused() throws {
    let made = folder.path + "/x/y"
    try PrivateFolder.make(made)
    try PrivateFolder.make(made)
    #expect(chmod(made, 0o750) == 0)
    expect(.notPrivate) { try PrivateFolder.make(made) }
  }

  @Test func oneProcessHasALockUntilItLetsGo() throws {
    var lock: LockedFile? = try LockedFile(path)
    expect(.locked) { _ = try LockedFile(path) }
    try lock?.overwrite([1, 2, 3])
    try lock?.overwrite([4])
    #expect(try lock?.read() == [4])
    lock = nil
    #expect(try LockedFile(path).read() == [4])
  }

  @Test func whatALivingProcessWroteIsBelievedOnlyWhileItLives() throws {
    var lock: LockedFile? = try LockedFile(replacing: path, with: [1])
    #expect(try PrivateFile.readLocked(path) == [1])
    lock = try LockedFile(replacing: path, with: [2])
    #expect(try PrivateFile.readLocked(path) == [2])
    lock = nil
    #expect(try PrivateFile.readLocked(path) == nil)
    #expect(try PrivateFile.read(path) == [2], "it is still there")
    #expect(lock == nil)
  }

  @Test func whatHasTakenItsPlaceStays() throws {
    let first = try LockedFile(replacing: path, with: [1])
    let second = try LockedFile(replacing: path, with: [2])
    first.remove(path)
    #expect(try PrivateFile.readLocked(path) == [2])
    second.remove(path)
    #expect(try PrivateFile.readLocked(path) == nil)
    #expect(try PrivateFile.read(path) == nil)
  }

  private func expect(_ code: PrivateFileErrorCode, _ body: () throws -> Void) {
    let error = #expect(throws: PrivateFileError.self) { try body() }
    #expect(error?.code == code)
  }
}
