// A session's end: why it comes, when clients may be told, and how long the session stays readable.

public import NIOCore
import Screen
public import Wire

extension SessionCore {
  /// Ends the process; ENDED with the cause follows its last output. If it has ended by itself already, that stays how
  /// it ended, but the rest of its output is not waited for.
  public mutating func terminate(_ cause: EndCause, now: NIODeadline) {
    guard ended == nil, endCause == nil else { return }
    endCause = cause
    noteState()
    if processEnd == nil { actions.append(.terminate) } else { cutOutputSoon(now: now) }
  }

  /// KILL: ends the process if the stream's client may.
  public mutating func kill(by stream: StreamID, now: NIODeadline) {
    guard let index = streams.index(of: stream) else { return }
    guard streams.list[index].mayKill else {
      return send(.event(.refused("this token may not end session \(id)")), to: stream)
    }
    terminate(.killed, now: now)
  }

  /// Nothing comes from the pipe any more.
  /// - Parameters:
  ///   - status: nil: it could not be learned.
  ///   - reason: why that is.
  public mutating func pipeDidEnd(_ status: ExitStatus?, reason: String?, now: NIODeadline) {
    guard isRunning else { return }
    // Its holder has gone, and its terminal with it.
    let isLost = status == nil && kept != nil
    processEnd = (status, reason, endCause?.reason ?? (isLost ? .lost : .exited))
    endIfAllIsRead(now: now)
    updateReading(now: now)
    if endCause != nil, ended == nil { cutOutputSoon(now: now) }
  }

  private mutating func cutOutputSoon(now: NIODeadline) {
    actions.append(.wait(.finalOutput, until: now + SessionLimits.finalOutput))
  }

  /// Cuts the last output: whoever had the process ended does not wait for what it costs to read.
  private mutating func cutOutput(now: NIODeadline) {
    guard let processEnd, ended == nil else { return }
    let cut = "\(unread.readableBytes) bytes of its last output were cut"
    self.processEnd?.message = processEnd.message.map { "\($0); \(cut)" } ?? cut
    unread = ByteBuffer()
    endIfAllIsRead(now: now)
  }

  /// Ends the session once all of its output is read: the end follows the last byte, in the log and at the clients.
  mutating func endIfAllIsRead(now: NIODeadline) {
    guard let processEnd, ended == nil, unread.readableBytes == 0 else { return }
    ended = Ended(
      reason: processEnd.reason, status: processEnd.status, message: processEnd.message)
    endedAt = now
    giveTurnToAll()
    actions.append(.ended)
  }

  // MARK: Time

  /// What the session waited for has come: ``SessionAction/wait(_:until:)``.
  public mutating func timeHasCome(for timer: SessionTimer, now: NIODeadline) {
    switch timer {
    case .reading:
      isReadingCheckSet = false
      updateReading(now: now)
    case .size:
      sizeRule.intervalIsOver()
      if isSizeDue { actions.append(.work) }
    case .interrupt: interruptOnceMore(now: now)
    case .checkpoint: checkForQuiet(now: now)
    case .finalOutput: cutOutput(now: now)
    }
  }

  /// Why the session's time is over, if it is: it has run for as long as it may; or nobody has used it for a
  /// while: no client, no output, no job.
  /// - Parameter hasForegroundJob: looks whether something in the terminal's foreground may be at work, which takes
  ///   the pipe a system call; nil: that cannot be known.
  public func causeToEnd(now: NIODeadline, hasForegroundJob: () -> Bool?) -> EndCause? {
    guard isRunning, endCause == nil else { return nil }
    if let timeout = lifetimes.timeout, now - created >= timeout { return .timeout }
    guard let idle = lifetimes.idle, streams.isEmpty, now - max(lastUsed, lastLeft) >= idle,
      hasForegroundJob() != true
    else { return nil }
    return .idle
  }

  /// Whether it ended so long ago that it is to be forgotten. Who still reads it gets some more time.
  public func isOver(now: NIODeadline) -> Bool {
    guard let endedAt, now - endedAt >= lifetimes.keep else { return false }
    return isReadNoMore(now: now, since: endedAt + lifetimes.keep)
  }

  /// Whether nobody reads its end any more, or only too slowly.
  /// - Parameter since: when the session was to go.
  public func isReadNoMore(now: NIODeadline, since: NIODeadline) -> Bool {
    streams.indices.allSatisfy {
      now - streams.list[$0].output.lastProgress >= SessionLimits.lastReading
    } || now - since >= SessionLimits.longestReading
  }

  // MARK: What is told of it

  /// Bytes of memory that it holds, once it has ended.
  public var memoryFootprint: Int { log.memoryFootprint + screen.memoryFootprint }

  /// What operators see.
  /// - Parameter endedTime: when it ended, in milliseconds since 1970.
  public func summary(node: String, endedTime: UInt64?, now: NIODeadline) -> SessionSummary {
    let drivers = streams.list.lazy.filter { $0.mode == .driver }
    let watchers = streams.list.lazy.filter { $0.mode == .watcher }
    let listed =
      Array(drivers.prefix(WireLimits.viewersListed)) + watchers.prefix(WireLimits.viewersListed)
    return SessionSummary(
      session: id, node: node, life: life, epoch: epoch, target: creation.target.description,
      command: creation.command, user: creation.user, state: ended == nil ? .running : .ended,
      status: ended?.status,
      reason: ended?.reason, ended: endedTime, size: size,
      title: screen.title.isEmpty ? nil : screen.title.clipped(to: SessionLimits.titleShown),
      created: createdTime,
      idle: UInt64(max(0, (now - lastUsed).nanoseconds / 1_000_000)), output: log.end,
      input: input.totalAccepted, creator: creator.subject, stalled: ended == nil ? stall : nil,
      viewers: listed.prefix(WireLimits.viewersListed).map {
        Event.Viewer(
          client: $0.identity.client, mode: $0.mode, sub: $0.identity.subject)
      })
  }
}
