// One stream's view of a session's output: where it stands in the log, what it may still be sent,
// whether a snapshot is under way. Pure: it writes frames into a buffer it is given.
//
// The client acknowledges what it consumed; sent less consumed never exceeds the window, which
// doubles while a larger one makes the stream faster and halves when bytes only wait in it (promises P6, P7).

import NIOCore
import Wire

struct StreamState {
  /// The next output offset to send.
  private(set) var cursor: UInt64
  private var nextMark: Int
  /// Up to here the pipe was read because this stream had room; what follows was read for faster ones.
  private var readFor: UInt64
  /// Cumulative body bytes of OUTPUT and SNAPSHOT frames.
  private(set) var sent: UInt64
  private(set) var consumed: UInt64
  private(set) var window = WireLimits.initialWindow
  private var snapshot: Snapshot?
  /// The client has no screen that the log could continue, and no snapshot was begun for it yet.
  private var isSnapshotDue = false
  private var snapshots: UInt64 = 0
  /// Bytes counted when the running measurement of acknowledgement time began, and when.
  private var probe: (sent: UInt64, time: NIODeadline)?
  /// The shortest time that was ever measured: nothing waited before those bytes.
  private var shortest = TimeAmount.nanoseconds(.max)
  /// When the client last made progress, or was waiting for nothing.
  private(set) var lastProgress: NIODeadline
  /// `sent` when this state began: a client that has consumed more has seen what came of its OPEN.
  private let sentBefore: UInt64
  /// When its user last typed in answer to what they see.
  private var lastTyped: NIODeadline?

  private struct Snapshot {
    var id: UInt64
    var offset: UInt64
    var size: TerminalSize
    var bytes: ByteBuffer
    var isFirst = true
  }

  /// - Parameters:
  ///   - cursor: the first offset that the client needs.
  ///   - sent: body bytes sent on this stream before (after a link loss), with `consumed` of them
  ///     acknowledged; not more than that, and not over 2^62.
  init(
    cursor: UInt64, log: OutputLog, sent: UInt64 = 0, consumed: UInt64 = 0, now: NIODeadline
  ) {
    self.cursor = cursor
    self.readFor = cursor
    self.nextMark = log.firstMark(from: cursor)
    self.sent = min(sent, Varint.maximum)
    self.sentBefore = self.sent
    self.consumed = min(consumed, self.sent)
    self.lastProgress = now
  }

  var credit: Int { max(0, window - Int(clamping: sent - consumed)) }

  private var hasScreen: Bool { snapshot == nil && !isSnapshotDue }

  /// Whether everything produced so far, with the snapshot before it, was sent.
  func isCaughtUp(with log: OutputLog) -> Bool {
    hasScreen && cursor >= log.end && nextMark >= log.nextMark
  }

  /// Whether the pipe should be read on this stream's behalf: it could be sent more than there is.
  func wantsMore(from log: OutputLog) -> Bool {
    let unsent = hasScreen ? Int(clamping: log.end &- cursor) : Int.max
    return credit > unsent
  }

  /// Whether what is unsent may wait until there is enough for a whole frame: it is less than that, and the
  /// client has as much to go through before it.
  func mayWaitForMore(from log: OutputLog) -> Bool {
    guard hasScreen, nextMark >= log.nextMark, credit > 0, cursor < log.end else {
      return false
    }
    return sent - consumed >= UInt64(WireLimits.dataPayload)
      && min(UInt64(credit), log.end - cursor) < UInt64(WireLimits.dataPayload)
  }

  /// Whether nothing has moved for too long, though there is something to send or to acknowledge.
  func isStalled(behind log: OutputLog, now: NIODeadline) -> Bool {
    (sent > consumed || !isCaughtUp(with: log)) && now - lastProgress >= SessionLimits.stall
  }

  /// To be called before the log grows. A stream that had all of it begins to wait only now, and one that has enough to
  /// send falls behind from here on.
  mutating func logWillGrow(_ log: OutputLog, now: NIODeadline) {
    if sent == consumed, isCaughtUp(with: log) { lastProgress = now }
    if wantsMore(from: log) { readFor = log.end }
  }

  /// Notes that input came: the client waits to see what comes of it. Input right behind an OPENED does not count: it
  /// is sent again, or was typed during a cut, and its client waits for what it missed meanwhile.
  mutating func didType(now: NIODeadline) {
    if consumed > sentBefore { lastTyped = now }
  }

  /// Notes that the client has no screen: the next thing that it is sent is a snapshot.
  mutating func askForSnapshot() { isSnapshotDue = true }

  /// True: the stream needs a snapshot, and may send it. It was asked for; or the log has lost what it needs
  /// next; or its user typed a moment ago, and what is unsent is more than a window and than was read for it:
  /// another client holds the process to a faster pace, and the answer (a prompt after Ctrl-C) must not wait
  /// behind all that. A client alone, which holds the process back itself, is never that far behind.
  func needsSnapshot(from log: OutputLog, now: NIODeadline) -> Bool {
    guard snapshot == nil, credit > 0 else { return false }
    if isSnapshotDue || cursor < log.start || nextMark < log.firstMark { return true }
    guard let lastTyped, now - lastTyped <= SessionLimits.hurry else { return false }
    return Int(clamping: log.end - cursor) > window
      && log.end - readFor > UInt64(SessionLimits.readAhead)
  }

  /// Begins a snapshot that is valid at the log's end; what follows goes on from there.
  mutating func begin(snapshot bytes: ByteBuffer, size: TerminalSize, log: OutputLog) {
    begin(snapshot: bytes, size: size, at: log.end, nextMark: log.nextMark)
  }

  private mutating func begin(
    snapshot bytes: ByteBuffer, size: TerminalSize, at offset: UInt64, nextMark: Int
  ) {
    snapshots += 1
    isSnapshotDue = false
    snapshot = Snapshot(id: snapshots, offset: offset, size: size, bytes: bytes)
    cursor = offset
    readFor = offset
    self.nextMark = nextMark
  }

  /// A size mark was replaced under the same number: send it again.
  mutating func markReplaced(_ number: Int) { nextMark = min(nextMark, number) }

  /// Takes an OUTPUT_ACK. False: it acknowledges what was never sent.
  mutating func acknowledge(consumed: UInt64, now: NIODeadline) -> Bool {
    guard consumed <= sent else { return false }
    guard consumed > self.consumed else { return true }
    self.consumed = consumed
    lastProgress = now
    if let probe, consumed >= probe.sent {
      self.probe = nil
      adapt(to: now - probe.time)
    }
    return true
  }

  /// TCP Vegas (Brakmo and Peterson 1995): bytes that take much longer than the shortest time ever wait in
  /// a queue somewhere, where a larger window makes nothing faster, and others' echoes slower.
  private mutating func adapt(to roundTrip: TimeAmount) {
    shortest = min(shortest, roundTrip)
    if roundTrip <= shortest * SessionLimits.doubling,
      roundTrip <= SessionLimits.fastAcknowledgement
    {
      window = min(window * 2, WireLimits.maximumWindow)
    } else if roundTrip > shortest * SessionLimits.halving
      || roundTrip > SessionLimits.fastAcknowledgement
    {
      window = max(window / 2, WireLimits.initialWindow)
    }
  }

  /// Appends the next frame for this stream, if there is one that may be sent. At most
  /// ``WireLimits/dataPayload`` bytes of it.
  mutating func writeNext(
    into buffer: inout ByteBuffer, stream: UInt64, log: OutputLog, now: NIODeadline
  ) -> Bool {
    if sent == consumed { lastProgress = now }
    if isSnapshotDue { return false }
    if snapshot != nil { return writeSnapshotPart(into: &buffer, stream: stream, now: now) }
    if let mark = log.mark(nextMark), mark.offset <= cursor {
      nextMark += 1
      buffer.writeFrame(.resized(offset: mark.offset, mark.size), stream: stream)
      return true
    }
    // What the log has lost is not there to be sent: the caller begins a snapshot.
    guard cursor < log.end, cursor >= log.start, credit > 0 else { return false }
    var count = min(credit, WireLimits.dataPayload, Int(log.end - cursor))
    if let mark = log.mark(nextMark) { count = min(count, Int(mark.offset - cursor)) }
    buffer.writeOutputHeader(stream: stream, offset: cursor, count: count)
    let copied = log.read(at: cursor, count: count, into: &buffer)
    assert(copied == count)
    cursor += UInt64(count)
    didSend(count, now: now)
    return true
  }

  private mutating func writeSnapshotPart(
    into buffer: inout ByteBuffer, stream: UInt64, now: NIODeadline
  ) -> Bool {
    guard var snapshot else { return false }
    let left = snapshot.bytes.readableBytes
    guard credit > 0 || left == 0 else { return false }
    let count = min(credit, WireLimits.dataPayload, left)
    guard let bytes = snapshot.bytes.readSlice(length: count) else { return false }
    let isLast = count == left
    buffer.writeFrame(
      .snapshot(
        SnapshotPart(
          id: snapshot.id, isFirst: snapshot.isFirst, isLast: isLast, offset: snapshot.offset,
          size: snapshot.size, bytes: bytes)), stream: stream)
    snapshot.isFirst = false
    self.snapshot = isLast ? nil : snapshot
    didSend(count, now: now)
    return true
  }

  private mutating func didSend(_ count: Int, now: NIODeadline) {
    sent += UInt64(count)
    // What is less may be acknowledged late, with the client's next input.
    if probe == nil, sent - consumed >= UInt64(WireLimits.acknowledgeAt) { probe = (sent, now) }
  }
}
