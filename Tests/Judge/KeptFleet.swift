// Fleets whose terminals holders keep, while nodes are killed, or the holders themselves.

public import Chaos
public import Wire

/// What is killed again and again.
public enum Victim: String, Sendable, CaseIterable {
  /// A node, or the process of `serve`: its sessions must go on as if nothing had happened.
  case node
  /// What holds the terminals: its sessions must be told at once that they are lost.
  case holder
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
    fleet.losesSessions = victim == .holder
    fleet.target = target
    let failure = await whileDying([server], victim, pause: pause, seed: seed) {
      try await body(fleet, [server])
    }
    try await front.stop()
    if let failure { throw failure }
  }

  /// Two nodes that lose `victim` each with pauses of so many seconds, and two routers.
  public static func keptCluster(
    _ chaos: ClusterChaos, seed: UInt64, victim: Victim = .node,
    pause: ClosedRange<Double> = 0.5...4,
    _ body: @Sendable @escaping (Fleet, [KeptProcess]) async throws -> Void
  ) async throws {
    try await cluster(chaos, seed: seed) { place in
      try await KeptProcess.node(
        place.id, redis: place.redis, port: place.port, advertise: place.advertised)
    } body: { fleet, nodes in
      var fleet = fleet
      fleet.losesSessions = victim == .holder
      let failure = await whileDying(nodes, victim, pause: pause, seed: seed) { [fleet] in
        try await body(fleet, nodes)
      }
      if let failure { throw failure }
    }
  }

  /// Runs `body`, and removes the processes.
  /// - Returns: why it, or one of them, failed.
  private static func whileDying(
    _ processes: [KeptProcess], _ victim: Victim, pause: ClosedRange<Double>, seed: UInt64,
    _ body: () async throws -> Void
  ) async -> (any Error)? {
    let killing = processes.enumerated().map { index, process in
      Task {
        let seed = seed &+ UInt64(index)
        switch victim {
        case .node: try await process.dieAgainAndAgain(pause: pause, seed: seed)
        case .holder: try await process.loseHolderAgainAndAgain(pause: pause, seed: seed)
        }
      }
    }
    var failure: (any Error)?
    do { try await body() } catch { failure = error }
    for task in killing { task.cancel() }
    for task in killing {
      do { try await task.value } catch is CancellationError {} catch { failure = failure ?? error }
    }
    for process in processes {
      do { try await process.remove() } catch { failure = failure ?? error }
    }
    return failure
  }
}
