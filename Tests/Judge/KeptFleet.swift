// `fairlead serve` whose terminals a holder keeps, killed again and again: its sessions must go on as if nothing
// had happened.

public import Chaos
import Foundation
import NIOConcurrencyHelpers
public import TestSupport
public import Wire

/// A server that is killed and started again with the same arguments, in a state directory of its own.
public final class KeptServer: Sendable {
  public let port: Int
  public let directory: String
  private let options: [String]
  private let state: NIOLockedValueBox<State>

  private struct State {
    var process: ChildProcess
    var kills = 0
    var remarks: [String] = []
  }

  public init(options: [String] = []) async throws {
    port = try freePort()
    directory = FileManager.default.temporaryDirectory.path + "/kept-\(UUID().uuidString.prefix(8))"
    self.options = options
    state = NIOLockedValueBox(State(process: try Self.launch(port, directory, options)))
    _ = try await process.line(with: "serves on")
  }

  private static func launch(_ port: Int, _ directory: String, _ options: [String]) throws
    -> ChildProcess
  {
    try ChildProcess(
      Products.path("fairlead"),
      [
        "serve", "--listen", "127.0.0.1:\(port)", "--no-auth", "--holder", "require",
        "--state-directory", directory,
      ] + options)
  }

  public var url: String { "http://127.0.0.1:\(port)" }
  public var process: ChildProcess { state.withLockedValue { $0.process } }
  public var kills: Int { state.withLockedValue { $0.kills } }
  /// What its processes said of warnings and errors before they were killed.
  public var remarks: [String] { state.withLockedValue { $0.remarks } + remarks(of: process) }

  private func remarks(of process: ChildProcess) -> [String] {
    process.output.split(separator: "\n").map(String.init).filter { line in
      ["error", "critical", "warning", "Fatal"].contains { line.contains($0) }
    }
  }

  /// - Parameter signal: SIGTERM, too, leaves the sessions.
  public func end(with signal: Int32 = 9) async throws {
    let process = process
    guard process.isRunning else { throw ChildError("serve died: \(process.output)") }
    process.signal(signal)
    try await process.waitForExit(atMost: .seconds(60))
    let remarks = remarks(of: process)
    state.withLockedValue {
      $0.kills += 1
      $0.remarks.append(contentsOf: remarks)
    }
  }

  /// - Parameter waits: whether it has to serve when this returns.
  public func start(waits: Bool = true) async throws {
    let process = try Self.launch(port, directory, options)
    state.withLockedValue { $0.process = process }
    if waits { _ = try await process.line(with: "serves on", atMost: .seconds(60)) }
  }

  /// At random times, until the task is cancelled: also right after its start, and before it serves.
  public func dieAgainAndAgain(pause: ClosedRange<Double>, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed ^ 0x6b69_6c6c)
    while !Task.isCancelled {
      try await Task.sleep(for: .seconds(Double.random(in: pause, using: &random)))
      try await end()
      while random.chance(0.3) {
        try await start(waits: random.chance(0.5))
        try await Task.sleep(for: .seconds(Double.random(in: 0...0.4, using: &random)))
        try await end()
      }
      try await start()
    }
  }

  /// Ends the server, and its holder with all that it holds.
  public func remove() async throws {
    if process.isRunning { try await end() }
    for pid in holders { kill(pid, SIGKILL) }
    try await eventually("the holder is gone") { holders.isEmpty }
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// The processes that hold terminals in its directory.
  public var holders: [Int32] { Self.holders { $0 == directory } }

  /// Those that hold terminals in such directories.
  public static func holders(in isWanted: (String) -> Bool) -> [Int32] {
    let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return processes.compactMap(Int32.init).filter { pid in
      guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else {
        return false
      }
      let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      return words.contains("serve") && words.contains("--detach")
        && words.contains(where: isWanted)
    }
  }
}

extension Fleet {
  /// `fairlead serve` that is killed with pauses of so many seconds, chaos before it.
  public static func kept(
    _ profile: ChaosProfile = .faithful, seed: UInt64 = 0, pause: ClosedRange<Double> = 0.5...4,
    options: [String] = [], target: Target = .pty,
    _ body: @Sendable (Fleet, KeptServer) async throws -> Void
  ) async throws {
    let server = try await KeptServer(options: options)
    let front = try await client(profile, port: server.port, seed: seed)
    let killing = Task { try await server.dieAgainAndAgain(pause: pause, seed: seed) }
    var failure: (any Error)?
    do {
      let fleet = Fleet(url: "http://127.0.0.1:\(front.port)", proxies: [front])
      try await body(fleet.with(target: target), server)
    } catch { failure = error }
    killing.cancel()
    do { try await killing.value } catch is CancellationError {} catch {
      failure = failure ?? error
    }
    try await front.stop()
    try await server.remove()
    if let failure { throw failure }
  }
}
