// Sessions that no node has, and whose holder other nodes reach: those that have the engine of their container, or their
// node's siblings on its machine. Their node has let go of them, or is dead. A node that is asked for one, or finds one that nobody asks for, makes it its own in the
// registry, under a higher epoch, and then attaches it (promise P11). The holder sees to it that two never drive one
// terminal (promise P3).

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Pipes
import Registry
import Sessions
import Wire

/// What becomes of a takeover.
private enum TakeoverResult: Sendable {
  /// Its record names this node by now. Its holder is asked next.
  case claimed(SessionRecord, Epoch)
  /// No session of that name is known.
  case unknown
  /// Another node has it.
  case owned(by: NodeID)
}

extension NodeLoop {
  // MARK: Asked for

  /// A router asks this node for a session that it does not have: it takes the session over, if no other node has it.
  func lookForHolder(of id: SessionID, for open: WaitingOpen) {
    sessions[id] = .takingOver(Takeover(waiting: [open]))
    takeOver(id)
  }

  /// The session that was to be started here exists, and its record names another node: it is taken over, if that may
  /// be.
  func takeOver(_ id: SessionID, for start: SessionID) {
    guard case .starting(let start) = sessions[start] else { return }
    sessions[id] = .takingOver(Takeover(waiting: start.waiting))
    takeOver(id)
  }

  /// Takes over a session that no client asks for.
  func adopt(_ id: SessionID) {
    guard sessions[id] == nil, stopCause == nil else { return }
    sessions[id] = .takingOver(Takeover())
    takeOver(id)
  }

  func wait(_ open: WaitingOpen, for takeover: Takeover, of id: SessionID) {
    guard open.mayWait(beside: takeover.waiting) else { return }
    var takeover = takeover
    takeover.waiting.append(open)
    sessions[id] = .takingOver(takeover)
  }

  // MARK: The claim

  private func takeOver(_ id: SessionID) {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.makeFutureWithTask { [context] in try await context.takeOver(id) }
      .whenComplete { result in bound.value.finishTakeoverClaim(of: id, result) }
  }

  private func finishTakeoverClaim(of id: SessionID, _ result: Result<TakeoverResult, any Error>) {
    switch result {
    case .success(.claimed(let record, let epoch)): attach(id, record, epoch)
    case .success(.unknown): giveUpTakeover(of: id) { [self] in refuseUnknown(id, $0) }
    case .success(.owned(let node)):
      giveUpTakeover(of: id, Refused(.notOwner, "session \(id) is on node \(node)", retry: 0))
    case .failure(let error):
      context.records.letGoIfTakenOver(id)
      giveUpTakeover(
        of: id, Refused(.unavailable, RegistryError.explanation(of: error), retry: NodeLimits.retry)
      )
    }
  }

  // MARK: The holder

  private func attach(_ id: SessionID, _ record: SessionRecord, _ epoch: Epoch) {
    if let kept = takePreparation(for: id, record) { return attach(kept, from: record, epoch) }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    looks.find(id, by: record.holder ?? "").whenComplete { result in
      let loop = bound.value
      switch result {
      case .success(.kept(let kept)): loop.attach(kept, from: record, epoch)
      case .success(.nothing): loop.giveUpLost(id, record, epoch)
      case .success(.unknown): loop.putBack(id, epoch, "it does not answer")
      case .failure(let error): loop.putBack(id, epoch, "\(error)")
      }
    }
  }

  func lookAt(holder: String) -> EventLoopFuture<HolderLooks<KeptSessionEntry>.Answer> {
    for starter in context.starters {
      guard let kept = starter.kept(by: holder, on: eventLoop) else { continue }
      return kept.flatMap { [eventLoop, context] kept in
        // There may be thousands: none of the loop's time is for that.
        eventLoop.makeFutureWithTask {
          let entries = KeptSessionEntry.read(kept.entries, of: context.cluster)
          return HolderLooks<KeptSessionEntry>.Answer(
            kept: Dictionary(entries.map { ($0.descriptor.session, $0) }) { later, _ in later },
            isWhole: kept.silent.isEmpty)
        }
      }
    }
    // Its engine, or the other node's directory, has just gone.
    return eventLoop.makeSucceededFuture(
      HolderLooks<KeptSessionEntry>.Answer(kept: [:], isWhole: false))
  }

  private func attach(_ kept: KeptSessionEntry, from record: SessionRecord, _ epoch: Epoch) {
    let (entry, descriptor) = (kept.entry, kept.descriptor)
    let id = descriptor.session
    guard stopCause == nil else { return putBack(id, epoch, "the node is stopping") }
    guard case .takingOver(let takeover) = sessions[id] else { return }
    logger.notice(
      "takes a session over",
      metadata: ["session": "\(id)", "from": "\(record.node)", "epoch": "\(epoch)"])
    restore(
      entry, descriptor, under: epoch, waiting: takeover.waiting, isMove: record.isFree
    ).whenFailure { _ in }
  }

  /// No holder has it: its container or its holder was stopped, or it has ended.
  private func giveUpLost(_ id: SessionID, _ record: SessionRecord, _ epoch: Epoch) {
    context.records.release(
      id, epoch: epoch, tombstone: Tombstone(status: nil, reason: .lost, creator: record.creator))
    giveUpTakeover(of: id, Refused(.lost, "session \(id) was lost: its holder is gone"))
  }

  /// Its holder cannot be asked: whoever comes next may try, and this node does by itself.
  private func putBack(_ id: SessionID, _ epoch: Epoch, _ reason: String) {
    context.records.letGo(of: id, epoch: epoch)
    context.lastPutBack.withLockedValue { $0 = .now }
    giveUpTakeover(
      of: id,
      Refused(
        .unavailable, "what holds session \(id) cannot be reached: \(reason)",
        retry: NodeLimits.retry))
  }

  private func giveUpTakeover(of id: SessionID, _ refusal: Refused) {
    giveUpTakeover(of: id) { $0.refuse(refusal) }
  }

  private func giveUpTakeover(of id: SessionID, _ refuse: (WaitingOpen) -> Void) {
    guard case .takingOver(let takeover) = sessions[id] else { return }
    sessions[id] = nil
    for open in takeover.waiting { refuse(open) }
    checkEmpty()
  }

  // MARK: Letting go

  /// The session goes on without this node; where others reach its holder, the next one may have it at once.
  func handOver(_ session: Session, _ refusal: Refused) {
    if isShared(session) {
      context.records.letGo(of: session.id, epoch: session.core.epoch)
    }
    session.sendAway(refusal)
    detach(session)
  }

  /// Whether other nodes reach its holder, too.
  func isShared(_ session: Session) -> Bool {
    session.holderName.map {
      HolderName.Container($0) != nil || HolderName.isReached($0, by: context.reach)
    } ?? false
  }
}

extension NodeContext {
  /// Makes a session this node's, if it is nobody's and its holder can be reached.
  fileprivate func takeOver(_ id: SessionID) async throws -> TakeoverResult {
    guard let record = try await records.registry.lookUp(id), case .owned = record.state else {
      return .unknown
    }
    guard record.isReached(by: reach) else { return .owned(by: record.node) }
    var isFree = record.isFree
    if !isFree { isFree = record.ownerState(among: try await records.registry.nodes()) == .free }
    guard isFree, let epoch = try await records.takeOver(id, from: record)
    else { return .owned(by: record.node) }
    return .claimed(record, epoch)
  }
}
