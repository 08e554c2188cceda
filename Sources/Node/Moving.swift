// How sessions move while both nodes live (promise P11). A node that is drained, or stopped, offers each of them to another
// one, which gets ready: it opens its relay to the session's holder, and asks what that has. Only then does the first let
// go of the record, and until then it serves: a session stands still for no longer than its record takes to change hands.
// The two talk by the registry (`MoveOffer`).

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Registry
import Wire

extension Node {
  private var registry: any Registry { context.records.registry }

  // MARK: The one that has them

  /// Hands over what another node can have while this one is drained, until the task is cancelled.
  func moveWhileDrained() async {
    var refusals: [SessionID: Set<NodeID>] = [:]
    while !Task.isCancelled {
      try? await Task.sleep(for: NodeLimits.movingInterval)
      guard !Task.isCancelled, context.isDrained.withLockedValue({ $0 }) else {
        refusals = [:]
        continue
      }
      do { try await moveSome(&refusals, patience: NodeLimits.movePatience) } catch {
        logger.debug("nothing could be handed over", metadata: ["error": "\(error)"])
      }
    }
  }

  /// The same once, before the node stops. What has not moved in time is let go of all the same.
  func moveBeforeStopping() async {
    guard context.sharesHolders, !context.endsSessions else { return }
    context.isLeaving.withLockedValue { $0 = true }
    var refusals: [SessionID: Set<NodeID>] = [:]
    let end = ContinuousClock.now + NodeLimits.farewellMoves
    while case let left = end - ContinuousClock.now, left > .zero,
      let moved = try? await moveSome(&refusals, patience: left), moved > 0
    {}
  }

  /// Moves some sessions.
  /// - Parameters:
  ///   - refusals: the nodes that could not get ready for a session.
  ///   - patience: for who does not say whether it is ready: a node of an earlier version gets ready once it is asked for
  ///     the session. One that has not been heard of since gets nothing: here the session is served.
  /// - Returns: how many.
  @discardableResult
  private func moveSome(
    _ refusals: inout [SessionID: Set<NodeID>], patience: Duration
  ) async throws -> Int {
    guard context.sharesHolders else { return 0 }
    let start = ContinuousClock.now
    let deadline = start + patience
    var offers = self.offers(of: try await movableSessions(), to: try await successors, &refusals)
    for (node, asked) in offers { try await registry.setOffers(asked, to: node) }
    var moved = 0
    while !offers.isEmpty {
      let isLate = ContinuousClock.now >= deadline
      let heard = isLate ? try await nodes(heardOfSince: start) : []
      for (node, asked) in offers {
        let told = try await registry.offers(to: node)
        let isAway = isLate && !heard.contains(node)
        let refused = asked.filter { session, _ in
          told[session]?.state == .refused || isAway && told[session]?.state != .ready
        }
        for session in refused.keys { refusals[session, default: []].insert(node) }
        try await registry.removeOffers(Array(refused.keys), to: node)
        let ready = asked.filter { session, _ in
          told[session]?.state == .ready || isLate && refused[session] == nil
        }
        moved += try await move(ready, to: node)
        let left = asked.filter { refused[$0.key] == nil && ready[$0.key] == nil }
        offers[node] = left.isEmpty ? nil : left
      }
      if !offers.isEmpty { try await Task.sleep(for: NodeLimits.offerLook) }
    }
    guard moved > 0 else { return 0 }
    logger.notice(
      "sessions were handed over to other nodes",
      metadata: ["node": "\(id)", "sessions": "\(moved)", "left": "\(sessions)"])
    return moved
  }

  /// The nodes that have renewed their leases since.
  private func nodes(heardOfSince time: ContinuousClock.Instant) async throws -> Set<NodeID> {
    let elapsed = Int((ContinuousClock.now - time) / .milliseconds(1))
    return Set(
      try await registry.nodes().filter {
        $0.isLive && $0.leaseMilliseconds > Lease.length - elapsed
      }
      .map(\.record.id))
  }

  /// The nodes that could have sessions of this one.
  private var successors: [NodeEntry] {
    get async throws {
      let reach = context.reach
      return try await registry.nodes().filter { node in
        node.record.id != id && node.takesNew
          && reach.contains { node.record.labels[$0.key] == $0.value }
      }
    }
  }

  /// Some sessions that other nodes could have, and what holds each.
  private func movableSessions() async throws -> [SessionID: String] {
    var movable: [SessionID: String] = [:]
    for (index, loop) in loops.enumerated() {
      let found = try await eventLoops[index].submit {
        loop.value.movableSessions(atMost: NodeLimits.movedAtOnce)
      }.get()
      movable.merge(found) { $1 }
    }
    return movable
  }

  private func offers(
    of movable: [SessionID: String], to successors: [NodeEntry],
    _ refusals: inout [SessionID: Set<NodeID>]
  ) -> [NodeID: [SessionID: MoveOffer]] {
    var offers: [NodeID: [SessionID: MoveOffer]] = [:]
    for (session, holder) in movable {
      guard let label = HolderName.label(of: holder) else { continue }
      let refused = refusals[session] ?? []
      let ranked = Placement.rank(
        session, nodes: successors.filter { !refused.contains($0.record.id) },
        requirements: [label.key: label.value])
      // The session exists, and takes a place wherever it is.
      if let chosen = Placement.choose(ranked) ?? Placement.lastResort(ranked) {
        offers[chosen.node, default: [:]][session] = MoveOffer(.asked, holder: holder)
      } else {
        // All have refused: they are asked again.
        refusals[session] = nil
      }
    }
    return offers
  }

  private func move(_ ready: [SessionID: MoveOffer], to node: NodeID) async throws -> Int {
    var free: [SessionID: MoveOffer] = [:]
    for (index, loop) in loops.enumerated() {
      let own = ready.keys.filter { $0.loopIndex(of: loops.count) == index }
      guard !own.isEmpty else { continue }
      let moved = try await eventLoops[index].flatSubmit { loop.value.move(own, to: node) }.get()
      for session in moved {
        free[session] = ready[session].map { MoveOffer(.free, holder: $0.holder) }
      }
    }
    try await registry.setOffers(free, to: node)
    return free.count
  }

  // MARK: The one that is to have them

  /// Gets ready for sessions that others offer, and takes them once they are let go of, until the task is cancelled.
  func takeOffers() async {
    var isOffered = false
    while !Task.isCancelled {
      try? await Task.sleep(for: isOffered ? NodeLimits.offerLook : NodeLimits.offerInterval)
      guard !Task.isCancelled, context.sharesHolders else { continue }
      // If the registry does not answer now, the offers are still there when it does.
      isOffered = (try? await considerOffers()) ?? isOffered
    }
  }

  /// - Returns: whether there were any.
  private func considerOffers() async throws -> Bool {
    let offers = try await registry.offers(to: id)
    var answers: [SessionID: MoveOffer] = [:]
    for (index, loop) in loops.enumerated() {
      let own = offers.filter { $0.key.loopIndex(of: loops.count) == index }
      let said = try await eventLoops[index].submit { loop.value.consider(own) }.get()
      answers.merge(said) { $1 }
    }
    try await registry.setOffers(answers, to: id)
    let taken = offers.filter { $0.value.state == .free }
    try await registry.removeOffers(Array(taken.keys), to: id)
    return !offers.isEmpty
  }
}
