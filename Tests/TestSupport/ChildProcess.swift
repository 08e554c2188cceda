// A real process under test: started with its output in a file of its own, ended by its id, and never
// left behind, even when the test process ends early.

import Foundation
import NIOConcurrencyHelpers

/// How many times longer than usual anything may take before it counts as hanging: FAIRLEAD_PATIENCE, 1
/// by default. Under a sanitizer everything is several times slower.
public let patience =
  ProcessInfo.processInfo.environment["FAIRLEAD_PATIENCE"].flatMap { Int($0) } ?? 1

public struct ChildError: Error, CustomStringConvertible {
  public var description: String
  public init(_ description: String) { self.description = description }
}

public final class ChildProcess: Sendable {
  public let pid: Int32
  public let name: String
  private let log: URL
  private let exit = ExitBox()

  /// - Parameter environment: besides PATH, HOME, SHELL, and where a sanitizer reports. Terminals end with the process,
  ///   unless that is told otherwise (`FAIRLEAD_HOLDER`, `--holder`): no test leaves a holder behind.
  public init(
    _ executable: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws {
    name = URL(fileURLWithPath: executable).lastPathComponent
    log = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-test-\(UUID().uuidString).log")
    let inherited = ProcessInfo.processInfo.environment.filter {
      ["PATH", "HOME", "SHELL", "TSAN_OPTIONS", "ASAN_OPTIONS", "LSAN_OPTIONS"].contains($0.key)
    }
    pid = try spawn(
      executable, [executable] + arguments,
      inherited.merging(["FAIRLEAD_HOLDER": "off"]) { $1 }
        .merging(environment) { $1 }.map { "\($0)=\($1)" }, output: log.path)
    Self.remember(pid)
  }

  deinit {
    if isRunning {
      Glibc.kill(pid, SIGCONT)
      Glibc.kill(pid, SIGKILL)
      _ = exit.status(of: pid, waiting: true)
    }
    try? FileManager.default.removeItem(at: log)
  }

  public var isRunning: Bool { exit.status(of: pid) == nil }

  /// What it has printed so far, on either stream.
  public var output: String {
    (try? Data(contentsOf: log)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  public func signal(_ number: Int32) { if isRunning { Glibc.kill(pid, number) } }

  /// Its exit code, or minus the signal that ended it.
  @discardableResult public func waitForExit(atMost limit: Duration = .seconds(30)) async throws
    -> Int
  {
    try await eventually("\(name) \(pid) ends", atMost: limit) { !self.isRunning }
    return exit.status(of: pid) ?? 0
  }

  /// Waits until a line that it prints contains `text`, and returns the line.
  public func line(with text: String, atMost limit: Duration = .seconds(30)) async throws -> String
  {
    let deadline = ContinuousClock.now + limit * patience
    while true {
      // Before its output is read: it may say this and end.
      let isRunning = isRunning
      let lines = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      if let line = lines.first(where: { $0.contains(text) }) { return String(line) }
      guard isRunning, ContinuousClock.now < deadline else {
        throw ChildError("\(name) never said \"\(text)\"; it said: \(output)")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  // MARK: Leaving none behind

  private static let children = LockedPids()

  /// Those that were started and have not been seen to end: they are killed when this process ends.
  public static var left: Set<Int32> { children.all }

  private static func remember(_ pid: Int32) { children.add(pid) }

  /// It has ended, and was reaped: its number may be another process's by now.
  fileprivate static func forget(_ pid: Int32) { children.remove(pid) }
}

/// The processes to end when this one exits.
private final class LockedPids: @unchecked Sendable {
  // Sendable: `pids` is only touched under `lock`.
  private let lock = NSLock()
  private var pids: Set<Int32> = []

  init() {
    atexit { endChildren() }
  }

  func add(_ pid: Int32) { lock.withLock { _ = pids.insert(pid) } }
  func remove(_ pid: Int32) { lock.withLock { _ = pids.remove(pid) } }
  var all: Set<Int32> { lock.withLock { pids } }
  func endAll() { for pid in all { Glibc.kill(pid, SIGKILL) } }
}

private func endChildren() { ChildProcess.endAll() }

extension ChildProcess {
  fileprivate static func endAll() { children.endAll() }
}

/// How a process ended, once it has.
private final class ExitBox: @unchecked Sendable {
  // Sendable: `known` is only touched under `lock`.
  private let lock = NSLock()
  private var known: Int?

  /// Its exit code, or minus the signal that ended it; nil while it runs.
  func status(of pid: Int32, waiting: Bool = false) -> Int? {
    lock.withLock {
      if known != nil { return known }
      var status: Int32 = 0
      guard waitpid(pid, &status, waiting ? 0 : WNOHANG) == pid else { return nil }
      ChildProcess.forget(pid)
      let signal = status & 0x7F
      known = signal == 0 ? Int(status >> 8 & 0xFF) : -Int(signal)
      return known
    }
  }
}

/// Starts a process with default signals and none blocked: a thread of Dispatch has most of them
/// blocked, and Foundation's `Process` hands that down, so that SIGTERM would never arrive.
private typealias CloseFrom =
  @convention(c) (
    UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32
  ) -> Int32

/// glibc's, from 2.34 on; hidden from Swift.
private let closeFrom: CloseFrom? = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np").map {
  unsafeBitCast($0, to: CloseFrom.self)
}

private func spawn(
  _ path: String, _ arguments: [String], _ environment: [String], output: String
) throws -> Int32 {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
  posix_spawn_file_actions_adddup2(&actions, 1, 2)
  // The sockets of other tests must not live on in this child: their ends would never be seen.
  _ = closeFrom?(&actions, 3)
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var all = sigset_t()
  var none = sigset_t()
  sigfillset(&all)
  sigemptyset(&none)
  posix_spawnattr_setsigdefault(&attributes, &all)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
  let argv = arguments.map { strdup($0) } + [nil]
  let envp = environment.map { strdup($0) } + [nil]
  defer { for text in argv + envp { free(text) } }
  var pid: pid_t = 0
  let error = posix_spawn(&pid, path, &actions, &attributes, argv, envp)
  guard error == 0 else {
    throw ChildError("\(path) cannot be started: \(String(cString: strerror(error)))")
  }
  return pid
}

/// Waits for a condition, not for time; `limit` only catches a hang.
public func eventually(
  _ what: String, atMost limit: Duration = .seconds(30),
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit * patience
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw ChildError("never: \(what)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}

private let handedOut = NIOLockedValueBox<Set<Int>>([])

/// A TCP port of 127.0.0.1 that is free now. It is below those of which the system gives one to who asks for any, and
/// nobody else in this process gets it: what is started on it a second time finds it free still.
public func freePort() throws -> Int {
  for _ in 0..<1_000 {
    let port = Int.random(in: 10_000..<30_000)
    guard handedOut.withLockedValue({ $0.insert(port).inserted }) else { continue }
    if isFree(UInt16(port)) { return port }
  }
  throw ChildError("no free port: errno \(errno)")
}

private func isFree(_ port: UInt16) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  address.sin_port = port.bigEndian
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}
