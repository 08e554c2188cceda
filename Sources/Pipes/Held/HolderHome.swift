// Where a node's holder is: a directory that belongs to the node's user alone, with the holder's socket, its key and its
// program. Whoever has the directory's lock is the node; the holder outlives it.

import CHolderBinary
import Glibc
import Holder
public import Logging
import PrivateFiles
public import Wire

/// What a holder and its nodes know each other by.
struct HolderSecret: Sendable {
  /// 16 bytes, by which holders are told apart.
  var identity: [UInt8]
  /// 32 bytes, that both sides prove to know.
  var key: [UInt8]

  private static let identityLength = 16
  private static let keyLength = 32
  static let length = identityLength + keyLength

  private init(identity: [UInt8], key: [UInt8]) {
    self.identity = identity
    self.key = key
  }

  init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.length else { return nil }
    identity = Array(bytes[..<Self.identityLength])
    key = Array(bytes[Self.identityLength...])
  }

  var bytes: [UInt8] { identity + key }

  static func random() -> HolderSecret {
    HolderSecret(identity: .random(identityLength), key: .random(keyLength))
  }
}

public typealias StateDirectoryError = Failure<StateDirectoryErrorCode>

public enum StateDirectoryErrorCode: String, FailureCode {
  /// The directory is not this user's alone, or not to be had.
  case directory
  /// Another process of this node lives.
  case inUse = "in_use"
  /// No holder could be started.
  case start
}

public final class HolderHome: Sendable {
  public let directory: String
  let secret: HolderSecret
  let logger: Logger
  /// Held for as long as this process lives.
  private let lock: LockedFile

  var socketPath: String { directory + "/holder" }

  /// Names this holder on this start of its machine: while it is the same, its terminals may live.
  public let name: String

  /// The directory of a node that was told none: it lasts until the machine is started anew.
  public static func usual(for scope: String, _ environment: [String: String]) -> String {
    let name = scope.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" }
    let place =
      geteuid() == 0 ? "/run" : environment["XDG_RUNTIME_DIR"].map { "\($0)" } ?? "/tmp"
    let user = place == "/tmp" ? "-\(geteuid())" : ""
    return "\(place)/fairlead\(user)/\(String(name))"
  }

  /// Opens the directory, makes what is missing there, and takes its lock. Blocks for a moment: not on an event loop.
  /// - Throws: ``StateDirectoryError``.
  public init(_ directory: String, logger: Logger) throws {
    self.directory = directory
    self.logger = logger
    // sun_path has 108 bytes, with a zero.
    guard directory.hasPrefix("/"), directory.utf8.count + "/holder".utf8.count < 108 else {
      throw StateDirectoryError(
        .directory,
        "the state directory \(directory) has to be an absolute path of 100 bytes at most")
    }
    do {
      try PrivateFolder.make(directory)
      lock = try Self.lock(directory)
      secret = try Self.secret(in: directory)
    } catch let error as PrivateFileError {
      throw StateDirectoryError(.directory, error.message)
    }
    let boot = ProcessTable.contents(of: "/proc/sys/kernel/random/boot_id") ?? ""
    name =
      boot.filter { !$0.isWhitespace } + "/" + secret.identity.map { Self.hex[Int($0)] }.joined()
  }

  private static let hex = (0..<256).map { String($0 + 256, radix: 16).dropFirst() }.map(
    String.init)

  private static func lock(_ directory: String) throws -> LockedFile {
    // The process before this one may be about to leave.
    let patience = ContinuousClock.now + PipeLimits.lockPatience
    while true {
      do throws(PrivateFileError) {
        return try LockedFile(directory + "/lock")
      } catch {
        guard error.code == .locked else { throw error }
        guard ContinuousClock.now < patience else {
          throw StateDirectoryError(
            .inUse,
            "another process keeps its terminals in \(directory): stop it, or give this one a directory of its "
              + "own with --state-directory")
        }
        usleep(PipeLimits.lockInterval)
      }
    }
  }

  private static func secret(in directory: String) throws -> HolderSecret {
    let path = directory + "/key"
    // A key that is there and cannot be read now is not replaced: its holder would not be found again.
    guard let bytes = try PrivateFile.read(path) else {
      let secret = HolderSecret.random()
      try PrivateFile.write(secret.bytes, to: path)
      return secret
    }
    guard let secret = HolderSecret(bytes) else {
      throw StateDirectoryError(
        .directory,
        "\(path) is no holder's key: if no terminal is left there, remove the directory \(directory)"
      )
    }
    return secret
  }

  fileprivate static func failure(_ what: String, _ number: CInt) -> StateDirectoryError {
    StateDirectoryError(.directory, "\(what): \(describe(errno: number))")
  }

  let connections = HolderConnections()

  // MARK: The holder's process

  /// Starts the holder unless one listens. Blocks for some milliseconds: not on an event loop.
  /// - Returns: whether one was there.
  /// - Throws: ``StateDirectoryError``.
  public func ensureRunning() throws -> Bool {
    if isListening { return true }
    let (program, arguments) = try command
    let status = try HolderProcess.run(program, arguments, input: secret.bytes)
    // Somebody else has started it meanwhile.
    guard status == 0 || status == Int(HolderStatus.taken) else {
      throw StateDirectoryError(
        .start, "the holder did not start in \(directory): it ended with status \(status)")
    }
    return false
  }

  private var isListening: Bool { Self.isListening(at: socketPath) }

  static func isListening(at path: String) -> Bool {
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    } == 0
  }

  /// The static holder as a file in the directory; without one, this program.
  private var command: (program: String, arguments: [String]) {
    get throws {
      let serve = ["serve", directory, "--detach"]
      var count = 0
      guard let bytes = holder_binary(&count), count > 0 else {
        return ("/proc/self/exe", ["fairlead", "holder"] + serve)
      }
      let stamp = String(cString: holder_stamp()).prefix(16)
      let path = "\(directory)/fairlead-holder-\(stamp)"
      if access(path, X_OK) != 0 {
        let program = Array(UnsafeBufferPointer(start: bytes, count: count))
        do throws(PrivateFileError) {
          try PrivateFile.write(program, to: path, isProgram: true)
        } catch {
          throw StateDirectoryError(.directory, error.message)
        }
      }
      return (path, ["fairlead-holder"] + serve)
    }
  }
}

/// A program that reads a secret, says that it is ready, and goes on without this process.
private enum HolderProcess {
  /// Returns its exit status; minus the signal that ended it.
  static func run(_ program: String, _ arguments: [String], input: [UInt8]) throws -> Int {
    var ends = [CInt](repeating: -1, count: 2)
    guard pipe(&ends) == 0 else {
      throw HolderHome.failure("no pipe is to be had", errno)
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { for end in ends where end >= 0 { close(end) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    // The holder gets an empty environment: the node may have secrets in its own.
    var words = (arguments.map { strdup($0) }) + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [nil]
    defer { for word in words { free(word) } }
    var pid: pid_t = 0
    let error = posix_spawn(&pid, program, &actions, nil, &words, &environment)
    guard error == 0 else {
      throw StateDirectoryError(
        .start, "\(program) could not be executed: \(describe(errno: error))")
    }
    // It fits into a pipe.
    _ = input.withUnsafeBytes { Glibc.write(ends[1], $0.baseAddress, $0.count) }
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0 { if errno != EINTR { return -1 } }
    return status & 0x7f == 0 ? Int(status >> 8 & 0xff) : -Int(status & 0x7f)
  }
}
