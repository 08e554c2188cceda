// When a session that is kept leaves a checkpoint with its holder, and what is in it.
//
// A checkpoint with the whole scrollback costs as much as the scrollback is long, and the holder's log has room for only
// so much output between two. But a flood fills the scrollback anew from time to time: from a screen without it and the
// output since, all of it arises again. So the session makes such a checkpoint early, keeps it, and leaves it with the
// holder once each line of the scrollback is younger. Only where that takes longer than the log has room for (long
// lines, or output that moves the cursor and scrolls nothing) is the scrollback told.

public import NIOCore
import Screen
import Wire

extension SessionCore {
  /// To be called when output was read: begins a checkpoint, or leaves one, when it is time.
  mutating func updateCheckpoint(now: NIODeadline) {
    leaveYoungCheckpoint()
    guard let kept, isRunning, kept.making == nil else { return }
    let since = log.end - min(kept.checkpoint, log.end)
    if since >= kept.roomOf(SessionLimits.fullParts) {
      beginCheckpoint(now: now)
    } else if since >= kept.roomOf(SessionLimits.youngParts), kept.young == nil {
      beginCheckpoint(isYoung: true, now: now)
    }
    if since >= quietCheckpoint, !kept.isQuietCheckSet {
      self.kept?.isQuietCheckSet = true
      actions.append(.wait(.checkpoint, until: now + SessionLimits.quiet))
    }
  }

  private var quietCheckpoint: UInt64 {
    let part = UInt64((kept?.checkpointBytes ?? 0) / SessionLimits.quietPart)
    return max(
      SessionLimits.quietCheckpoint, min(part, kept?.roomOf(SessionLimits.youngParts) ?? 0))
  }

  /// Whether the program waits for an answer that may be lost with this node: who reads the output again from a
  /// checkpoint behind the question would not give it. After a while nobody answers any more.
  private func isAnswerUnderWay(now: NIODeadline) -> Bool {
    guard input.unwrittenAnswers > 0, let since = kept?.unansweredSince else { return false }
    return now - since < SessionLimits.answerable
  }

  /// Leaves a checkpoint of a session that has printed nothing for a while, so that whoever makes it again has little
  /// to read.
  mutating func checkForQuiet(now: NIODeadline) {
    kept?.isQuietCheckSet = false
    guard let kept, isRunning, kept.making == nil,
      log.end - min(kept.checkpoint, log.end) >= quietCheckpoint
    else { return }
    if now - lastPrinted >= SessionLimits.quiet, !screen.isResizing, !isAnswerUnderWay(now: now) {
      beginCheckpoint(now: now)
    } else {
      updateCheckpoint(now: now)
    }
  }

  /// Leaves a checkpoint, if there is much to read since the last one, of a session that is about to go on at another
  /// node.
  public mutating func leaveCheckpoint(now: NIODeadline) {
    guard let kept, isRunning, kept.making == nil,
      log.end - min(kept.checkpoint, log.end) >= quietCheckpoint
    else { return }
    beginCheckpoint(now: now)
  }

  /// Whether a checkpoint is being made.
  public var isMakingCheckpoint: Bool { kept?.making != nil }

  /// Notes that the holder has the checkpoint of this offset, whatever was left there since.
  public mutating func checkpointIs(at offset: UInt64, now: NIODeadline) {
    guard kept != nil else { return }
    kept?.checkpoint = min(offset, log.end)
    updateCheckpoint(now: now)
  }

  // MARK: Making one

  private mutating func beginCheckpoint(isYoung: Bool = false, now: NIODeadline) {
    guard let kept, !screen.isResizing, !isAnswerUnderWay(now: now) else { return }
    // A line of the scrollback comes with it in any case: whether there is one makes a difference to what follows.
    let lines = isYoung ? 1 : linesToKeep(kept)
    self.kept?.making = CheckpointMaker(
      snapshot: screen.beginSnapshot(scrollback: lines), size: size, offset: log.end,
      mark: screen.scrollbackMark, isYoung: isYoung)
    actions.append(.work)
  }

  private func linesToKeep(_ kept: KeptBookkeeping) -> Int {
    let bytes = screen.scrollbackBytes
    guard bytes > kept.most else { return kept.scrollback }
    let share = Double(kept.most) / Double(bytes)
    return min(kept.scrollback, max(1, Int(Double(screen.scrollbackCount) * share)))
  }

  /// Goes on with the checkpoint that is being made.
  mutating func goOnKeeping(_ work: Int, now: NIODeadline) {
    guard var maker = kept?.making, let most = kept?.most else { return }
    // Gives up the other reference to the bytes, so that they are not copied.
    kept?.making = nil
    maker.bytes.writeBytes(maker.snapshot.next(work: work))
    if maker.bytes.readableBytes > most {
      makeSmaller(maker, now: now)
    } else if maker.snapshot.isDone {
      didMake(maker)
    } else {
      kept?.making = maker
    }
  }

  private mutating func didMake(_ maker: CheckpointMaker) {
    let young = YoungCheckpoint(
      bytes: maker.bytes, size: maker.size, offset: maker.offset, mark: maker.mark)
    if maker.isYoung {
      kept?.young = young
    } else {
      kept?.checkpointBytes = maker.bytes.readableBytes
      leave(young)
    }
  }

  private mutating func makeSmaller(_ maker: CheckpointMaker, now: NIODeadline) {
    let lines = min(kept?.scrollback ?? 1, screen.scrollbackCount)
    guard lines > 1, !maker.isYoung else {
      // The process goes on, which is worth more than what it shows just now.
      var blank = maker
      blank.bytes = ByteBuffer(bytes: Screen.freshTerminal)
      return didMake(blank)
    }
    kept?.scrollback = max(1, lines / SessionLimits.linesPart)
    beginCheckpoint(now: now)
  }

  // MARK: Leaving one

  /// Leaves the one that waits once the scrollback is younger; not at once, so that they are few.
  private mutating func leaveYoungCheckpoint() {
    guard let kept, isRunning, let young = kept.young else { return }
    guard young.offset > kept.checkpoint, young.mark.isOfSameLife(as: screen.scrollbackMark) else {
      self.kept?.young = nil
      return
    }
    guard log.end - min(kept.checkpoint, log.end) >= kept.roomOf(SessionLimits.leftParts),
      screen.isScrollbackYounger(than: young.mark)
    else { return }
    self.kept?.checkpointBytes = 0
    self.kept?.scrollback = .max
    leave(young)
  }

  private mutating func leave(_ checkpoint: YoungCheckpoint) {
    kept?.young = nil
    kept?.checkpoint = checkpoint.offset
    actions.append(
      .keepCheckpoint(checkpoint.bytes, size: checkpoint.size, at: checkpoint.offset))
  }
}
