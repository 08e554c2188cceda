// `fairlead-judge`: runs trials under chaos for as long as it is told, and prints what came of them.
// `deploy/soak.sh` builds and starts it.

public import ArgumentParser
import Chaos
import Foundation
import Judge
import TestSupport

@main struct JudgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fairlead-judge",
    abstract: "Compares what clients are shown and processes read with what was printed and typed.",
    discussion: """
      Starts fairlead, puts fault-injecting proxies into every connection, and runs sessions whose \
      process prints one numbered stream and reads another, until the time is over. Every byte is \
      compared. Exit code 1: something differed; the lines say what, and the seed.

        fairlead-judge --minutes 30
        fairlead-judge --on serve --seconds 20 --seed 42
        fairlead-judge --kill node --minutes 15
        fairlead-judge --kill holder --on serve --seconds 60
      """)

  enum Ground: String, ExpressibleByArgument, CaseIterable {
    case serve, linked, cluster, docker
    case dockerCluster = "docker-cluster"

    /// Whether the processes run in a container.
    var isDocker: Bool { self == .docker || self == .dockerCluster }
  }

  @Option(help: "How long.")
  var minutes = 1.0
  @Option(help: "How long, in seconds; instead of --minutes.")
  var seconds: Double?
  @Option(
    help: """
      serve, linked (router and node in one process), cluster, and serve and cluster with sessions in \
      a container: docker, docker-cluster (as root: an engine is started); repeat. The first three by \
      default.
      """)
  var on: [Ground] = []
  @Option(
    help: """
      node: the process of serve, or of each node, is killed again and again, and started with the same \
      arguments; a holder keeps its terminals. holder: that is killed, and its sessions have to be told as lost. \
      Goes with serve and cluster, which are the default then.
      """)
  var kill: Victim?
  @Option(help: "Seconds from one death to the next, at most.")
  var pause = 4.0
  @Option(help: "Decides every cut and every stream; a random one by default.")
  var seed: UInt64 = .random(in: 0...UInt64.max)
  @Option(help: "Sessions at a time.")
  var sessions = 16
  @Option(help: "Share of the connections that go silent without closing.")
  var halfOpen = 0.003

  func validate() throws {
    guard (0...1).contains(halfOpen) else { throw ValidationError("--half-open is 0 to 1") }
    guard (1...200).contains(sessions) else { throw ValidationError("--sessions is 1 to 200") }
    guard kill == nil || on.allSatisfy({ $0 == .serve || $0 == .cluster }) else {
      throw ValidationError("--kill goes with --on serve and --on cluster")
    }
    guard (0.5...3600).contains(pause) else { throw ValidationError("--pause is 0.5 to 3600") }
    guard (seconds ?? minutes) > 0 else { throw ValidationError("the time is above 0") }
  }

  func run() async throws {
    let total = seconds ?? minutes * 60
    let usual = kill == nil ? [.serve, .linked, .cluster] : [Ground.serve, .cluster]
    let grounds = on.isEmpty ? usual : on
    print("judging for \(Int(total)) s on \(grounds.map(\.rawValue).joined(separator: ", "))")
    print("again with: --seed \(seed) --seconds \(Int(total))")
    var all = Verdict()
    var cuts = 0
    let start = ContinuousClock.now
    for (index, ground) in grounds.enumerated() {
      let end = start + .seconds(total * Double(index + 1) / Double(grounds.count))
      let (verdict, count) = try await judge(ground, until: end, seed: seed &+ UInt64(index) << 32)
      all += verdict
      cuts += count
    }
    print(line("verdict", all, cuts))
    for difference in all.differences { print("  \(difference)") }
    print(all.differences.isEmpty ? "EXACT" : "DIFFERENT (seed \(seed))")
    if !all.differences.isEmpty { throw ExitCode(1) }
  }

  private func judge(_ ground: Ground, until end: ContinuousClock.Instant, seed: UInt64)
    async throws -> (Verdict, Int)
  {
    let result = ResultBox()
    let trial: @Sendable (Fleet) async -> Void = { fleet in
      var court = Court(fleet, seed: seed)
      court.atATime = sessions
      let start = ContinuousClock.now
      let verdict = await court.sit(
        progress: { verdict in
          guard result.isDue() else { return }
          let seconds = Int((ContinuousClock.now - start) / .seconds(1))
          print(line("\(ground.rawValue) \(seconds) s", verdict, fleet.cuts))
          fflush(nil)
        }, until: { _ in ContinuousClock.now >= end })
      print(line("\(ground.rawValue)", verdict, fleet.cuts))
      fflush(nil)
      result.set(verdict, fleet.cuts)
    }
    try await prepare(ground, seed: seed, trial) { processes in
      tell(of: processes, result.get().0)
    }
    return result.get()
  }

  /// Runs the trial on that ground.
  /// - Parameter afterwards: told of the processes that were killed, or whose holders were.
  private func prepare(
    _ ground: Ground, seed: UInt64, _ trial: @escaping @Sendable (Fleet) async -> Void,
    afterwards: @escaping @Sendable ([KeptProcess]) -> Void
  ) async throws {
    var clients = ChaosProfile()
    clients.halfOpenShare = halfOpen
    clients.delay = 0...3
    var links = ChaosProfile()
    links.cutAfter = 10_000...3_000_000
    links.halfOpenShare = halfOpen
    var chaos = ClusterChaos()
    chaos.clients = clients
    chaos.links = links
    chaos.redis.cutShare = 0.5
    chaos.redis.cutAfter = 1_000...50_000
    chaos.routerDeaths = .seconds(7)
    switch (ground, kill) {
    case (.serve, let victim?):
      try await Fleet.kept(clients, seed: seed, victim: victim, pause: 0.5...pause) {
        await trial($0)
        afterwards($1)
      }
    case (.cluster, let victim?):
      try await Fleet.keptCluster(chaos, seed: seed, victim: victim, pause: 0.5...pause) {
        await trial($0)
        afterwards($1)
      }
    case (.serve, nil): try await Fleet.serve(clients, seed: seed, trial)
    case (.docker, _):
      try await Fleet.withDocker { [clients] options, target in
        try await Fleet.serve(clients, seed: seed, options: options) { fleet in
          await trial(fleet.with(target: target))
        }
      }
    case (.linked, _): try await Fleet.linked(clients, links: links, seed: seed, trial)
    case (.cluster, nil): try await Fleet.cluster(chaos, seed: seed, trial)
    case (.dockerCluster, _):
      try await Fleet.withDocker { [chaos] options, target in
        try await Fleet.cluster(chaos, seed: seed, nodeOptions: options) { fleet in
          await trial(fleet.with(target: target))
        }
      }
    }
  }

  private func tell(of processes: [KeptProcess], _ verdict: Verdict) {
    let kills = processes.reduce(0) { $0 + $1.kills }
    switch verdict.slowestLoss(after: processes.flatMap(\.holderDeaths)) {
    case nil: print("\(kills) kills")
    case let slowest?:
      print(
        "\(kills) kills; \(verdict.losses.count) clients were told of a loss, the last after "
          + "\(Int(slowest / .milliseconds(1))) ms")
    }
    if !verdict.differences.isEmpty {
      print(processes.flatMap(\.remarks).joined(separator: "\n"))
    }
  }

  private func line(_ title: String, _ verdict: Verdict, _ cuts: Int) -> String {
    "\(title): \(cuts) cuts, \(verdict.sessions) sessions, \(verdict.clients) clients, "
      + "\(verdict.shown) bytes shown, \(verdict.typed) typed, \(verdict.resumed) resumed, "
      + "\(verdict.snapshots) snapshots, \(verdict.differences.count) differences"
  }
}

extension Victim: ExpressibleByArgument {}

/// What one ground came to, and when it was last spoken of.
private final class ResultBox: @unchecked Sendable {
  // Sendable: everything is only touched under `lock`.
  private let lock = NSLock()
  private var verdict = Verdict()
  private var cuts = 0
  private var spoken = ContinuousClock.now

  func set(_ verdict: Verdict, _ cuts: Int) {
    lock.withLock { (self.verdict, self.cuts) = (verdict, cuts) }
  }
  func get() -> (Verdict, Int) { lock.withLock { (verdict, cuts) } }

  /// At most every 5 seconds.
  func isDue() -> Bool {
    lock.withLock {
      guard ContinuousClock.now - spoken >= .seconds(5) else { return false }
      spoken = .now
      return true
    }
  }
}
