// Fleets whose terminals holders keep, while nodes are killed, or the holders themselves, or both.

public import Chaos
import Foundation
public import Wire

/// What is killed again and again.
public enum Victim: String, Sendable, CaseIterable {
  /// A node, or the process of `serve`: its sessions must go on as if nothing had happened.
  case node
  /// What holds the terminals: its sessions must be told at once that they are lost.
  case holder
  /// A node together with what holds this machine's terminals. Those are lost, and told to be; sessions in containers
  /// must go on at another node.
  case machine

  var takesTerminals: Bool { self != .node }
}

extension Fleet {
  /// `fairlead serve` that loses `victim` with pauses of so many seconds, chaos before it.
  public static func kept(
    _ profile: ChaosProfile = .faithful, seed: UInt64 = 0, victim: Victim = .node,
    pause: ClosedRange<Double> = 0.5...4, options: [String] = [], target: Target = .pty,
    _ body: @Sendable (Fleet, [KeptProcess]) async throws -> Void
  ) async throws {
    let server = try await KeptProcess.serve(options: options)
    let front = try await client(profile, port: server.port, seed: seed)
    var fleet = Fleet(url: "http://127.0.0.1:\(front.port)", proxies: [front])
    fleet.losesSessions = victim.takesTerminals
    fleet.targets = [target]
    let failure = await whileLosing(victim, of: [server], pause: pause, seed: seed) {
      try await body(fleet, [server])
    }
    try await front.stop()
    if let failure { throw failure }
  }

  /// Two nodes that lose `victim` each with pauses of so many seconds, and two routers.
  /// - Parameter away: the share of the deaths of nodes after which the other one is to take over.
  public static func keptCluster(
    _ chaos: ClusterChaos, seed: UInt64, victim: Victim = .node,
    pause: ClosedRange<Double> = 0.5...4, away: Double = 0, options: [String] = [],
    targets: [Target] = [.pty],
    _ body: @Sendable @escaping (Fleet, [KeptProcess]) async throws -> Void
  ) async throws {
    try await cluster(chaos, seed: seed, options: options) { fleet, nodes in
      var fleet = fleet
      fleet.losesSessions = victim.takesTerminals
      fleet.targets = targets
      let failure = await whileLosing(
        victim, of: nodes, pause: pause, away: away, freezes: chaos.freezes, seed: seed
      ) { [fleet] in
        try await body(fleet, nodes)
      }
      if let failure { throw failure }
    }
  }

  /// Two nodes that may have each other's sessions, and two routers.
  static func cluster(
    _ chaos: ClusterChaos, seed: UInt64, options: [String],
    _ body: (Fleet, [KeptProcess]) async throws -> Void
  ) async throws {
    let files = FileManager.default
    let folder = files.temporaryDirectory.path + "/siblings-\(UUID().uuidString.prefix(8))"
    try files.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { try? files.removeItem(atPath: folder) }
    let key = folder + "/key"
    try Data((UUID().uuidString + UUID().uuidString).utf8).write(to: URL(fileURLWithPath: key))
    let keyOptions = ["--cluster-key-file", key]
    try await cluster(chaos, seed: seed, routerOptions: ["--no-auth"] + keyOptions) { place in
      try await KeptProcess.node(
        place.id, redis: place.redis, port: place.port, advertise: place.advertised, in: folder,
        options: keyOptions + ["--takeover", "siblings"] + options)
    } body: { fleet, nodes in
      try await body(fleet, nodes)
    }
  }

  /// Runs `body`, and removes the processes.
  /// - Returns: why it, or one of them, failed.
  private static func whileLosing(
    _ victim: Victim, of processes: [KeptProcess], pause: ClosedRange<Double>, away: Double = 0,
    freezes: Bool = false, seed: UInt64, _ body: () async throws -> Void
  ) async -> (any Error)? {
    let losing = processes.enumerated().map { index, process in
      Task {
        try await process.lose(
          victim, again: pause, away: away, freezes: freezes, seed: seed &+ UInt64(index))
      }
    }
    var failure: (any Error)?
    do { try await body() } catch { failure = error }
    for task in losing { task.cancel() }
    for task in losing {
      do { try await task.value } catch is CancellationError {} catch { failure = failure ?? error }
    }
    for process in processes {
      do { try await process.remove() } catch { failure = failure ?? error }
    }
    return failure
  }
}

extension KeptProcess {
  fileprivate func lose(
    _ victim: Victim, again pause: ClosedRange<Double>, away: Double, freezes: Bool, seed: UInt64
  ) async throws {
    switch victim {
    case .node: try await dieAgainAndAgain(pause: pause, away: away, freezes: freezes, seed: seed)
    case .holder: try await loseHolderAgainAndAgain(pause: pause, seed: seed)
    case .machine: try await loseMachineAgainAndAgain(pause: pause, seed: seed)
    }
  }
}
