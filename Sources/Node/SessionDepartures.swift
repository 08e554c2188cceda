// How sessions go: they end, stay readable, are forgotten, and are given up where another node owns them by now
// (promise P3); and how a node that stops ends all of them.

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Pipes
import Registry
import Sessions
import Wire

extension NodeLoop {
  /// Its holder may be stopped, and hear of it only when this node is gone.
  func sessionIsEnding(_ session: Session) -> EventLoopFuture<Void>? {
    guard session.isKept, let cause = session.core.endCause, cause != .superseded else {
      return nil
    }
    return context.endings?.write(cause.rawValue, of: session.core.life, on: eventLoop)
  }

  func sessionDidEnd(_ session: Session) {
    let ended = session.core.ended
    // If nobody has told how it ended, its process may still run.
    if session.isKept, session.core.endCause != nil, ended?.status != nil {
      context.endings?.remove(session.core.life)
    }
    logger.info(
      "session ended",
      metadata: [
        "session": "\(session.id)", "reason": "\(ended?.reason ?? .exited)",
        "status": "\(ended?.status.map(String.init(describing:)) ?? "unknown")",
      ])
    // A session that has ended takes no place.
    context.places.giveBack()
    if stopCause != nil || session.core.endCause == .superseded { return forgetOnceRead(session) }
    // If the session is still being made again, its end is noted once that is done.
    if case .session = sessions[session.id] { noteEnd(session) }
  }

  /// It stays readable, as long as there is room.
  func noteEnd(_ session: Session) {
    if let owned = ownedSession(session.id) {
      context.records.note(session.id, owned)
    }
    ended.append(session.id, bytes: session.core.memoryFootprint)
    while let oldest = ended.excess, let session = self.session(oldest) { forget(session) }
  }

  /// Ends the process, or forgets a session whose process has ended.
  func end(_ session: Session, _ cause: EndCause) {
    if session.core.ended == nil { session.terminate(cause) } else { forgetOnceRead(session) }
  }

  // MARK: Another owner

  /// Another node owns the session under a larger epoch: its clients are brought to that one (promise P3).
  func end(superseded id: SessionID, epoch: Epoch) {
    switch sessions[id] {
    case .session(let session) where session.core.epoch == epoch: giveUp(session)
    case .starting(var start) where start.epoch == epoch:
      start.isSuperseded = true
      sessions[id] = .starting(start)
    default: break
    }
  }

  /// Brings its clients to its other owner, and ends it here.
  func giveUp(_ session: Session) {
    logger.error(
      "another node owns a session of the same name by now; ours is \(session.isKept ? "let go of" : "ended")",
      metadata: ["node": "\(context.id)", "session": "\(session.id)"])
    session.sendAway(refusalOfAnotherOwner(of: session.id))
    // A session that is kept goes on under its other owner: it is the same process.
    if session.isKept { detach(session) } else { end(session, .superseded) }
  }

  // MARK: Forgetting

  /// Forgets a session that has ended; who still reads it is told that it is no more.
  func forget(_ session: Session) {
    drop(session)
    session.dismissStreams()
  }

  /// Forgets the session, but lets its clients read its end.
  private func forgetOnceRead(_ session: Session) {
    drainingReaders.append((session, eventLoop.now))
    drop(session)
  }

  /// Dismisses those who read the end of a forgotten session too slowly, or not at all.
  func dismissSlowReaders() {
    drainingReaders.removeAll { session, since in
      if session.isReadNoMore(since: since) { session.dismissStreams() }
      return !session.core.hasStreams
    }
  }

  private func drop(_ session: Session) {
    guard self.session(session.id) === session else { return }
    session.forgetKept()
    sessions[session.id] = nil
    ended.remove(session.id)
    context.records.release(
      session.id, epoch: session.core.epoch,
      tombstone: session.tombstone
        ?? Tombstone(status: nil, reason: .exited, creator: session.creator))
    checkEmpty()
  }

  // MARK: The node stops

  /// Ends every session; completes when the last process has gone.
  func stop(_ cause: EndCause) -> EventLoopFuture<Void> {
    let promise = whenEmpty ?? eventLoop.makePromise(of: Void.self)
    whenEmpty = promise
    stopCause = cause
    stopReaping()
    for case .session(let session) in sessions.values { stop(session, cause) }
    for case .restoring(let restoration) in sessions.values {
      for open in restoration.waiting { open.refuse(refusalOfLeaving) }
      if let attached = restoration.attached { stop(restoration, attached, cause) }
      if let session = restoration.session { stop(session, cause) }
    }
    for case .takingOver(let takeover) in sessions.values {
      for open in takeover.waiting { open.refuse(refusalOfLeaving) }
    }
    checkEmpty()
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let limit = eventLoop.scheduleTask(in: NodeLimits.lastStarts) { bound.value.giveUpStarts() }
    promise.futureResult.whenComplete { _ in limit.cancel() }
    return promise.futureResult
  }

  /// Stops one that has ended and was not made again yet.
  private func stop(_ restoration: Restoration, _ attached: AttachedPipe, _ cause: EndCause) {
    guard context.endsSessions else { return detach(restoration, attached.pipe) }
    let id = restoration.descriptor.session
    restoreEnded(id)
    if case .restoring(let begun) = sessions[id], let session = begun.session {
      stop(session, cause)
    }
  }

  private func goesOn(_ session: Session) -> Bool {
    session.isKept && session.core.ended == nil && !context.endsSessions
  }

  /// Stops one session. One that is kept goes on, and its clients wait for the node that takes it over.
  private func stop(_ session: Session, _ cause: EndCause) {
    guard goesOn(session) else { return end(session, cause) }
    context.detachedCount.withLockedValue { $0 += 1 }
    handOver(session, refusalOfLeaving)
  }

  /// Gives up the starts that are under way: one may wait for a directory that does not answer.
  private func giveUpStarts() {
    for case .starting(let start) in sessions.values {
      logger.warning(
        "a session was still being started when the node left",
        metadata: ["session": "\(start.id)"])
      if let epoch = start.epoch { context.records.release(start.id, epoch: epoch, tombstone: nil) }
      giveUpStart(of: start.id, refusalOfLeaving)
    }
  }

  func checkEmpty() { if stopCause != nil, sessions.isEmpty { whenEmpty?.succeed() } }

  /// Whether every client has been told how its session ended.
  var hasToldAll: Bool { drainingReaders.allSatisfy { !$0.session.core.hasStreams } }
}
