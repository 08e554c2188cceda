// `fairlead-judge`: runs trials under chaos for as long as it is told, and prints what came of them.
// `deploy/soak.sh` builds and starts it.

import ArgumentParser
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
        fairlead-judge --kill machine --minutes 5
        fairlead-judge --move --minutes 5
        fairlead-judge --upgrade --minutes 10
      """)

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
      Both on serve and cluster by default. machine: a node of a cluster is killed together with its holder, and is \
      away for up to 20 s; sessions of the machine have to be told as lost, those in containers go on at the other \
      node. On docker-cluster by default.
      """)
  var kill: Victim?
  @Flag(
    help: """
      The nodes of cluster or docker-cluster are drained in turn, and used again: their sessions move. Nothing else is cut. \
      On docker-cluster by default.
      """)
  var move = false
  @Flag(
    help: """
      Each node, and then each router, is replaced in turn, as in a rolling upgrade, on docker-cluster by default. \
      Nothing may be lost, and no connection closed whose router stays.
      """)
  var upgrade = false
  @Option(help: "Seconds from one death, move or step of an upgrade to the next, at most.")
  var pause = 4.0
  @Option(
    help: """
      With --kill node, of a cluster: the share of deaths after which a node stays away for so long that the other one goes on \
      with its sessions.
      """)
  var away = 0.0
  @Option(help: "Decides every cut and every stream; a random one by default.")
  var seed: UInt64 = .random(in: 0...UInt64.max)
  @Option(help: "Sessions at a time.")
  var sessions = 16
  @Option(help: "Bytes that each session prints, 100,000 a second.")
  var output = 400_000
  @Flag(
    help: """
      No connection is cut, so that the pauses are those of what is killed: a node, a holder, or, on cluster without \
      --kill, a router every 7 s.
      """)
  var calm = false
  @Flag(
    help: """
      Every other time a node that would be killed stands still instead, for up to 4 s, and Redis does so now and then; on \
      cluster and docker-cluster.
      """)
  var freeze = false
  @Option(help: "Share of the connections that go silent without closing.")
  var halfOpen = 0.003

  func validate() throws {
    guard (0...1).contains(halfOpen) else { throw ValidationError("--half-open is 0 to 1") }
    guard (1...200).contains(sessions) else { throw ValidationError("--sessions is 1 to 200") }
    guard [kill != nil, move, upgrade].count(where: { $0 }) <= 1 else {
      throw ValidationError("--kill, --move and --upgrade do not go together")
    }
    let isCluster = !on.isEmpty && on.allSatisfy { $0 == .cluster || $0 == .dockerCluster }
    guard !freeze || kill == .node && isCluster else {
      throw ValidationError("--freeze goes with --kill node and --on cluster or docker-cluster")
    }
    let possible = Ground.possible(kill, maintenance)
    guard on.allSatisfy(possible.contains) else {
      throw ValidationError(
        "this goes with --on \(possible.map(\.rawValue).joined(separator: ", ")) only")
    }
    guard (1...100_000_000).contains(output) else {
      throw ValidationError("--output is 1 to 100000000")
    }
    guard (0...1).contains(away) else { throw ValidationError("--away is 0 to 1") }
    guard (0.5...3600).contains(pause) else { throw ValidationError("--pause is 0.5 to 3600") }
    guard (seconds ?? minutes) > 0 else { throw ValidationError("the time is above 0") }
  }

  private var maintenance: Maintenance? { move ? .move : upgrade ? .upgrade : nil }

  func run() async throws {
    let total = seconds ?? minutes * 60
    let grounds = on.isEmpty ? Ground.usual(kill, maintenance) : on
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
      court.output = output
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
    let fate = Fate(
      seed: seed, victim: kill, maintenance: maintenance, pause: 0.5...pause, away: away,
      halfOpen: halfOpen, isCalm: calm, freezes: freeze)
    try await ground.with(fate, trial) { aftermath in
      let (verdict, cuts) = result.get()
      result.set(tell(of: aftermath, verdict), cuts)
    }
    return result.get()
  }

  /// - Returns: the verdict, with what else was not as it has to be.
  private func tell(of aftermath: Aftermath, _ verdict: Verdict) -> Verdict {
    var verdict = verdict
    switch aftermath {
    case .killed(let processes): tell(of: processes, verdict)
    case .maintained(let book):
      let closures = book.unexplainedClosures(of: verdict)
      print(
        "\(book.rounds) \(move ? "moves" : "whole upgrades"); \(verdict.closures.count) connections were closed, "
          + "\(closures) of them while their router stayed")
      verdict.differences += book.failures
      if closures > 0 { verdict.differences.append("\(closures) connections were closed") }
    }
    return verdict
  }

  private func tell(of processes: [KeptProcess], _ verdict: Verdict) {
    let kills = processes.reduce(0) { $0 + $1.kills }
    if freeze {
      print("\(processes.reduce(0) { $0 + $1.freezes }) times a node stood still")
    }
    switch verdict.slowestLoss(after: processes.flatMap(\.holderDeaths)) {
    case nil: print("\(kills) kills")
    case let slowest?:
      print(
        "\(kills) kills; \(verdict.losses.count) clients were told of a loss, the last after "
          + "\(milliseconds(slowest))")
    }
    if !verdict.differences.isEmpty {
      print(processes.flatMap(\.remarks).joined(separator: "\n"))
    }
  }

  private func milliseconds(_ time: Duration) -> String { "\(Int(time / .milliseconds(1))) ms" }

  private func line(_ title: String, _ verdict: Verdict, _ cuts: Int) -> String {
    let pauses =
      verdict.pausesInOrder.map {
        "pauses of \(milliseconds($0.half)), 95 % up to \(milliseconds($0.most)), all up to \(milliseconds($0.all)), "
      } ?? ""
    return "\(title): \(cuts) cuts, \(verdict.sessions) sessions, \(verdict.clients) clients, "
      + "\(verdict.shown) bytes shown, \(verdict.typed) typed, \(verdict.resumed) resumed, \(pauses)"
      + "\(verdict.snapshots) snapshots, \(verdict.differences.count) differences"
  }
}

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
