// A session as its holder knows it: a process on a terminal, the log of its output, who of the nodes serves it, and
// what that one left to be found again. Its rules are here; what touches the system is the Holder's.

struct HeldSession {
  let handle: UInt64
  let descriptor: [UInt8]
  /// A line of its environment, by which what it started is found.
  let mark: [UInt8]
  let process: Int32
  /// In milliseconds.
  let orphanAfter: UInt64
  /// The control group that it was put into.
  var group: [UInt8]?

  // MARK: Who serves it

  /// The highest that any node has attached it under.
  private(set) var epoch: UInt64
  /// The peer that serves it.
  private(set) var peer: UInt32?
  var state: [UInt8] = []
  private(set) var checkpoint = Checkpoint()
  /// The time that it has been without a node, as far as the holder has counted, in milliseconds.
  private var orphaned: UInt64 = 0

  // MARK: Its output

  var log: HeldLog
  /// The next offset to be sent to the peer, and the next change of size.
  private(set) var cursor: UInt64 = 0
  private var sizeCursor = 0
  /// The peer takes output up to this offset.
  private(set) var credit: UInt64 = 0
  /// The peer has attached it from its checkpoint on, and has taken no output yet: it may still be reading what is older,
  /// and have nowhere to put more.
  private var isLeaveDue = false
  /// Parts of the checkpoint that the peer has yet to be sent: pieces of scrollback, then the screen.
  private var partsLeft: (piece: Int, at: Int)?
  /// When output came, and where the log ended then: a mark a second, the oldest first.
  private var reads: [(time: UInt64, end: UInt64)] = []
  private var lastRead: UInt64 = 0

  // MARK: Its input and its end

  var input = HeldInput()
  /// How the leader ended.
  private(set) var exit: HeldExit?
  /// Nothing more comes from its terminal.
  private(set) var isDrained = false
  private var isEndTold = false
  /// Bytes that came after the leader's exit.
  private(set) var rest = 0

  init(handle: UInt64, request: StartRequest, process: Int32, group: [UInt8]?, peer: UInt32?) {
    self.handle = handle
    descriptor = request.descriptor
    mark = request.mark
    self.process = process
    orphanAfter = UInt64(request.orphanAfter) * 1_000
    self.group = group
    epoch = request.epoch
    self.peer = peer
    log = HeldLog(
      limit: Int(truncatingIfNeeded: request.logLimit), columns: request.columns, rows: request.rows
    )
    sizeCursor = log.nextSize
  }

  var hasEnded: Bool { exit != nil && isDrained }

  // MARK: Attaching

  enum Attached: Equatable {
    case refused(UInt64)
    /// - Parameter former: the peer that served it until now, if it is another one.
    case attached(former: UInt32?)
  }

  /// Only an epoch above all before is taken: a node that slept while another took over never drives it again.
  mutating func attach(peer: UInt32, epoch: UInt64, next: UInt64?, now: UInt64) -> Attached {
    guard epoch > self.epoch else { return .refused(self.epoch) }
    let former = self.peer == peer ? nil : self.peer
    abandonWhatIsUnderWay()
    self.epoch = epoch
    self.peer = peer
    input.settle(settled(now: now))
    // What the checkpoint shows may go while it is being sent.
    if let next, next >= log.needed, next <= log.end {
      cursor = next
      isLeaveDue = false
    } else {
      cursor = checkpoint.offset
      partsLeft = (0, 0)
      isLeaveDue = true
    }
    sizeCursor = log.sizeNumber(at: cursor) + 1
    credit = cursor
    isEndTold = false
    return .attached(former: former)
  }

  func isServed(by peer: UInt32, epoch: UInt64) -> Bool { self.peer == peer && self.epoch == epoch }

  /// No peer serves it any more.
  mutating func detach() {
    abandonWhatIsUnderWay()
    peer = nil
    orphaned = 0
  }

  private mutating func abandonWhatIsUnderWay() {
    input.takeBack()
    checkpoint.abandon()
    partsLeft = nil
  }

  /// What the peer that attached is told.
  var found: HeldState {
    let size = log.size(sizeCursor - 1) ?? log.size
    return HeldState(
      handle: handle, epoch: epoch, process: UInt32(bitPattern: process), columns: size.columns,
      rows: size.rows, logStart: log.start, logEnd: log.end, checkpoint: checkpoint.offset,
      answered: input.answered, next: cursor, sizes: log.sizes.filter { $0.offset <= cursor },
      ledgers: input.states,
      hasForgotten: input.hasForgotten,
      exit: hasEnded ? exit : nil, state: state)
  }

  /// Counts the time without a node; true once it was too long. A look that comes late (the machine slept) counts
  /// for a tick at most.
  mutating func isOrphaned(for elapsed: UInt64) -> Bool {
    guard peer == nil else { return false }
    orphaned += min(elapsed, HolderLimits.tick)
    return orphaned >= orphanAfter
  }

  // MARK: Output

  /// Whether its terminal is to be read: for a peer what it takes, without one all that the log has room for.
  var isReading: Bool {
    guard !isDrained, log.room > 0 else { return false }
    return exit == nil ? peer == nil || log.end < credit : rest < HolderLimits.drained
  }

  mutating func grant(upTo offset: UInt64) {
    credit = max(credit, offset)
    isLeaveDue = false
  }

  mutating func didRead(_ bytes: ArraySlice<UInt8>, now: UInt64) {
    // All output before this mark is at least as old.
    if now >= (reads.last?.time ?? 0) + HolderLimits.readMark { reads.append((now, log.end)) }
    if reads.count > HolderLimits.readMarks { reads.removeFirst() }
    lastRead = now
    log.append(bytes)
    if exit != nil { rest += bytes.count }
  }

  /// All output before this offset is too old for its queries to be answered still.
  func settled(now: UInt64) -> UInt64 {
    if now >= lastRead + HolderLimits.query { return log.end }
    return reads.last { now >= $0.time + HolderLimits.query }?.end ?? 0
  }

  /// Writes what its peer may be sent next, one frame of it; false: nothing.
  mutating func writeNext(to writer: inout FrameWriter) -> Bool {
    if let parts = partsLeft { return writePart(parts, to: &writer) }
    // Of more changes than are kept, a slow peer hears of those that are.
    sizeCursor = max(sizeCursor, log.firstSizeKept)
    if let size = log.size(sizeCursor), size.offset <= cursor {
      sizeCursor += 1
      HolderFrame.resized(
        handle: handle, offset: cursor, columns: size.columns, rows: size.rows
      )
      .write(to: &writer)
      return true
    }
    var most = UInt64(HolderLimits.payload)
    most = min(most, log.end - cursor)
    // What the terminal held at its end was read without leave, and is sent without, once its peer is there for it.
    if !hasEnded || isLeaveDue { most = min(most, credit - min(credit, cursor)) }
    if let size = log.size(sizeCursor) { most = min(most, size.offset - cursor) }
    if most > 0 {
      HolderFrame.writeOutputHead(handle: handle, offset: cursor, count: Int(most), to: &writer)
      cursor += UInt64(log.read(at: cursor, most: Int(most), into: &writer.bytes))
      return true
    }
    guard let exit, hasEnded, !isEndTold, !isLeaveDue, cursor == log.end else { return false }
    isEndTold = true
    HolderFrame.exited(handle: handle, exit: exit, end: log.end).write(to: &writer)
    return true
  }

  private mutating func writePart(_ parts: (piece: Int, at: Int), to writer: inout FrameWriter)
    -> Bool
  {
    let isScreen = parts.piece >= checkpoint.scrollback.count
    let bytes = isScreen ? checkpoint.screen : checkpoint.scrollback[parts.piece]
    let end = min(bytes.count, parts.at + HolderLimits.payload)
    let isLast = isScreen && end == bytes.count
    HolderFrame.checkpoint(
      handle: handle, part: isScreen ? .screen : .scrollback, isLast: isLast,
      bytes: Array(bytes[parts.at..<end])
    )
    .write(to: &writer)
    partsLeft = isLast ? nil : end == bytes.count ? (parts.piece + 1, 0) : (parts.piece, end)
    return true
  }

  // MARK: Its checkpoint

  /// A part of the next one, from the peer that serves it.
  mutating func keepCheckpoint(
    _ part: CheckpointPart, isFirst: Bool, isLast: Bool, offset: UInt64, drop: UInt32,
    _ bytes: [UInt8]
  ) -> Checkpoint.Verdict {
    // Who has not been sent all of the last one cannot have another, and none shows what its node was not sent.
    guard partsLeft == nil else { return .wrong }
    let verdict = checkpoint.receive(
      part, isFirst: isFirst, isLast: isLast, offset: offset, drop: drop, bytes, end: cursor)
    if verdict == .whole { log.need(from: offset) }
    return verdict
  }

  // MARK: The end

  mutating func leaderDidExit(_ exit: HeldExit) { if self.exit == nil { self.exit = exit } }
  mutating func terminalDidClose() { isDrained = true }
}
