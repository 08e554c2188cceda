// Runs a session: tells `SessionCore` what happens to it, and carries out what that decides, with the pipe, the
// streams' connections, the loop's screen turns and timers. It decides nothing itself.
//
// Confined to its loop: every call comes from there, bytes never change threads.

import FoundationEssentials
import NIOCore
import Pipes
import Registry
import Screen
import Sessions
import Wire

/// What a session needs of the loop it lives on.
protocol SessionDelegate: AnyObject {
  /// Its process is being ended.
  /// - Returns: completes once its next node would know of it, too; nil: it needs not, or knows.
  func sessionIsEnding(_ session: Session) -> EventLoopFuture<Void>?
  /// The process ended, or was ended; the session stays readable until the loop drops it.
  func sessionDidEnd(_ session: Session)
  /// A session that was made again has read all output that there was.
  func sessionIsUpToDate(_ session: Session)
  /// Another node has its terminal by now.
  func sessionWasTaken(_ session: Session)
  /// Nil: it has gone.
  func connection(_ number: UInt64) -> (any SessionConnection)?
}

/// What a session needs of a connection that carries streams of it.
protocol SessionConnection: AnyObject {
  func send(_ frame: Frame, stream: UInt64)
  /// Sends the stream's last frame and forgets it.
  func close(stream: UInt64, last frame: Frame)
  /// The stream has something to send: it gets its turn at the end of the tick.
  func giveTurn(_ stream: UInt64)
  /// The same, but it may wait to become a whole frame.
  func giveTurnSoon(_ stream: UInt64)
}

final class Session: PipeDelegate {
  private(set) var core: SessionCore
  /// When it ended, in milliseconds since 1970.
  private(set) var endedTime: UInt64?
  /// Completes once it is certain that the session ends, whatever becomes of its node; nil: it is not to end, or that is
  /// certain.
  private(set) var endingIsNoted: EventLoopFuture<Void>?
  private let pipe: any Pipe
  private let screenTurns: ScreenTurns<Session>
  private weak var delegate: (any SessionDelegate)?
  private var timers: [SessionTimer: Scheduled<Void>] = [:]
  private var isCarryingOut = false
  private var isStateDue = false
  /// Those who wait for the checkpoint that is being made.
  private var checkpointWaiters: [EventLoopPromise<Void>] = []
  private var isUpToDate: Bool

  init(
    _ core: consuming SessionCore, pipe: any Pipe, screenTurns: ScreenTurns<Session>,
    delegate: any SessionDelegate
  ) {
    isUpToDate = core.isUpToDate
    self.core = core
    self.pipe = pipe
    self.screenTurns = screenTurns
    self.delegate = delegate
    pipe.delegate = self
    carryOutActions()
  }

  var id: SessionID { core.id }
  /// The subject that created it; nil: nobody's, since authentication was off.
  var creator: String? { core.creator.subject }
  private var now: NIODeadline { pipe.eventLoop.now }

  // MARK: From streams

  func open(_ stream: StreamID, _ request: LinkOpen, isFirst: Bool) {
    core.open(
      stream, request, isFirst: isFirst, written: pipe.holder?.input(of: ClientIdentity(request)),
      work: screenTurns.allowance(), now: now)
    carryOutActions()
  }

  /// - Parameter isDone: its client has no more use for it; otherwise its connection has gone.
  func leave(_ stream: StreamID, isDone: Bool = false) {
    if isDone { core.noteAnswered(stream) }
    core.leave(stream, now: now)
    carryOutActions()
  }

  /// False: such a frame is not for a session.
  func receive(_ frame: Frame, from stream: StreamID) -> Bool {
    switch frame {
    case .input(let offset, let bytes): core.receive(bytes, at: offset, from: stream, now: now)
    case .outputAck(_, let consumed): core.acknowledge(stream, consumed: consumed, now: now)
    case .resize(let size): core.resize(stream, to: size, now: now)
    case .take: core.takeSize(stream, now: now)
    case .colors(let colors): core.recolor(stream, colors)
    case .kill: core.kill(by: stream, now: now)
    default: return false
    }
    carryOutActions()
    return true
  }

  func writeNext(of stream: StreamID, into buffer: inout ByteBuffer) -> SessionCore.Turn {
    let turn = core.writeNext(of: stream, into: &buffer, now: now)
    carryOutActions()
    return turn
  }

  // MARK: From the pipe

  func pipeDidRead(_ bytes: ByteBuffer) {
    core.pipeDidRead(bytes, now: now)
    carryOutActions()
  }

  func pipeDidWrite(_ count: Int) {
    core.pipeDidWrite(count, now: now)
    carryOutActions()
  }

  func pipeDidResize(_ size: TerminalSize) {
    core.pipeDidResize(size, now: now)
    carryOutActions()
  }

  func pipeDidDiscardInput(_ did: Bool, for key: UInt8) {
    core.inputWasDiscarded(did, for: key, now: now)
    carryOutActions()
  }

  func pipeHasCheckpoint(at offset: UInt64) {
    core.checkpointIs(at: offset, now: now)
    carryOutActions()
  }

  func pipeDidStall(_ reason: String?) {
    core.pipeDidStall(reason)
    carryOutActions()
  }

  func pipeWasTaken() { delegate?.sessionWasTaken(self) }

  func pipeDidEnd(_ status: ExitStatus?, reason: String?) {
    core.pipeDidEnd(status, reason: reason, now: now)
    carryOutActions()
  }

  // MARK: From the loop

  /// Whether it goes on when this node does not.
  var isKept: Bool { pipe.holder != nil }

  /// What keeps it while no node has it (``SessionHolder/holderName``).
  var holderName: String? { pipe.holder?.holderName }

  /// Leaves a checkpoint with the holder, so that whoever has the session next has little to read.
  /// - Returns: completes once it is on its way there, or need not be, or takes too long.
  func leaveCheckpoint() -> EventLoopFuture<Void> {
    core.leaveCheckpoint(now: now)
    carryOutActions()
    let left = pipe.eventLoop.makePromise(of: Void.self)
    let limit = pipe.eventLoop.scheduleTask(in: NodeLimits.lastCheckpoint) { left.succeed() }
    left.futureResult.whenComplete { _ in limit.cancel() }
    checkpointWaiters.append(left)
    tellCheckpointWaiters()
    return left.futureResult
  }

  private func tellCheckpointWaiters() {
    guard !checkpointWaiters.isEmpty, !core.isMakingCheckpoint else { return }
    let isSent = pipe.holder?.checkpointIsSent ?? pipe.eventLoop.makeSucceededVoidFuture()
    for waiter in checkpointWaiters { isSent.cascade(to: waiter) }
    checkpointWaiters = []
  }

  /// Lets it go on without this node.
  func detach() {
    stopTimers()
    pipe.holder?.detach()
  }

  /// Has its holder forget it: it has ended.
  func forgetKept() { pipe.holder?.forget() }

  /// The screen's turn has come.
  func takeTurn(work: Int) {
    core.work(work, now: now)
    carryOutActions()
  }

  func terminate(_ cause: EndCause) {
    core.terminate(cause, now: now)
    carryOutActions()
  }

  /// Sends its clients away: they are to look for it elsewhere.
  func sendAway(_ refusal: Refused) {
    core.sendAway(refusal, now: now)
    carryOutActions()
  }

  /// Takes out the streams that have not read to the end.
  func dismissStreams() {
    core.dismissStreams()
    carryOutActions()
  }

  func forgetOldSnapshot() { core.forgetOldSnapshot(now: now) }

  var isOver: Bool { core.isOver(now: now) }

  var causeToEnd: EndCause? {
    core.causeToEnd(now: now, hasForegroundJob: { pipe.hasForegroundJob })
  }

  func isReadNoMore(since: NIODeadline) -> Bool { core.isReadNoMore(now: now, since: since) }

  /// How it ended, for the registry; nil: it has not.
  var tombstone: Tombstone? {
    core.ended.map { ended in
      Tombstone(
        status: ended.status, reason: ended.reason,
        ended: ended.reason == .lost ? nil : endedTime ?? WallClock.milliseconds, creator: creator)
    }
  }

  func summary(node: NodeID) -> SessionSummary {
    core.summary(node: node.rawValue, endedTime: endedTime, now: now)
  }

  // MARK: Carrying out

  /// Carries out what the session has decided. What happens meanwhile, as a pipe that takes a key at once, is told to
  /// the core from within; what that leads to comes after all that was decided before.
  private func carryOutActions() {
    guard !isCarryingOut else { return }
    isCarryingOut = true
    while let action = core.nextAction() { carryOut(action) }
    isCarryingOut = false
    if isStateDue { keepState() }
    tellCheckpointWaiters()
    if !isUpToDate, core.isUpToDate {
      isUpToDate = true
      delegate?.sessionIsUpToDate(self)
    }
  }

  private func keepState() {
    isStateDue = false
    // Names, colours and words: encoding them cannot fail.
    guard let holder = pipe.holder, let state = try? JSONEncoder().encode(core.state) else {
      return
    }
    holder.keep(state: Array(state))
  }

  private func stopTimers() {
    for timer in timers.values { timer.cancel() }
    timers = [:]
  }

  private func carryOut(_ action: SessionAction) {
    switch action {
    case .write(let bytes, let source): pipe.write(bytes, from: source)
    case .setReading(let isReading): pipe.isReading = isReading
    case .resize(let size): pipe.resize(size)
    case .discardInput(let key, let inputs):
      if let did = pipe.discardInput(for: key, givingUp: inputs) {
        core.inputWasDiscarded(did, for: key, now: now)
      }
    case .discardInputAgain(let key):
      // A holder has discarded what was under way as well.
      if !isKept { _ = pipe.discardInput(for: key, givingUp: []) }
    case .keepCheckpoint(let bytes, let size, let offset):
      pipe.holder?.keep(checkpoint: bytes, size: size, at: offset)
    case .keepState: isStateDue = true
    case .terminate:
      endingIsNoted = delegate?.sessionIsEnding(self)
      pipe.terminate(grace: NodeLimits.grace)
    case .send(let frame, let stream):
      delegate?.connection(stream.connection)?.send(frame, stream: stream.number)
    case .close(let stream, let frame):
      delegate?.connection(stream.connection)?.close(stream: stream.number, last: frame)
    case .giveTurn(let stream):
      delegate?.connection(stream.connection)?.giveTurn(stream.number)
    case .giveTurnSoon(let stream):
      delegate?.connection(stream.connection)?.giveTurnSoon(stream.number)
    case .work:
      core.work(screenTurns.isWaiting(self) ? 0 : screenTurns.allowance(), now: now)
    case .workLater: screenTurns.wait(self)
    case .wait(let timer, let time): wait(for: timer, until: time)
    case .ended:
      stopTimers()
      endedTime = WallClock.milliseconds
      delegate?.sessionDidEnd(self)
    }
  }

  private func wait(for timer: SessionTimer, until time: NIODeadline) {
    guard timers[timer] == nil else { return }
    let bound = NIOLoopBound(self, eventLoop: pipe.eventLoop)
    timers[timer] = pipe.eventLoop.scheduleTask(deadline: time) {
      let session = bound.value
      session.timers[timer] = nil
      session.core.timeHasCome(for: timer, now: session.now)
      session.carryOutActions()
    }
  }
}

/// Two sessions are equal only if they are one and the same, so that each waits for a turn at most once.
extension Session: HasScreen {
  static func == (a: Session, b: Session) -> Bool { a === b }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
