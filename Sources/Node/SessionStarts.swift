// How sessions come to be: an OPEN of an unknown session becomes a claim in the registry, and then a pipe. OPENs of the
// same session meanwhile wait for the first.

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Pipes
import Registry
import Sessions
import Wire

extension NodeLoop {
  // MARK: OPEN

  func connection(
    _ connection: RouterConnection, didReceive request: LinkOpen, stream: UInt64
  ) {
    let open = WaitingOpen(connection: connection, stream: stream, request: request)
    if let refusal = refusal(of: request) { return open.refuse(refusal) }
    guard let id = request.open.session else {
      return open.refuse(Refused(.badRequest, "a link's OPEN names its session"))
    }
    switch sessions[id] {
    case .session(let session):
      let epoch = session.core.epoch
      // A smaller epoch is from an earlier start of this node, or from an earlier life.
      guard request.epoch.map({ $0 <= epoch }) ?? true else {
        return open.refuse(Refused(.notOwner, "the session is at epoch \(epoch)", retry: 0))
      }
      connection.open(stream, request, of: session, isFirst: false)
    case .starting(let start): wait(open, for: start)
    case .restoring(let restoration): wait(open, for: restoration)
    case .takingOver(let takeover): wait(open, for: takeover, of: id)
    case nil:
      guard let creation = request.open.create else {
        return context.homeName != nil && request.epoch == nil
          ? lookForHolder(of: id, for: open) : refuseUnknown(id, open)
      }
      guard !context.isLeaving.withLockedValue({ $0 }) else {
        return open.refuse(refusalOfLeaving)
      }
      let start = Start(
        id: id, creation: creation, creator: ClientIdentity(request), size: request.open.size,
        waiting: [open])
      sessions[id] = .starting(start)
      claim(start)
    }
  }

  private func refusal(of request: LinkOpen) -> Refused? {
    if stopCause != nil { return refusalOfLeaving }
    if isRestoring {
      return Refused(
        .unavailable, "node \(context.id) is restoring its sessions", retry: NodeLimits.retrySoon)
    }
    if let expected = request.incarnation, expected != context.incarnation {
      return Refused(.notOwner, "node \(context.id) was started anew", retry: 0)
    }
    if let problem = request.open.problem { return Refused(.badRequest, problem) }
    return nil
  }

  var refusalOfLeaving: Refused {
    Refused(.unavailable, "node \(context.id) is shutting down", retry: NodeLimits.retry)
  }

  func refusalOfAnotherOwner(of id: SessionID) -> Refused {
    Refused(.notOwner, "session \(id) has another owner by now", retry: 0)
  }

  private func wait(_ open: WaitingOpen, for start: Start) {
    guard open.mayWait(beside: start.waiting) else { return }
    var start = start
    start.waiting.append(open)
    sessions[start.id] = .starting(start)
  }

  func refuseUnknown(_ id: SessionID, _ open: WaitingOpen) {
    // The router remembers a session that was here; the registry knows what became of it.
    if let epoch = open.request.epoch {
      context.records.disown(id, epoch: epoch)
      return open.refuse(Refused(.notOwner, "session \(id) is not here any more", retry: 0))
    }
    open.refuse(
      open.request.open.resume == nil
        ? Refused(.notFound, "no session \(id)") : Refused(.gone, "session \(id) is gone"))
  }

  // MARK: The claim

  private func claim(_ start: Start) {
    let id = start.id
    guard let starter = context.starter(for: start.creation.target) else {
      return giveUpStart(
        of: id,
        Refused(.startFailed, "node \(context.id) has no \(start.creation.target) configured"))
    }
    guard context.places.take() else {
      return giveUpStart(
        of: id, Refused(.noCapacity, "node \(context.id) is full", retry: NodeLimits.retryFull))
    }
    let bound = NIOLoopBound((self, start), eventLoop: eventLoop)
    let creator = start.creator.subject
    let holder = starter.holderName(of: start.creation)
    let claim = eventLoop.makeFutureWithTask { [context] in
      try await context.records.claim(id, creator: creator, holder: holder)
    }
    claim.whenComplete { result in
      let (loop, start) = bound.value
      loop.finishStartClaim(start, result, starter)
    }
  }

  private func finishStartClaim(
    _ start: Start, _ result: Result<ClaimResult, any Error>, _ starter: any PipeStarter
  ) {
    let id = start.id
    switch result {
    case .success(.claimed(let epoch)): return startPipe(start, epoch: epoch, with: starter)
    case .success(.owned(let record)) where record.isReached(by: context.reach):
      context.places.giveBack()
      return takeOver(id, for: start.id)
    case .success(.owned(let record)):
      giveUpStart(
        of: id,
        Refused(.notOwner, "session \(id) is on node \(record.node)", retry: 0))
    case .success(.lost(let record)):
      giveUpStart(of: id, Refused(.lost, "session \(id) was lost with node \(record.node)"))
    case .failure(let error):
      logger.warning(
        "a session could not be claimed", metadata: ["session": "\(id)", "error": "\(error)"])
      giveUpStart(
        of: id, Refused(.unavailable, RegistryError.explanation(of: error), retry: NodeLimits.retry)
      )
    }
    context.places.giveBack()
  }

  // MARK: The pipe

  private func startPipe(_ start: Start, epoch: Epoch, with starter: any PipeStarter) {
    if case .starting(var start) = sessions[start.id] {
      start.epoch = epoch
      sessions[start.id] = .starting(start)
    }
    let bound = NIOLoopBound((self, start), eventLoop: eventLoop)
    let (life, created) = (Life.random(), WallClock.milliseconds)
    let request = PipeRequest(
      session: start.id, creation: start.creation, size: start.size, epoch: epoch,
      descriptor: SessionDescriptor(start, life: life, created: created, in: context).bytes,
      logLimit: context.settings.heldLog)
    starter.start(request, on: eventLoop).whenComplete { result in
      let (loop, start) = bound.value
      switch result {
      case .success(let pipe):
        loop.finishStart(start, life: life, created: created, epoch: epoch, pipe: pipe.value)
      case .failure(let error):
        loop.context.places.giveBack()
        loop.context.records.release(start.id, epoch: epoch, tombstone: nil)
        loop.logger.info(
          "a pipe did not start", metadata: ["session": "\(start.id)", "error": "\(error)"])
        loop.giveUpStart(
          of: start.id, (error as? PipeError)?.refusal ?? Refused(.startFailed, "\(error)"))
      }
    }
  }

  private func finishStart(
    _ start: Start, life: Life, created: UInt64, epoch: Epoch, pipe: any Pipe
  ) {
    // The start may have changed meanwhile.
    guard case .starting(let start) = sessions[start.id] else {
      // Nobody waits for it any more.
      context.places.giveBack()
      pipe.terminate(grace: .zero)
      return
    }
    let core = SessionCore(
      id: start.id, life: life, epoch: epoch, creation: start.creation, creator: start.creator,
      size: start.size,
      kept: pipe.holder == nil
        ? nil : KeptSession(size: start.size, logLimit: context.settings.heldLog),
      history: [tenure(epoch, since: created, .started)], settings: context.settings,
      pages: context.pages, createdTime: created, now: eventLoop.now)
    let session = Session(core, pipe: pipe, screenTurns: screenTurns, delegate: self)
    sessions[start.id] = .session(session)
    noteHolder(of: session)
    logger.info(
      "session started",
      metadata: ["session": "\(start.id)", "target": "\(start.creation.target)"])
    for (index, open) in start.waiting.enumerated() {
      open.connection.open(open.stream, open.request, of: session, isFirst: index == 0)
    }
    if start.isSuperseded { giveUp(session) }
    if let stopCause { session.terminate(stopCause) }
  }

  /// Its record names what was to hold it: in a container, by the name that it was asked for under, which may come to
  /// mean another one.
  private func noteHolder(of session: Session) {
    guard session.holderName != context.holderName(of: session.core.creation) else { return }
    if !session.isKept {
      context.records.noteUnheld(
        session.id, creator: session.creator, epoch: session.core.epoch)
    } else if let owned = ownedSession(session.id) {
      context.records.note(session.id, owned)
    }
  }

  /// Refuses all who wait for the session.
  func giveUpStart(of id: SessionID, _ refusal: Refused) {
    guard case .starting(let start) = sessions.removeValue(forKey: id) else { return }
    for open in start.waiting { open.refuse(refusal) }
    checkEmpty()
  }
}
