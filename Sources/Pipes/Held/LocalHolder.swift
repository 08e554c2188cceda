// A holder of this machine, of one version of its program: a folder of the state directory with its socket, its lock and
// its program, which nodes start and reach there.

import CHolderBinary
import Glibc
import Holder
import Logging
import NIOCore
import NIOPosix
import PrivateFiles
import Transport
import Wire

final class LocalHolder: HolderPlace {
  let directory: String
  let name: String?
  let secret: HolderSecret
  let seal: Seal
  let logger: Logger
  let connections = HolderConnections()
  private let isCurrent: Bool
  private let reach: Reach

  /// Who reaches it.
  enum Reach {
    /// The node that starts terminals there.
    case itsNode
    /// That node, which this one is, and others of the machine.
    case siblings
    /// The same, and this node is one of the others.
    case fromSibling
  }

  /// - Parameters:
  ///   - isCurrent: whether it is of this program's version, so that it is started where it does not run.
  ///   - name: of its node's holders.
  init(
    _ directory: String, isCurrent: Bool, secret: HolderSecret, of name: String,
    reach: Reach = .itsNode, logger: Logger
  ) {
    self.directory = directory
    self.isCurrent = isCurrent
    self.reach = reach
    self.name = name
    self.secret = secret
    self.logger = logger
    seal = Seal(secret.key, place: name)
  }

  // MARK: Its folder

  static let socket = "/holder"
  private static let program = "/fairlead-holder"
  private static let prefix = "holder-"

  /// This version's.
  static func folder(in state: String) -> String {
    let stamp = String(cString: holder_stamp()).prefix(8)
    return "\(state)/\(prefix)\(stamp.isEmpty ? "own-\(Handshake.version)" : String(stamp))"
  }

  /// Whether a folder of this name is a holder's.
  static func isName(_ name: String) -> Bool {
    name.hasPrefix(prefix)
      && name.utf8.allSatisfy { $0 != UInt8(ascii: "/") && $0 > 0x20 && $0 < 0x7f }
  }

  /// Those of all versions that there are. Nil: that cannot be read now.
  static func folders(in state: String) -> [String]? {
    guard let stream = opendir(state) else { return errno == ENOENT ? [] : nil }
    defer { closedir(stream) }
    var found: [String] = []
    while found.count < PipeLimits.localHolders, let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.hasPrefix(prefix) { found.append("\(state)/\(name)") }
    }
    return found
  }

  /// A holder has this lock for as long as it lives, and who starts a service before that.
  static func lock(_ folder: String) throws(PrivateFileError) -> LockedFile {
    try LockedFile(folder + lockName)
  }

  private static let lockName = socket + ".lock"

  /// Removes the folder if no holder has it, and none is about to listen there.
  /// - Returns: whether one has it, or is about to.
  static func removeUnlessUsed(_ folder: String) -> Bool {
    if isListening(in: folder) { return true }
    do throws(PrivateFileError) {
      let lock = try lock(folder)
      for name in [socket, program] { unlink(folder + name) }
      // Last of all: whoever finds it there, and waits for it, makes the folder anew.
      lock.remove(folder + lockName)
      rmdir(folder)
      return false
    } catch {
      return error.code == .locked
    }
  }

  // MARK: How it is reached

  var description: String { directory }
  var stall: String { "the process that holds this terminal does not answer" }
  var isShared: Bool { reach != .itsNode }
  var isOwn: Bool { reach != .fromSibling }
  var asSilent: SilentHolders {
    isOwn ? SilentHolders(areOnMachine: true) : SilentHolders(siblings: name.map { [$0] } ?? [])
  }
  var patience: TimeAmount { PipeLimits.holderPatience }
  var goneAfter: TimeAmount? { PipeLimits.holderGone }
  /// An older one ends once nobody needs it.
  var idleAfter: TimeAmount? { isCurrent ? nil : PipeLimits.relayIdle }
  func connectionIsIdle() {}

  func connect(_ handler: NIOLoopBound<HolderHandler>) -> EventLoopFuture<any Channel> {
    Connector(.unix(path: directory + Self.socket))
      .connect(on: handler.eventLoop, within: patience) { channel in
        try channel.pipeline.syncOperations.addHandler(handler.value)
        return channel
      }
  }

  func ensureRunning(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
    NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { _ = try self.ensureRunning() }
  }

  /// Nobody listens there.
  func isGone(_ error: any Error) -> Bool {
    guard let error = error as? IOError else { return false }
    return Self.gone.contains(error.errnoCode)
  }

  // MARK: The holder's process

  /// Starts the holder unless one listens. Blocks for some milliseconds: not on an event loop.
  /// - Returns: whether one was there.
  /// - Throws: ``StateDirectoryError``.
  func ensureRunning() throws -> Bool {
    if Self.isListening(in: directory) { return true }
    if isService { throw Self.absence(of: directory) }
    let (program, arguments) = try command(detaches: true)
    let status = try HolderProcess.run(program, arguments, input: secret.bytes)
    // Somebody else has started it meanwhile.
    guard status == 0 || status == Int(HolderStatus.taken) else {
      throw StateDirectoryError(
        .start, "the holder did not start in \(directory): it ended with status \(status)")
    }
    return false
  }

  static func isListening(in directory: String) -> Bool {
    let path = directory + socket
    // One that takes no connections, since it is stopped, is not waited for.
    let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    let descriptor = Glibc.socket(AF_UNIX, CInt(kind), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result == 0 || !gone.contains(errno)
  }

  /// Errors by which nobody listens there: any other may be of one that does.
  private static let gone = [ECONNREFUSED, ENOENT]

  /// The static holder as a file in the directory; without one, this program.
  func command(detaches: Bool) throws -> (program: String, arguments: [String]) {
    let serve = ["serve", directory] + (detaches ? ["--detach"] : [])
    var count = 0
    guard let bytes = holder_binary(&count), count > 0 else {
      return ("/proc/self/exe", ["fairlead", "holder"] + serve)
    }
    let path = directory + Self.program
    do throws(PrivateFileError) {
      try PrivateFolder.make(directory)
      if access(path, X_OK) != 0 {
        let program = Array(UnsafeBufferPointer(start: bytes, count: count))
        try PrivateFile.write(program, to: path, isProgram: true)
      }
    } catch {
      throw StateDirectoryError(.directory, error.message)
    }
    return (path, ["fairlead-holder"] + serve)
  }
}

/// A program that reads a secret, says that it is ready, and goes on without this process.
private enum HolderProcess {
  /// Returns its exit status; minus the signal that ended it.
  static func run(_ program: String, _ arguments: [String], input: [UInt8]) throws -> Int {
    var ends = [CInt](repeating: -1, count: 2)
    guard pipe(&ends) == 0 else {
      throw StateDirectoryError(
        .directory, "no pipe is to be had: \(describe(errno: errno))")
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
