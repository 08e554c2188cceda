// What a loop does when sessions move between two nodes (Moving.swift): it lets go of its own for a node that is ready for
// them, and gets ready for those that others offer.

import Logging
import NIOCore
import Pipes
import Registry
import Sessions
import Wire

extension NodeLoop {
  // MARK: Letting go

  /// Sessions that other nodes could have and that have not ended, and what holds each.
  func movableSessions(atMost count: Int) -> [SessionID: String] {
    let movable = sessions.lazy.compactMap { [self] id, entry -> (SessionID, String)? in
      guard case .session(let session) = entry, session.isKept, session.core.ended == nil,
        isShared(session), let holder = session.holderName
      else { return nil }
      return (id, holder)
    }
    return Dictionary(movable.prefix(count)) { $1 }
  }

  /// Lets go of sessions for that node.
  /// - Returns: those that were let go of.
  func move(_ ids: [SessionID], to next: NodeID) -> EventLoopFuture<[SessionID]> {
    let moving = ids.compactMap { id in session(id).map { move($0, to: next) } }
    return EventLoopFuture.whenAllSucceed(moving, on: eventLoop).map { $0.compactMap { $0 } }
  }

  /// Its clients go on here until the registry says that it is nobody's.
  private func move(_ session: Session, to next: NodeID) -> EventLoopFuture<SessionID?> {
    let (id, epoch) = (session.id, session.core.epoch)
    let bound = NIOLoopBound((self, session), eventLoop: eventLoop)
    return session.leaveCheckpoint().flatMap { [eventLoop, context] in
      // It may have ended while that was written.
      guard bound.value.1.core.ended == nil else { return eventLoop.makeSucceededFuture(false) }
      return eventLoop.makeFutureWithTask {
        try await context.records.letGoNow(of: id, epoch: epoch, next: next)
      }
    }.map { isFree -> SessionID? in
      let (loop, session) = bound.value
      guard isFree, session.core.ended == nil else { return nil }
      loop.logger.info(
        "session moves to another node", metadata: ["session": "\(id)", "next": "\(next)"])
      session.sendAway(
        Refused(.notOwner, "session \(id) moves from node \(loop.context.id)", retry: 0))
      loop.detach(session)
      return id
    }.recover { _ in nil }
  }

  // MARK: Taking

  /// Gets ready for what is offered, and takes what is free.
  /// - Returns: what is to be said of those for which it is ready, or cannot be.
  func consider(_ offers: [SessionID: MoveOffer]) -> [SessionID: MoveOffer] {
    // One that is being taken over is offered no more.
    preparations = preparations.filter { offers[$0.key] != nil || sessions[$0.key] != nil }
    var answers: [SessionID: MoveOffer] = [:]
    for (id, offer) in offers {
      switch (offer.state, preparations[id]) {
      case (.free, _): adopt(id)
      case (.asked, nil): prepare(for: id, by: offer.holder)
      case (.asked, .ready?): answers[id] = MoveOffer(.ready, holder: offer.holder)
      case (.asked, .failed?):
        answers[id] = MoveOffer(.refused, holder: offer.holder)
        preparations[id] = nil
      default: break
      }
    }
    return answers
  }

  private func prepare(for id: SessionID, by holder: String) {
    guard stopCause == nil, sessions[id] == nil, preparations.count < NodeLimits.preparations else {
      preparations[id] = .failed
      return
    }
    preparations[id] = .asking
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    looks.find(id, by: holder).whenComplete { result in
      guard case .asking? = bound.value.preparations[id] else { return }
      if case .success(.kept(let kept)) = result {
        bound.value.preparations[id] = .ready(kept)
      } else {
        bound.value.preparations[id] = .failed
      }
    }
  }

  /// What its holder has of a session that this node has got ready for; nil: it is to be asked.
  func takePreparation(for id: SessionID, _ record: SessionRecord) -> KeptSessionEntry? {
    guard case .ready(let kept)? = preparations.removeValue(forKey: id),
      // A later life of the session was claimed later.
      kept.entry.holderName == record.holder, kept.entry.epoch >= record.epoch
    else { return nil }
    return kept
  }
}
