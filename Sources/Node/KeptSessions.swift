// Sessions that an earlier process of this node left with a holder when it was killed, stopped or upgraded. This
// process attaches them under a higher epoch, and makes them again from what was left with the holder. Their clients
// may come back once all output is read that there was.

import FoundationEssentials
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Pipes
import Registry
import Sessions
import Wire

extension NodeLoop {
  /// Restores what is kept of this loop's sessions. Completes when each is attached, or is not to be had.
  /// - Parameters:
  ///   - holders: which are asked: all, or those that were silent before.
  ///   - rival: whether another process may be this node: then what other nodes reach, too, is left alone, and only that
  ///     waits for the answer, which is the registry's. Nil: none may.
  /// - Returns: what could not be asked, or was left alone; to be called again if there is any.
  func restoreKeptSessions(of holders: SilentHolders, rival: Task<Bool, Never>?)
    -> EventLoopFuture<SilentHolders>
  {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let found = context.starters.map { starter in
      starter.kept(by: holders, on: eventLoop).flatMap { [eventLoop, context] kept in
        // There may be thousands: none of the loop's time is for that.
        eventLoop.makeFutureWithTask {
          var (entries, silent) = (kept.entries, kept.silent)
          if let rival, entries.contains(where: \.mayBeAnothers), await rival.value {
            for entry in entries where entry.mayBeAnothers { silent = silent.union(entry.asSilent) }
            entries.removeAll(where: \.mayBeAnothers)
          }
          return (KeptSessionEntry.read(entries, of: context.cluster), silent)
        }.flatMap { entries, silent in bound.value.restore(entries).map { $0.union(silent) } }
      }
    }
    return EventLoopFuture.whenAllSucceed(found, on: eventLoop)
      .map { $0.reduce(SilentHolders()) { $0.union($1) } }
      .always { _ in bound.value.isRestoring = false }
  }

  /// - Returns: the holders of those that are neither here, nor known to be another's.
  private func restore(_ entries: [KeptSessionEntry]) -> EventLoopFuture<SilentHolders> {
    let restored = entries.compactMap { kept -> EventLoopFuture<SilentHolders>? in
      let (entry, descriptor) = (kept.entry, kept.descriptor)
      guard descriptor.session.loopIndex(of: context.loopCount) == index else { return nil }
      guard entry.mayBeAnothers || descriptor.node == context.id else { return nil }
      let isSettled =
        entry.isShared
        ? restoreShared(entry, descriptor) : restoreUnlessHere(entry, descriptor)
      return isSettled.map { $0 ? SilentHolders() : entry.asSilent }
    }
    return EventLoopFuture.whenAllSucceed(restored, on: eventLoop)
      .map { $0.reduce(SilentHolders()) { $0.union($1) } }
  }

  /// Restores a session whose holder other nodes reach, too, if its record says that it is this node's.
  /// - Returns: whether it is here, or known to be another's.
  private func restoreShared(_ entry: KeptEntry, _ descriptor: SessionDescriptor)
    -> EventLoopFuture<Bool>
  {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    return eventLoop.makeFutureWithTask { [context] in
      try await context.records.registry.lookUp(descriptor.session)
    }.flatMap { record in
      let loop = bound.value
      guard let record else {
        guard descriptor.node == loop.context.id else {
          return loop.eventLoop.makeSucceededFuture(true)
        }
        // A node that drives it now is this one's last process, which is about to end, or of another cluster. As soon as
        // the former has had its time, it is the latter.
        if entry.isAttached {
          return loop.eventLoop.makeSucceededFuture(
            loop.eventLoop.now - loop.context.start > NodeLimits.attachedPatience)
        }
        // In this node's own holder a sibling may have had it, under an epoch of which no record tells any more.
        return loop.restoreUnlessHere(
          entry, descriptor, above: entry.mayBeAnothers ? nil : .now)
      }
      // Where the record names another holder than this one, the session has moved there, and this is what an earlier
      // life left. A record that was written before the session was started names the container by the name that the
      // client gave, and not by its id.
      let isOurs =
        record.holder == entry.holderName
        || record.engine != nil
          && record.holder == loop.context.holderName(of: descriptor.creation)
      // This node's last process may have died when it had claimed the session, and not attached it yet.
      return record.node == loop.context.id && isOurs
        ? loop.restoreUnlessHere(entry, descriptor, above: record.epoch)
        : loop.eventLoop.makeSucceededFuture(true)
    }.flatMapError { _ in
      // While the registry is away, a session that nobody else has goes on all the same (promise P5). Its last claim is
      // older than this moment, whose microseconds it counts by.
      let loop = bound.value
      return entry.isAttached || descriptor.node != loop.context.id
        ? loop.eventLoop.makeSucceededFuture(false)
        : loop.restoreUnlessHere(
          entry, descriptor, above: .now)
    }
  }

  /// - Parameter claimed: the epoch of its record; nil: no node claims it but who attaches it.
  private func restoreUnlessHere(
    _ entry: KeptEntry, _ descriptor: SessionDescriptor, above claimed: Epoch? = nil
  ) -> EventLoopFuture<Bool> {
    switch sessions[descriptor.session] {
    case nil:
      return restore(entry, descriptor, under: max(entry.epoch, claimed ?? entry.epoch).next)
    // An earlier round has brought it here already.
    case .restoring(let restoration) where restoration.descriptor.life == descriptor.life: break
    case .session(let session) where session.core.life == descriptor.life: break
    case .starting, .takingOver: break
    case .restoring, .session:
      // What a holder keeps under this name that other nodes reach may be theirs: it is not ended.
      if !entry.mayBeAnothers { return discard(entry).map { true }.recover { _ in true } }
    }
    return eventLoop.makeSucceededFuture(true)
  }

  private func discard(_ entry: KeptEntry) -> EventLoopFuture<Void> {
    entry.attach(epoch: entry.epoch.next, latest: 0, on: eventLoop).map { attached in
      attached.value.pipe.terminate(grace: .zero)
      attached.value.pipe.holder?.detach()
    }
  }

  func restore(
    _ entry: KeptEntry, _ descriptor: SessionDescriptor, under epoch: Epoch,
    waiting: [WaitingOpen] = [], isMove: Bool = false
  ) -> EventLoopFuture<Bool> {
    let id = descriptor.session
    sessions[id] = .restoring(
      Restoration(
        descriptor: descriptor, epoch: epoch, holder: entry.holderName, waiting: waiting,
        isMove: isMove))
    context.places.takeAnyway()
    if !entry.hasEnded { runningToRestore.insert(id) }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    return entry.attach(
      epoch: epoch, latest: context.settings.logLimit, on: eventLoop
    ).map { attached in
      bound.value.finishRestoring(id, attached.value)
      return true
    }.flatMapErrorThrowing { error in
      bound.value.giveUpRestoring(id, error)
      return false
    }
  }

  private func finishRestoring(_ id: SessionID, _ attached: AttachedPipe) {
    guard case .restoring(var restoration) = sessions[id] else {
      context.places.giveBack()
      attached.pipe.holder?.detach()
      return
    }
    if stopCause != nil, !context.endsSessions {
      return detach(restoration, attached.pipe)
    }
    if waits(restoration, attached) {
      restoration.attached = attached
      sessions[id] = .restoring(restoration)
      endedToRestore.insert(id)
      return restoreThoseThatEnded()
    }
    begin(restoration, attached)
  }

  /// Makes the session of what was attached.
  func begin(_ restoration: Restoration, _ attached: AttachedPipe) {
    var restoration = restoration
    let (descriptor, epoch) = (restoration.descriptor, restoration.epoch)
    let id = descriptor.session
    let age = WallClock.milliseconds - min(descriptor.created, WallClock.milliseconds)
    var kept = KeptSession(attached.terminal, logLimit: descriptor.logLimit)
    // Its holder may have heard nothing of it.
    kept.state.endCause = kept.state.endCause ?? context.unfinishedEnding(of: descriptor.life)
    let history = kept.state.history ?? [descriptor.firstTenure(before: epoch)]
    var core = SessionCore(
      id: id, life: descriptor.life, epoch: epoch, creation: descriptor.creation,
      creator: descriptor.creator, size: attached.terminal.size, kept: kept, history: history,
      settings: context.settings, pages: context.pages,
      created: eventLoop.now - .milliseconds(Int64(clamping: age)),
      createdTime: descriptor.created, now: eventLoop.now)
    let isOurs = history.last?.node == context.id.rawValue
    let why: Tenure.Cause =
      isOurs ? .restarted : restoration.isMove ? .moved : .takenOver
    core.begin(tenure(epoch, since: WallClock.milliseconds, why))
    let session = Session(core, pipe: attached.pipe, screenTurns: screenTurns, delegate: self)
    restoration.session = session
    sessions[id] = .restoring(restoration)
    if session.core.isUpToDate { sessionIsUpToDate(session) }
  }

  /// The node stops: the session waits for its next start, or for another node.
  func detach(_ restoration: Restoration, _ pipe: any Pipe) {
    let id = restoration.descriptor.session
    sessions[id] = nil
    context.places.giveBack()
    context.detachedCount.withLockedValue { $0 += 1 }
    context.records.letGo(of: id, epoch: restoration.epoch)
    pipe.holder?.detach()
    for open in restoration.waiting { open.refuse(refusalOfLeaving) }
    checkEmpty()
  }

  func tenure(_ epoch: Epoch, since: UInt64, _ why: Tenure.Cause) -> Tenure {
    Tenure(epoch: epoch, node: context.id.rawValue, since: since, why: why)
  }

  private func giveUpRestoring(_ id: SessionID, _ error: any Error) {
    guard case .restoring(let restoration) = sessions[id] else { return }
    logger.error(
      "a session that was kept is not to be had",
      metadata: ["session": "\(id)", "error": "\(error)"])
    sessions[id] = nil
    context.places.giveBack()
    // The record may name this node.
    context.records.letGo(of: id, epoch: restoration.epoch)
    for open in restoration.waiting {
      open.refuse(
        Refused(.unavailable, "session \(id) is with another node by now", retry: NodeLimits.retry))
    }
    checkEmpty()
    restoreThoseThatEnded()
  }

  /// The session has read all output that there was: its clients may come back.
  func sessionIsUpToDate(_ session: Session) {
    guard case .restoring(let restoration) = sessions[session.id],
      restoration.session === session
    else { return }
    sessions[session.id] = .session(session)
    logger.info(
      "session goes on",
      metadata: [
        "session": "\(session.id)", "epoch": "\(session.core.epoch)",
        "output": "\(session.core.log.end)",
      ])
    for open in restoration.waiting {
      open.connection.open(open.stream, open.request, of: session, isFirst: false)
    }
    if session.core.ended != nil { noteEnd(session) }
    restoreThoseThatEnded()
  }

  func wait(_ open: WaitingOpen, for restoration: Restoration) {
    guard open.mayWait(beside: restoration.waiting) else { return }
    var restoration = restoration
    restoration.waiting.append(open)
    sessions[restoration.descriptor.session] = .restoring(restoration)
    restoreEnded(restoration.descriptor.session)
  }

  // MARK: Letting go

  /// Another node has attached the session: its clients are to look for it there.
  func sessionWasTaken(_ session: Session) {
    logger.notice("another node has taken a session over", metadata: ["session": "\(session.id)"])
    // If its record still names this node, whoever took it did not ask for it: then it is taken up again.
    if session.core.ended == nil, isShared(session) {
      context.records.letGo(of: session.id, epoch: session.core.epoch)
      context.lastPutBack.withLockedValue { $0 = .now }
    }
    session.sendAway(refusalOfAnotherOwner(of: session.id))
    detach(session)
  }

  /// Lets the session go on without this node. Its record stays until another node, or this one's next start, claims
  /// it.
  func detach(_ session: Session) {
    session.detach()
    guard sessionOrRestoring(session.id) === session else { return }
    sessions[session.id] = nil
    ended.remove(session.id)
    if session.core.ended == nil { context.places.giveBack() }
    checkEmpty()
  }

  /// The session, also while it is being made again.
  private func sessionOrRestoring(_ id: SessionID) -> Session? {
    if case .restoring(let restoration) = sessions[id] { restoration.session } else { session(id) }
  }
}

extension Epoch {
  /// The next higher epoch. It cannot overflow: where a holder tells one, it is bounded.
  fileprivate var next: Epoch { Epoch(rawValue &+ 1) }

  /// Above each that the registry has given until this moment, if the clocks agree.
  fileprivate static var now: Epoch { Epoch(WallClock.milliseconds &* 1_000) }
}

extension KeptSession {
  fileprivate init(_ terminal: KeptTerminal, logLimit: Int?) {
    // A state that cannot be read is of another version: the session goes on without it.
    let state = try? JSONDecoder().decode(KeptState.self, from: Data(terminal.state))
    self.init(
      state: state ?? KeptState(), checkpoint: terminal.checkpoint, size: terminal.size,
      older: terminal.older, olderSizes: terminal.olderSizes, offset: terminal.offset,
      end: terminal.end, answered: terminal.answered, hasForgotten: terminal.hasForgotten,
      logLimit: logLimit)
  }
}
