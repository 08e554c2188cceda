// Routers, clients and explanations, for operators alone.

import API
import APIServer
import Auth
import Registry
import Wire

extension RouterOperations {
  func routers() async throws -> RoutersAnswer {
    try mayOperate(.inspect)
    var use = ProcessUse()
    // One that only lives for a command is none of the cluster's.
    let record = await context.isListed ? loops.record(&use) : nil
    let own = record.map {
      RouterView(RouterEntry(record: $0, leaseMilliseconds: Lease.router))
    }
    do {
      let listed = try await registryAnswer { try await $0.routers() }.map(RouterView.init)
      let others = listed.filter { $0.incarnation != context.incarnation }
      // What it wrote last has its share of the processor.
      var present = own
      if let last = listed.first(where: { $0.incarnation == context.incarnation }) {
        present?.processor = last.processor
      }
      let all = (others + [present].compactMap { $0 }).sorted {
        ($0.id.rawValue, $0.started) < ($1.id.rawValue, $1.started)
      }
      return RoutersAnswer(routers: all, answering: context.incarnation)
    } catch {
      return RoutersAnswer(
        routers: [own].compactMap { $0 }, answering: context.incarnation,
        registry: RegistryGap(reason: error.message, age: context.lastNodes?.age ?? 0))
    }
  }

  func clients() async throws -> [ClientView] {
    try mayOperate(.inspect)
    var views: [ClientView] = []
    for loop in loops.eventLoops { views += await loops.on(loop) { $0.clientViews() } ?? [] }
    return views.sorted { ($0.since, $0.from) < ($1.since, $1.from) }
  }

  func kick(_ client: ClientID) async throws -> Int {
    try mayOperate(.kick)
    var count = 0
    for loop in loops.eventLoops { count += await loops.on(loop) { $0.kick(client) } ?? 0 }
    guard count > 0 else {
      throw OperationError(.notFound, "no client \(client) is connected to router \(context.id)")
    }
    audit(.kick, message: "client \(client), \(count) connection\(count == 1 ? "" : "s")")
    await note(.kick, "client \(client) was sent away from router \(context.id)")
    return count
  }

  func registryHealth() async throws -> RegistryHealth {
    try mayOperate(.inspect)
    return try await registryAnswer { try await $0.health() }
  }

  func explain(_ id: SessionID, as creation: Creation) async throws -> SessionExplanation {
    try mayOperate(.inspect, session: id)
    let known = try await allNodes()
    let nodes = known.nodes
    let ranked = Placement.rank(
      id, nodes: nodes, inFlight: context.inFlight(), requirements: creation.requirements)
    let entries = Dictionary(nodes.map { ($0.record.id, $0) }) { $1 }
    let candidates = ranked.map { candidate in
      SessionExplanation.Candidate(
        candidate, capacity: entries[candidate.node]?.record.capacity ?? 0,
        labels: entries[candidate.node]?.record.labels ?? [:],
        link: entries[candidate.node].flatMap { context.health.view(of: $0.record) })
    }
    let memory = context.owner(of: id)
    var explanation = SessionExplanation(
      session: id, router: context.id, explanation: "", candidates: candidates,
      chosen: Placement.choose(ranked)?.node)
    explanation.memory = memory.map {
      SessionExplanation.Memory(node: $0.node, epoch: $0.epoch)
    }
    explanation.registry = known.gap
    do {
      if let record = try await registryAnswer({ try await $0.lookUp(id) }) {
        explanation.record = SessionExplanation.Record(record)
        explanation.history = record.tenures
        explanation.lease = entries[record.node]?.leaseMilliseconds
      }
      explanation.explanation = try await located(id)
    } catch let error as OperationError {
      explanation.registry = known.gap ?? RegistryGap(reason: error.message, age: 0)
      explanation.explanation = (try? await located(id)) ?? error.message
    }
    return explanation
  }

  /// Where it is, or why it is nowhere, in a sentence.
  private func located(_ id: SessionID) async throws -> String {
    do {
      switch try await whereabouts(of: id) {
      case .at(let location): return location.explanation
      case .nowhere(let ranked):
        guard Placement.choose(ranked) != nil else {
          return "does not exist; " + OperationError.noNode(ranked).message
        }
        return try SessionLocation(id, placedBy: ranked).explanation
      }
    } catch let error as OperationError where error.code == .gone {
      return error.message
    }
  }
}
