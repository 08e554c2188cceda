// The judge's short run: at least 2,000 cuts, and no byte lost, doubled or changed in either direction
// (promises P1, P2, P7). `deploy/soak.sh` runs on.

import Chaos
import Judge
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15 * patience))) struct JudgeTests {
  private func expectExact(_ verdict: Verdict, _ fleet: Fleet, cuts: Int) {
    #expect(verdict.differences.isEmpty, "\(verdict.differences.joined(separator: "\n"))")
    #expect(fleet.cuts >= cuts)
    print(
      "\(fleet.cuts) cuts, \(verdict.sessions) sessions, \(verdict.clients) clients, "
        + "\(verdict.shown) bytes shown, \(verdict.typed) typed, \(verdict.resumed) resumed, "
        + "\(verdict.snapshots) snapshots, \(verdict.differences.count) differences")
  }

  @Test func outputAndInputAreExactHoweverClientsOfServeAreCut() async throws {
    let seed = SeededGenerator.announcedSeed()
    try await Fleet.serve(ChaosProfile(), seed: seed) { fleet in
      let verdict = await Court(fleet, seed: seed).sit { _ in fleet.cuts >= 1_000 }
      expectExact(verdict, fleet, cuts: 1_000)
    }
  }

  @Test func outputAndInputAreExactHoweverClientsAndLinksAreCut() async throws {
    let seed = SeededGenerator.announcedSeed()
    var links = ChaosProfile()
    links.cutAfter = 10_000...1_000_000
    try await Fleet.linked(ChaosProfile(), links: links, seed: seed) { fleet in
      let verdict = await Court(fleet, seed: seed).sit { _ in fleet.cuts >= 1_000 }
      expectExact(verdict, fleet, cuts: 1_000)
    }
  }

  @Test func outputAndInputAreExactForProcessesInAContainer() async throws {
    _ = try await DockerEngine.shared { try Test.cancel("\($0)") }
    let seed = SeededGenerator.announcedSeed()
    try await Fleet.withDocker { options, target in
      try await Fleet.serve(ChaosProfile(), seed: seed, options: options) { fleet in
        var court = Court(fleet.with(target: target), seed: seed)
        court.atATime = 8
        let verdict = await court.sit { _ in fleet.cuts >= 200 }
        expectExact(verdict, fleet, cuts: 200)
      }
    }
  }
}
