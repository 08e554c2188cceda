// What trials run on, and what happens there meanwhile.

public import ArgumentParser
import Chaos
import Judge
import TestSupport
import Wire

/// What happens to a fleet while it is judged.
struct Fate: Sendable {
  var seed: UInt64
  var victim: Victim?
  var maintenance: Maintenance?
  /// Seconds from one thing that happens to the next.
  var pause: ClosedRange<Double>
  /// Share of the deaths of a cluster's nodes after which the other one is to take over.
  var away: Double
  /// Share of the connections that go silent without closing.
  var halfOpen: Double
  /// Connections are left alone.
  var isCalm: Bool
  /// Nodes and Redis also stand still.
  var freezes: Bool

  var clients: ChaosProfile {
    guard !isCalm else { return .faithful }
    var clients = ChaosProfile()
    clients.halfOpenShare = halfOpen
    clients.delay = 0...3
    return clients
  }

  var links: ChaosProfile {
    guard !isCalm else { return .faithful }
    var links = ChaosProfile()
    links.cutAfter = 10_000...3_000_000
    links.halfOpenShare = halfOpen
    return links
  }

  var cluster: ClusterChaos {
    var chaos = ClusterChaos()
    chaos.clients = clients
    chaos.links = links
    if !isCalm {
      chaos.redis.cutShare = 0.5
      chaos.redis.cutAfter = 1_000...50_000
    }
    chaos.freezes = freezes
    if !isCalm || victim == nil { chaos.routerDeaths = .seconds(7) }
    return chaos
  }
}

/// What is left to be told of it.
enum Aftermath: Sendable {
  /// Processes that were killed, or whose holders were.
  case killed([KeptProcess])
  case maintained(MaintenanceBook)
}

enum Ground: String, ExpressibleByArgument, CaseIterable {
  case serve, linked, cluster, docker
  case dockerCluster = "docker-cluster"

  /// Those where that can happen.
  static func possible(_ victim: Victim?, _ maintenance: Maintenance?) -> [Ground] {
    switch (victim, maintenance) {
    case (_, .move?), (_, .upgrade?), (.machine?, _): [.cluster, .dockerCluster]
    case (.holder?, _): [.serve, .cluster]
    case (.node?, _): [.serve, .cluster, .docker, .dockerCluster]
    case (nil, nil): allCases
    }
  }

  static func usual(_ victim: Victim?, _ maintenance: Maintenance?) -> [Ground] {
    if maintenance != nil || victim == .machine { return [.dockerCluster] }
    return victim == nil ? [.serve, .linked, .cluster] : [.serve, .cluster]
  }

  /// Runs the trial there.
  /// - Parameter afterwards: told what has happened meanwhile, where something was to.
  func with(
    _ fate: Fate, _ trial: @escaping @Sendable (Fleet) async -> Void,
    afterwards: @escaping @Sendable (Aftermath) -> Void
  ) async throws {
    switch self {
    case .serve, .linked, .cluster:
      try await with(fate, [], [.pty], trial, afterwards: afterwards)
    case .docker, .dockerCluster:
      try await Fleet.withDocker { options, target in
        // Of a machine's death and of an upgrade, either kind of session has something to tell.
        let both = fate.victim == .machine || fate.maintenance == .upgrade
        try await with(
          fate, options, both ? [target, .pty] : [target], trial, afterwards: afterwards)
      }
    }
  }

  /// - Parameter options: of the nodes.
  private func with(
    _ fate: Fate, _ options: [String], _ targets: [Target],
    _ trial: @escaping @Sendable (Fleet) async -> Void,
    afterwards: @escaping @Sendable (Aftermath) -> Void
  ) async throws {
    let isOneProcess = self == .serve || self == .docker
    let aimed: @Sendable (Fleet) async -> Void = { fleet in
      var fleet = fleet
      fleet.targets = targets
      await trial(fleet)
    }
    switch (fate.maintenance, fate.victim) {
    case (let maintenance?, _):
      try await Fleet.maintained(
        maintenance, seed: fate.seed, pause: fate.pause, options: options, targets: targets
      ) {
        await trial($0)
        afterwards(.maintained($1))
      }
    case (nil, let victim?) where isOneProcess:
      try await Fleet.kept(
        fate.clients, seed: fate.seed, victim: victim, pause: fate.pause, options: options,
        target: targets[0]
      ) {
        await trial($0)
        afterwards(.killed($1))
      }
    case (nil, let victim?):
      try await Fleet.keptCluster(
        fate.cluster, seed: fate.seed, victim: victim, pause: fate.pause, away: fate.away,
        options: options, targets: targets
      ) {
        await trial($0)
        afterwards(.killed($1))
      }
    case (nil, nil) where self == .linked:
      try await Fleet.linked(fate.clients, links: fate.links, seed: fate.seed, trial)
    case (nil, nil) where isOneProcess:
      try await Fleet.serve(fate.clients, seed: fate.seed, options: options, aimed)
    case (nil, nil):
      try await Fleet.cluster(fate.cluster, seed: fate.seed, nodeOptions: options, aimed)
    }
  }
}

extension Victim: ExpressibleByArgument {}
