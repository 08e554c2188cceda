// A real process under test: started with its output in a file of its own, ended by its id, and never
// left behind, even when the test process ends early.

import Foundation

public struct ChildError: Error, CustomStringConvertible {
  public var description: String
  public init(_ description: String) { self.description = description }
}

public final class ChildProcess: Sendable {
  public let pid: Int32
  public let name: String
  private let log: URL
  private let process: Process

  /// - Parameter environment: besides PATH and HOME.
  public init(
    _ executable: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws {
    name = URL(fileURLWithPath: executable).lastPathComponent
    log = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-test-\(UUID().uuidString).log")
    _ = FileManager.default.createFile(atPath: log.path, contents: nil)
    let output = try FileHandle(forWritingTo: log)
    process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    let inherited = ProcessInfo.processInfo.environment.filter {
      ["PATH", "HOME", "SHELL"].contains($0.key)
    }
    process.environment = inherited.merging(environment) { _, given in given }
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    pid = process.processIdentifier
    Self.remember(pid)
  }

  deinit {
    if process.isRunning {
      Glibc.kill(pid, SIGCONT)
      Glibc.kill(pid, SIGKILL)
    }
    try? FileManager.default.removeItem(at: log)
  }

  public var isRunning: Bool { process.isRunning }

  /// What it has printed so far, on either stream.
  public var output: String {
    (try? Data(contentsOf: log)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  public func signal(_ number: Int32) { if process.isRunning { Glibc.kill(pid, number) } }

  /// Its exit code, or minus the signal that ended it.
  @discardableResult public func waitForExit(atMost limit: Duration = .seconds(30)) async throws
    -> Int
  {
    try await eventually("\(name) \(pid) ends", atMost: limit) { !self.process.isRunning }
    let status = Int(process.terminationStatus)
    return process.terminationReason == .uncaughtSignal ? -status : status
  }

  /// Waits until a line that it prints contains `text`, and returns the line.
  public func line(with text: String, atMost limit: Duration = .seconds(30)) async throws -> String
  {
    let deadline = ContinuousClock.now + limit
    while true {
      let lines = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      if let line = lines.first(where: { $0.contains(text) }) { return String(line) }
      guard process.isRunning, ContinuousClock.now < deadline else {
        throw ChildError("\(name) never said \"\(text)\"; it said: \(output)")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  // MARK: Leaving none behind

  private static let children = LockedPids()

  private static func remember(_ pid: Int32) { children.add(pid) }
}

/// The processes to end when this one exits.
private final class LockedPids: @unchecked Sendable {
  // Sendable: `pids` is only touched under `lock`.
  private let lock = NSLock()
  private var pids: [Int32] = []

  init() {
    atexit { endChildren() }
  }

  func add(_ pid: Int32) { lock.withLock { pids.append(pid) } }
  func endAll() { for pid in lock.withLock({ pids }) { Glibc.kill(pid, SIGKILL) } }
}

private func endChildren() { ChildProcess.endAll() }

extension ChildProcess {
  fileprivate static func endAll() { children.endAll() }
}

/// Waits for a condition, not for time; `limit` only catches a hang.
public func eventually(
  _ what: String, atMost limit: Duration = .seconds(30),
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw ChildError("never: \(what)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}

/// A TCP port of 127.0.0.1 that is free now.
public func freePort() throws -> Int {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let bound = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
      bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
    }
  }
  guard bound else { throw ChildError("no free port: errno \(errno)") }
  return Int(UInt16(bigEndian: address.sin_port))
}
