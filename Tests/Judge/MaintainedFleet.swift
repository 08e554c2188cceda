// A cluster whose operator moves its sessions to and fro, or upgrades it, again and again: nothing is lost, and nobody's
// connection is closed by that but those of a router that is replaced itself (promise P11).

import NIOConcurrencyHelpers
import TestSupport
public import Wire

/// What an operator does.
public enum Maintenance: String, Sendable, CaseIterable {
  /// `fairlead drain NODE --wait`, and its undoing, of one node after another.
  case move
  /// Each node is drained, stopped, started again and used again, one after another; then each router is stopped and
  /// started again.
  case upgrade
}

/// What was done so far.
public final class MaintenanceBook: Sendable {
  /// When the router at a URL was away.
  private struct Absence {
    var url: String
    var from: ContinuousClock.Instant
    var to: ContinuousClock.Instant
  }

  private struct State {
    var rounds = 0
    var absences: [Absence] = []
    var failures: [String] = []
  }

  private let state = NIOLockedValueBox(State())

  /// Moves of one node's sessions, or whole upgrades.
  public var rounds: Int { state.withLockedValue { $0.rounds } }
  /// What was refused, or did not come about.
  public var failures: [String] { state.withLockedValue { $0.failures } }

  fileprivate func finishRound() { state.withLockedValue { $0.rounds += 1 } }
  fileprivate func note(_ failure: String) { state.withLockedValue { $0.failures.append(failure) } }

  fileprivate func note(_ url: String, awayFrom start: ContinuousClock.Instant) {
    // A client that tries to connect as it comes back may be told late.
    let absence = Absence(url: url, from: start, to: .now + .seconds(2) * patience)
    state.withLockedValue { $0.absences.append(absence) }
  }

  /// How many connections were closed whose router stayed.
  public func unexplainedClosures(of verdict: Verdict) -> Int {
    let absences = state.withLockedValue { $0.absences }
    return verdict.closures.count { closure in
      !absences.contains {
        $0.url == closure.url && $0.from <= closure.at && closure.at <= $0.to
      }
    }
  }
}

extension Fleet {
  /// Two nodes and two routers without any chaos, and an operator with pauses of so many seconds. Clients go to the
  /// routers themselves, each to its own.
  /// - Parameter options: of the nodes, such as the engine that both reach.
  public static func maintained(
    _ work: Maintenance, seed: UInt64, pause: ClosedRange<Double> = 0.5...2, options: [String],
    targets: [Target], _ body: @Sendable @escaping (Fleet, MaintenanceBook) async throws -> Void
  ) async throws {
    try await cluster(.faithful, seed: seed, options: options) { fleet, nodes in
      guard let routers = fleet.routers else { return }
      var fleet = fleet
      let front = fleet.url
      fleet.urls = await routers.all.map(\.url)
      fleet.targets = targets
      let book = MaintenanceBook()
      let `operator` = Operator(
        front: front, nodes: nodes, routers: routers, pause: pause, book: book, seed: seed)
      let working = Task { await `operator`.work(work) }
      var failure: (any Error)?
      do { try await body(fleet, book) } catch { failure = error }
      working.cancel()
      await working.value
      for node in nodes {
        do { try await node.remove() } catch { failure = failure ?? error }
      }
      if let failure { throw failure }
    }
  }
}

private struct Operator {
  /// Where all routers are reached.
  var front: String
  var nodes: [KeptProcess]
  var routers: Routers
  var pause: ClosedRange<Double>
  var book: MaintenanceBook
  var seed: UInt64

  func work(_ work: Maintenance) async {
    var random = SeededGenerator(seed: seed ^ 0x6f70_6572)
    do {
      while true {
        for (index, node) in nodes.enumerated() {
          try await rest(&random)
          try await drain("n\(index)")
          if work == .upgrade {
            try await node.end(with: 15)
            try await node.start()
          } else {
            try await rest(&random)
          }
          try await use("n\(index)")
          if work == .move { book.finishRound() }
        }
        guard work == .upgrade else { continue }
        for (index, router) in await routers.all.enumerated() {
          try await rest(&random)
          let start = ContinuousClock.now
          try await routers.restart(index, with: 15)
          book.note(router.url, awayFrom: start)
        }
        book.finishRound()
      }
    } catch is CancellationError {
    } catch {
      if !Task.isCancelled { book.note("\(work.rawValue): \(error)") }
    }
  }

  private func rest(_ random: inout SeededGenerator) async throws {
    try await Task.sleep(for: .seconds(Double.random(in: pause, using: &random)))
  }

  private func drain(_ node: String) async throws {
    let (code, output) = try await Fairlead.run(
      ["drain", node, "--wait", "--deadline", "60s", "--api", front])
    guard code == 0 else { throw ChildError("drain \(node): \(output)") }
  }

  /// Once the routers have a link to it again.
  private func use(_ node: String) async throws {
    try await eventually("\(node) takes sessions again") {
      try await Fairlead.run(["drain", node, "--undo", "--api", front]).code == 0
    }
  }
}
