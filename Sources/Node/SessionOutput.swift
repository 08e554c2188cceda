// A session's output on its way from the pipe through the screen into the log, in slices of bounded work.

import NIOCore
import Screen

extension Session {
  /// Something waits for its turn at the screen. Meanwhile the pipe is held back.
  var hasWork: Bool { unread.readableBytes > 0 || snapshot.isMaking }

  /// Reads what waits as far as this tick has time for it; the rest has its turn.
  func readOn() {
    if !awaitsTurn, !snapshot.isMaking {
      let work = turns.allowance()
      if work > 0 { read(work: work) }
    }
    endIfRead()
    if hasWork { turns.wait(self) }
    updateReading()
  }

  /// One slice of work. True: there is more.
  func takeTurn(work: Int) -> Bool {
    if snapshot.isMaking {
      snapshot.goOn(work: work)
      handOutSnapshot()
    } else if snapshot.isWanted {
      snapshot.begin(screen, work: work)
      handOutSnapshot()
    } else if isSizeDue {
      changeSize()
    } else {
      read(work: work)
      endIfRead()
    }
    updateReading()
    return hasWork || snapshot.isWanted || isSizeDue
  }

  /// What a fresh terminal is to be shown; nil: it is being made, and its streams will be given it.
  func sharedSnapshot() -> ByteBuffer? {
    if let bytes = snapshot.bytes { return bytes }
    if !snapshot.isMaking {
      let work = turns.allowance()
      if work > 0 { snapshot.begin(screen, work: work) } else { snapshot.isWanted = true }
    }
    guard snapshot.bytes == nil else { return snapshot.bytes }
    turns.wait(self)
    updateReading()
    return nil
  }

  /// At once, before the screen reads on: it is valid at the log's end.
  private func handOutSnapshot() {
    guard let bytes = snapshot.bytes else { return }
    let now = NIODeadline.now()
    for stream in streams where stream.state.needsSnapshot(from: log, now: now) {
      stream.state.begin(snapshot: bytes, size: size, log: log)
      stream.setNeedsFlush()
    }
  }

  private func read(work: Int) {
    guard unread.readableBytes > 0 else { return }
    let now = NIODeadline.now()
    for stream in streams { stream.state.logWillGrow(log, now: now) }
    let taken = unread.withUnsafeReadableBytes { bytes in
      let taken = screen.write(bytes, work: work)
      log.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(taken)))
      return taken
    }
    guard taken > 0 else { return }
    unread.moveReaderIndex(forwardBy: taken)
    if unread.readableBytes == 0 { unread = ByteBuffer() }
    snapshot.outdate()
    answerQueries()
    if screen.takeEvents().titleChanged {
      for stream in streams { stream.tellTitle() }
    }
    for stream in streams { sendOutput(to: stream) }
  }
}
