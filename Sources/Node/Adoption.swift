// What a node does about sessions that no node has and no client asks for, and whose holders it reaches: it takes them
// over.

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
    let steadySince = registrySteadySince.withLockedValue { $0 }
    guard .now - steadySince >= NodeLimits.adoptionPatience else { return }
    let registry = context.records.registry
    let nodes = try await registry.nodes()
    // A session that this node could not attach a moment ago is free, and its record may still name this node.
    let lastPutBack = context.lastPutBack.withLockedValue { $0 }
    let hasPutBack =
      .now - max(lastPutBack, steadySince + NodeLimits.adoptionPatience)
      < NodeLimits.putBackPatience
    guard nodes.first(where: { $0.record.id == id })?.isDraining == false,
      hasPutBack || nodes.contains(where: { $0.record.id != id && ($0.isDead || $0.isDraining) })
    else { return }
    let reach = context.reach
    let able = nodes.filter { $0.isLive && !$0.isDraining }
    let owners = able.filter { !hasPutBack || $0.record.id != id }
    let others = Dictionary(owners.map { ($0.record.id, $0.record.incarnation) }) { $1 }
    let left = try await registry.sessions(notOn: others, limit: NodeLimits.adoptedAtOnce)
    let found = left.sessions.filter { session, record in
      // All see the same nodes, and so agree whose it is to be; the registry decides where they do not.
      record.ownerState(among: nodes) == .free && record.isReached(by: reach)
        && Placement.successor(of: session, record, among: able) == id
    }
    // It is looked for until somebody has it.
    if found.contains(where: { $0.1.node == id }) {
      context.lastPutBack.withLockedValue { $0 = .now }
    }
    for (session, _) in found.prefix(NodeLimits.takenAtOnce) {
      let index = session.loopIndex(of: loops.count)
      let loop = loops[index]
      try await eventLoops[index].submit { loop.value.adopt(session) }.get()
    }
  }
}
