// What operators do to a cluster, and what machines do to it, by the judge: sessions that can go on elsewhere do, each byte
// passes once, and what cannot is told (promises P1, P2, P3, P10, P11). `deploy/soak.sh` runs on.

import Judge
import TestSupport
import Testing
import Wire

@Suite(.serialized, .timeLimit(.minutes(6 * patience))) struct MaintenanceTests {
  private func court(_ fleet: Fleet, _ seed: UInt64) -> Court {
    var court = Court(fleet, seed: seed)
    court.atATime = 4
    court.output = 1_000_000
    return court
  }

  private func figures(_ verdict: Verdict) -> String {
    let pauses = verdict.pausesInOrder.map { "pauses of \($0.half), up to \($0.all)" } ?? ""
    return "\(verdict.sessions) sessions, \(verdict.resumed) resumed, \(pauses)"
  }

  private func judge(
    _ work: Maintenance, rounds: Int, _ targets: (Target) -> [Target]
  ) async throws {
    _ = try await DockerEngine.shared { try Test.cancel("\($0)") }
    try await Fleet.withDocker { options, target in
      try await judge(work, rounds: rounds, options: options, targets(target))
    }
  }

  private func judge(
    _ work: Maintenance, rounds: Int, options: [String] = [], _ targets: [Target]
  ) async throws {
    let seed = SeededGenerator.announcedSeed()
    try await Fleet.maintained(work, seed: seed, options: options, targets: targets) {
      fleet, book in
      let verdict = await court(fleet, seed).sit { _ in
        book.rounds >= rounds || !book.failures.isEmpty
      }
      #expect(verdict.differences.isEmpty, "\(verdict.differences)")
      #expect(book.failures.isEmpty)
      #expect(book.rounds >= rounds)
      #expect(book.unexplainedClosures(of: verdict) == 0)
      #expect(verdict.resumed > 0)
      print("\(book.rounds) rounds of \(work), \(figures(verdict))")
    }
  }

  @Test func sessionsInContainersMoveToAndFroExactly() async throws {
    try await judge(.move, rounds: 5) { [$0] }
  }

  @Test func terminalsOfAMachineMoveToAndFroExactly() async throws {
    try await judge(.move, rounds: 5, [.pty])
  }

  @Test func aRollingUpgradeLosesNothingAndClosesNoConnectionWhoseRouterStays() async throws {
    try await judge(.upgrade, rounds: 1) { [$0, .pty] }
  }

  @Test func ofAMachineThatIsLostOnlyItsOwnTerminalsAre() async throws {
    _ = try await DockerEngine.shared { try Test.cancel("\($0)") }
    let seed = SeededGenerator.announcedSeed()
    try await Fleet.withDocker { options, target in
      try await Fleet.keptCluster(
        .faithful, seed: seed, victim: .machine, pause: 2...6, options: options,
        targets: [target, .pty]
      ) { fleet, nodes in
        let verdict = await court(fleet, seed).sit { _ in nodes.reduce(0) { $0 + $1.kills } >= 4 }
        #expect(verdict.differences.isEmpty, "\(verdict.differences)\n\(nodes.flatMap(\.remarks))")
        #expect(!verdict.losses.isEmpty)
        print("\(verdict.losses.count) clients were told of a loss, \(figures(verdict))")
      }
    }
  }
}
