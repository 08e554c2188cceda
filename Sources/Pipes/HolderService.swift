// A holder that is a service of its own (`fairlead hold`): a unit beside the node's, or a container beside the node's. What
// ends the node's with all its processes does not end the terminals then. The state directory says so in the file
// `service`, which names the holder's folder: a node gives its terminals to that one, whatever version its program is of,
// waits for it, and starts none in its place.

import Glibc
public import Logging
import PrivateFiles
import Wire

public struct HolderService {
  private let directory: String
  private let logger: Logger

  /// - Parameter directory: the node's state directory.
  public init(_ directory: String, logger: Logger) {
    self.directory = directory
    self.logger = logger
  }

  // MARK: The service

  /// Turns this process into the holder, which takes its place and its process number.
  /// - Parameter detaches: it goes on in a session of its own instead, and this process ends once it listens.
  /// - Throws: ``StateDirectoryError``.
  public func run(detaches: Bool) throws -> Never {
    let secret = try secret()
    let holder = LocalHolder(
      LocalHolder.folder(in: directory), isCurrent: true, secret: secret, of: "", logger: logger)
    // No node removes the folder and the program in it meanwhile. A holder that runs has the lock itself, and the new
    // one says so. What is executed in this process's place has the file no more, and takes the lock anew.
    let lock = try? LocalHolder.lock(holder.directory)
    defer { withExtendedLifetime(lock) {} }
    let (program, words) = try holder.command(detaches: detaches)
    do throws(PrivateFileError) {
      let name = holder.directory.utf8.dropFirst(directory.utf8.count + 1)
      try PrivateFile.write(Array(name), to: LocalHolder.sign(ofServiceIn: directory))
    } catch {
      throw StateDirectoryError(.directory, error.message)
    }
    try hand(secret.bytes)
    // A thread of the runtime has signals blocked.
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
    var arguments = words.map { strdup($0) } + [nil]
    // What the operator gave this process is not for terminals.
    var environment: [UnsafeMutablePointer<CChar>?] = [nil]
    execve(program, &arguments, &environment)
    throw StateDirectoryError(
      .start, "\(program) could not be executed: \(describe(errno: errno))")
  }

  /// The directory's key, which is made where it is missing.
  private func secret() throws -> HolderSecret {
    if let known = try known() { return known }
    do {
      return try HolderHome(directory, logger: logger).secret
    } catch let error as StateDirectoryError where error.code == .inUse {
      // Who uses the directory has made it meanwhile.
      guard let known = try known() else { throw error }
      return known
    }
  }

  private func known() throws -> HolderSecret? {
    do throws(PrivateFileError) {
      return try PrivateFile.read(directory + "/key").flatMap(HolderSecret.init)
    } catch {
      throw StateDirectoryError(.directory, error.message)
    }
  }

  /// Puts these bytes into the standard input of what is executed next. They fit into a pipe.
  private func hand(_ bytes: [UInt8]) throws {
    var ends = [CInt](repeating: -1, count: 2)
    guard pipe(&ends) == 0,
      bytes.withUnsafeBytes({ write(ends[1], $0.baseAddress, $0.count) }) == bytes.count,
      dup2(ends[0], STDIN_FILENO) >= 0
    else {
      throw StateDirectoryError(.start, "no pipe is to be had: \(describe(errno: errno))")
    }
    for end in ends where end > STDERR_FILENO { close(end) }
  }

  // MARK: The node

  /// Returns when the service listens, or if the directory has none. Blocks: not on an event loop.
  /// - Throws: ``StateDirectoryError`` if it does not listen for ``PipeLimits/servicePatience``.
  public func wait() throws {
    let deadline = ContinuousClock.now + PipeLimits.servicePatience
    var isSaid = false
    while let folder = LocalHolder.service(in: directory), !LocalHolder.isListening(in: folder) {
      guard ContinuousClock.now < deadline else { throw LocalHolder.absence(of: folder) }
      if !isSaid {
        logger.notice(
          "waiting for the service that holds terminals", metadata: ["directory": "\(directory)"])
        isSaid = true
      }
      usleep(PipeLimits.lockInterval)
    }
  }
}
