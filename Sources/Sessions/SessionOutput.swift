// A session's output: on its way from the pipe through the screen into the log, in slices of bounded work, and from
// there to the streams.
//
// Output comes into the log as the screen takes it in, so that the log's end is always the offset of what the screen
// shows. What the screen has no time for in this tick waits, and the pipe with it.

public import NIOCore
import Screen
import Wire

extension SessionCore {
  // MARK: From the pipe

  public mutating func pipeDidRead(_ bytes: ByteBuffer, now: NIODeadline) {
    lastUsed = now
    lastPrinted = now
    if unread.readableBytes == 0 { unread = bytes } else { unread.writeImmutableBuffer(bytes) }
    actions.append(.work)
  }

  /// Whether the pipe is held back until the screen is done with what it has.
  private var isScreenBehind: Bool {
    unread.readableBytes > 0 || snapshot.isMaking || kept?.making != nil || screen.isResizing
      || kept?.sizes.isEmpty == false
  }

  /// Whether the screen has something to do.
  public var hasWork: Bool {
    isScreenBehind || snapshot.isWanted || isSizeDue
  }

  /// Lets the screen work for so many of its units; 0: there is no time for it now, and it waits for its turn.
  public mutating func work(_ units: Int, now: NIODeadline) {
    if units == 0 {
      // All work is done later.
    } else if screen.isResizing {
      _ = screen.goOnResizing(work: units)
    } else if snapshot.isMaking {
      snapshot.goOn(work: units, now: now)
      handOutSnapshot(now: now)
    } else if snapshot.isWanted {
      snapshot.begin(screen, work: units, now: now)
      handOutSnapshot(now: now)
    } else if kept?.making != nil {
      goOnKeeping(units, now: now)
    } else if kept?.sizes.first?.after == 0 {
      takeInNextSize(work: units)
    } else if isSizeDue {
      changeSize(work: units, now: now)
    } else {
      read(units, now: now)
    }
    endIfAllIsRead(now: now)
    if hasWork { actions.append(.workLater) }
    updateReading(now: now)
  }

  private mutating func read(_ units: Int, now: NIODeadline) {
    guard unread.readableBytes > 0 else { return }
    for index in streams.indices { streams.list[index].output.logWillGrow(log, now: now) }
    let (terminal, output) = (screen, log)
    let most = readAtOnce
    let taken = unread.withUnsafeReadableBytes { bytes in
      let bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(most))
      let taken = terminal.write(bytes, work: units)
      output.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(taken)))
      return taken
    }
    guard taken > 0 else { return }
    unread.moveReaderIndex(forwardBy: taken)
    if unread.readableBytes == 0 { unread = ByteBuffer() }
    snapshot.outdate()
    answerQueries()
    advanceSizes(by: taken)
    let isTitleNew = screen.takeEvents().titleChanged
    for index in streams.indices {
      if isTitleNew { streams.list[index].isTitleDue = true }
      sendOutput(to: index)
    }
    updateCheckpoint(now: now)
  }

  /// How much of what is unread the screen may read in one go: up to a change of size, and up to where another node
  /// has answered the program's queries.
  private var readAtOnce: Int {
    guard let kept else { return unread.readableBytes }
    let beforeAnswered =
      log.end < kept.answered ? Int(clamping: kept.answered - log.end) : unread.readableBytes
    return min(unreadBeforeSize ?? unread.readableBytes, beforeAnswered)
  }

  private mutating func sendOutput(to index: Int) {
    let stream = streams.list[index].id
    actions.append(mayWaitForMore(index) ? .giveTurnSoon(stream) : .giveTurn(stream))
  }

  private func mayWaitForMore(_ index: Int) -> Bool {
    ended == nil && !streams.list[index].isTitleDue
      && streams.list[index].output.mayWaitForMore(from: log)
  }

  // MARK: When the pipe is read

  /// The pipe is read while some driver that makes progress can take more, and always when there is
  /// none (promise P7: only the drivers may hold the process back); but not while the screen has yet to
  /// read what came before.
  mutating func updateReading(now: NIODeadline) {
    let shouldRead = isRunning && !isScreenBehind && !isHeldBack(now: now)
    if shouldRead != isReading {
      isReading = shouldRead
      actions.append(.setReading(shouldRead))
    }
    if !shouldRead, isRunning, !isReadingCheckSet {
      isReadingCheckSet = true
      actions.append(.wait(.reading, until: now + SessionLimits.readingCheck))
    }
  }

  /// Whether there are drivers that make progress, and none of them can take more.
  private func isHeldBack(now: NIODeadline) -> Bool {
    var isHeldBack = false
    for index in streams.indices {
      guard streams.list[index].mode == .driver,
        !streams.list[index].output.isStalled(behind: log, now: now)
      else { continue }
      if streams.list[index].output.wantsMore(from: log) { return false }
      isHeldBack = true
    }
    return isHeldBack
  }

  // MARK: To a stream

  /// What a stream's turn came to.
  public enum Turn {
    /// It has nothing that may be sent now.
    case over
    /// It may have more.
    case hasMore
    /// What else it has may wait until there is more of it.
    case mayWait
  }

  /// A stream's turn: appends its news and its next frame of output to `buffer`.
  public mutating func writeNext(
    of stream: StreamID, into buffer: inout ByteBuffer, now: NIODeadline
  ) -> Turn {
    guard let index = streams.index(of: stream) else { return .over }
    writeNews(of: index, into: &buffer)
    if streams.list[index].output.needsSnapshot(from: log, now: now) {
      guard let bytes = snapshot.bytes else {
        askForSnapshot()
        return .over
      }
      streams.list[index].output.begin(snapshot: bytes, size: size, log: log)
    }
    if streams.list[index].output.writeNext(
      into: &buffer, stream: stream.number, log: log, now: now)
    {
      return mayWaitForMore(index) ? .mayWait : .hasMore
    }
    if let ended, streams.list[index].output.isCaughtUp(with: log) {
      remove(at: index)
      close(stream, last: .ended(ended))
    }
    return .over
  }

  private mutating func writeNews(of index: Int, into buffer: inout ByteBuffer) {
    let number = streams.list[index].id.number
    if let offset = streams.list[index].inputAcknowledgement {
      buffer.writeFrame(.inputAck(offset: offset), stream: number)
      streams.list[index].inputAcknowledgement = nil
      streams.list[index].acknowledgedInput = offset
    }
    if let event = viewersNews(of: index) {
      buffer.writeFrame(.event(event), stream: number)
      streams.list[index].news = .none
    }
    if streams.list[index].isTitleDue {
      buffer.writeFrame(.event(.title(screen.title)), stream: number)
      streams.list[index].isTitleDue = false
    }
  }

  /// OUTPUT_ACK.
  public mutating func acknowledge(_ stream: StreamID, consumed: UInt64, now: NIODeadline) {
    noteAnswered(stream)
    guard let index = streams.index(of: stream) else { return }
    guard streams.list[index].output.acknowledge(consumed: consumed, now: now) else {
      return leave(stream, telling: .badAck, now: now)
    }
    // Most are of an echo, behind which there is nothing: no turn, which would send a key's acknowledgement before its echo.
    if ended != nil || !streams.list[index].output.isCaughtUp(with: log) { sendOutput(to: index) }
    updateReading(now: now)
  }

  // MARK: Snapshots

  mutating func askForSnapshot() {
    guard !snapshot.isMaking, !snapshot.isWanted else { return }
    snapshot.isWanted = true
    actions.append(.work)
  }

  /// Hands the snapshot out at once, before the screen reads on: it is valid at the log's end.
  private mutating func handOutSnapshot(now: NIODeadline) {
    guard let bytes = snapshot.bytes else { return }
    for index in streams.indices
    where streams.list[index].output.needsSnapshot(from: log, now: now) {
      streams.list[index].output.begin(snapshot: bytes, size: size, log: log)
      actions.append(.giveTurn(streams.list[index].id))
    }
  }

  /// Gives up the memory of a snapshot that nobody has asked for lately.
  public mutating func forgetOldSnapshot(now: NIODeadline) {
    snapshot.forget(madeBefore: now - SessionLimits.snapshotKept)
  }
}
