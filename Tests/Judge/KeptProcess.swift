// `fairlead serve` or a node whose terminals a holder keeps, killed again and again: its sessions must go on as if
// nothing had happened.

import Foundation
import NIOConcurrencyHelpers
public import TestSupport

/// A process that is killed and started again with the same arguments, in a state directory of its own.
public final class KeptProcess: Sendable {
  public let port: Int
  public let directory: String
  private let role: Role
  private let state: NIOLockedValueBox<State>

  private struct Role {
    /// All but the state directory.
    var arguments: [String]
    /// What it says once it takes clients or links.
    var ready: String
    var environment: [String: String] = [:]
  }

  private struct State {
    var process: ChildProcess
    var kills = 0
    var freezes = 0
    var holderDeaths: [ContinuousClock.Instant] = []
    var remarks: [String] = []
  }

  private init(_ role: Role, port: Int, in folder: String? = nil) async throws {
    self.role = role
    self.port = port
    let folder = folder ?? FileManager.default.temporaryDirectory.path
    directory = folder + "/kept-\(UUID().uuidString.prefix(8))"
    state = NIOLockedValueBox(State(process: try Self.launch(role, directory)))
    try await isReady()
  }

  /// `fairlead serve`.
  public static func serve(options: [String] = []) async throws -> KeptProcess {
    let port = try freePort()
    return try await KeptProcess(
      Role(
        arguments: ["serve", "--listen", "127.0.0.1:\(port)", "--no-auth"] + options,
        ready: "serves on"),
      port: port)
  }

  /// A node, with one loop, so that it listens on one port.
  /// - Parameters:
  ///   - advertise: the port that routers are told; nil: its own.
  ///   - folder: where its state directory is to lie; nil: among temporary files.
  public static func node(
    _ id: String, redis: String, port: Int, advertise: Int? = nil, in folder: String? = nil,
    options: [String] = []
  ) async throws -> KeptProcess {
    try await KeptProcess(
      Role(
        arguments: [
          "node", "--id", id, "--redis", redis, "--listen", "127.0.0.1:\(port)", "--advertise",
          "127.0.0.1:\(advertise ?? port)",
        ] + options, ready: "takes links on",
        environment: ["NIO_SINGLETON_GROUP_LOOP_COUNT": "1"]),
      port: port, in: folder)
  }

  private static func launch(_ role: Role, _ directory: String) throws -> ChildProcess {
    // What the role says itself comes last, and counts.
    try ChildProcess(
      Products.path("fairlead"),
      [role.arguments[0], "--holder", "require", "--state-directory", directory]
        + role.arguments.dropFirst(),
      environment: role.environment)
  }

  private func isReady() async throws {
    _ = try await process.line(with: role.ready, atMost: .seconds(60))
  }

  public var url: String { "http://127.0.0.1:\(port)" }
  public var process: ChildProcess { state.withLockedValue { $0.process } }
  public var kills: Int { state.withLockedValue { $0.kills } }
  /// How often it stood still.
  public var freezes: Int { state.withLockedValue { $0.freezes } }
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
    guard process.isRunning else {
      throw ChildError("\(role.arguments[0]) died: \(process.output)")
    }
    process.signal(signal)
    try await process.waitForExit(atMost: .seconds(60))
    let remarks = remarks(of: process)
    state.withLockedValue {
      $0.kills += 1
      $0.remarks.append(contentsOf: remarks)
    }
  }

  /// - Parameter waits: whether it has to be ready when this returns.
  public func start(waits: Bool = true) async throws {
    let process = try Self.launch(role, directory)
    state.withLockedValue { $0.process = process }
    if waits { try await isReady() }
  }

  /// It does nothing for so long, and knows nothing of that, as on a machine that sleeps.
  public func freeze(for time: Duration) async throws {
    let process = process
    process.signal(SIGSTOP)
    defer { process.signal(SIGCONT) }
    state.withLockedValue { $0.freezes += 1 }
    try await Task.sleep(for: time)
  }

  /// At random times, until the task is cancelled: also right after its start, and before it serves.
  /// - Parameters:
  ///   - away: the share of its deaths after which it is away until it counts as dead.
  ///   - freezes: every other time it only stands still, for up to four seconds.
  public func dieAgainAndAgain(
    pause: ClosedRange<Double>, away: Double = 0, freezes: Bool = false, seed: UInt64
  )
    async throws
  {
    var random = SeededGenerator(seed: seed ^ 0x6b69_6c6c)
    while !Task.isCancelled {
      try await Task.sleep(for: .seconds(Double.random(in: pause, using: &random)))
      if freezes, random.chance(0.5) {
        try await freeze(for: .seconds(Double.random(in: 0.2...4, using: &random)))
        continue
      }
      try await end()
      while random.chance(0.3) {
        try await start(waits: random.chance(0.5))
        try await Task.sleep(for: .seconds(Double.random(in: 0...0.4, using: &random)))
        try await end()
      }
      if away > 0, random.chance(away) {
        try await Task.sleep(for: .seconds(Double.random(in: 16...20, using: &random)))
      }
      try await start()
    }
  }

  // MARK: Its holder

  /// Ends the process, and its holder with all that it holds.
  public func remove() async throws {
    if process.isRunning { try await end() }
    try await killHolder()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// When its holder was killed.
  public var holderDeaths: [ContinuousClock.Instant] { state.withLockedValue { $0.holderDeaths } }

  public func killHolder() async throws { try await killHolder(holders) }

  private func killHolder(_ pids: [Int32]) async throws {
    if !pids.isEmpty { state.withLockedValue { $0.holderDeaths.append(.now) } }
    for pid in pids { kill(pid, SIGKILL) }
    try await eventually("the holder is gone") { Set(holders).isDisjoint(with: pids) }
  }

  /// At random times, until the task is cancelled.
  public func loseHolderAgainAndAgain(pause: ClosedRange<Double>, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed ^ 0x686f_6c64)
    while !Task.isCancelled {
      try await Task.sleep(for: .seconds(Double.random(in: pause, using: &random)))
      guard !holders.isEmpty else { continue }
      try await killHolder()
      state.withLockedValue { $0.kills += 1 }
    }
  }

  // MARK: Its machine

  /// Both at once, at random times, until the task is cancelled. It is back soon, or after it counted as dead.
  public func loseMachineAgainAndAgain(pause: ClosedRange<Double>, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed ^ 0x6d61_6368)
    while !Task.isCancelled {
      try await Task.sleep(for: .seconds(Double.random(in: pause, using: &random)))
      let holders = holders
      try await end()
      try await killHolder(holders)
      let absence = random.chance(0.5) ? 0...2 : 16...20.0
      try await Task.sleep(for: .seconds(Double.random(in: absence, using: &random)))
      // That what it held is lost is known once it is back.
      state.withLockedValue { $0.holderDeaths.append(.now) }
      try await start()
    }
  }

  /// The processes that hold terminals in its directory.
  public var holders: [Int32] { Self.holders(in: directory) }

  public static func holders(in directory: String) -> [Int32] {
    let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return processes.compactMap(Int32.init).filter { pid in
      guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else {
        return false
      }
      let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      return words.contains("serve") && words.contains("--detach")
        && words.contains { $0.hasPrefix(directory + "/") }
    }
  }
}
