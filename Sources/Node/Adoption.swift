// What a node does about sessions in containers beside what routers ask of it: it takes over those that no node has and
// no client asks for, and hands its own over while it is being drained.

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Registry
import Wire

extension Node {
  /// Takes up what is nobody's, until the task is cancelled.
  func adopt() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: NodeLimits.adoptionInterval)
      if Task.isCancelled { return }
      do { try await adoptOnce() } catch {
        logger.debug("nothing could be adopted", metadata: ["error": "\(error)"])
      }
    }
  }

  private func adoptOnce() async throws {
    guard context.sharesHolders else { return }
    // While the registry was away every node's lease has ended: the others are heard of first.
    guard registrySteadySince.withLockedValue({ .now - $0 }) >= NodeLimits.adoptionPatience else {
      return
    }
    let registry = context.records.registry
    let nodes = try await registry.nodes()
    // A session that this node could not attach a moment ago is free, and its record may still name this node.
    let hasPutBack = context.hasPutBack.withLockedValue { hasPutBack in
      defer { hasPutBack = false }
      return hasPutBack
    }
    guard nodes.first(where: { $0.record.id == id })?.isDraining == false,
      hasPutBack || nodes.contains(where: { $0.record.id != id && ($0.isDead || $0.isDraining) })
    else { return }
    let able = nodes.filter { $0.isLive && !$0.isDraining }
    let owners = able.filter { !hasPutBack || $0.record.id != id }
    let others = Dictionary(owners.map { ($0.record.id, $0.record.incarnation) }) { $1 }
    let left = try await registry.sessions(notOn: others, limit: NodeLimits.adoptedAtOnce)
    let found = left.sessions.filter { session, record in
      guard record.ownerState(among: nodes) == .free, record.isWithin(reach: context.engines),
        let engine = record.engine
      else { return false }
      // All see the same nodes, and so agree whose it is to be; the registry decides where they do not.
      return Placement.choose(
        session, nodes: able, requirements: [HolderName.engineLabel: engine]) == id
    }
    for (session, _) in found.prefix(NodeLimits.takenAtOnce) {
      let index = session.loopIndex(of: loops.count)
      let loop = loops[index]
      try await eventLoops[index].submit { loop.value.adopt(session) }.get()
    }
  }

  // MARK: A drain

  /// Hands over what another node can have, some at a time. To be called with each heartbeat while the node is drained.
  func moveSessions() async throws {
    guard context.sharesHolders else { return }
    let nodes = try await context.records.registry.nodes()
    let canTake = nodes.contains { node in
      node.record.id != id && node.isLive && !node.isDraining
        && node.record.labels[HolderName.engineLabel].map(context.engines.contains) == true
    }
    guard canTake else { return }
    var moved = 0
    for (index, loop) in loops.enumerated() {
      moved += try await eventLoops[index].flatSubmit {
        loop.value.move(atMost: NodeLimits.movedAtOnce)
      }.get()
    }
    guard moved > 0 else { return }
    logger.notice(
      "sessions were handed over to other nodes",
      metadata: ["node": "\(id)", "sessions": "\(moved)", "left": "\(sessions)"])
  }
}
