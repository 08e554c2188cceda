// A session: one live process, its output log and its screen, and the streams of the clients attached
// to it.
//
//     pipe ──read──► Screen ──► snapshots, answers to queries
//       │    └─────► OutputLog ──► streams (cursor, window) ──► links
//     pipe ◄─write── InputQueue ◄── INPUT (client, offset), deduplicated
//
// Output comes into the log as the screen takes it in, so that the log's end is always the offset of what
// the screen shows. What the screen has no time for in this tick waits, and the pipe with it
// (SessionOutput.swift).
//
// Confined to its loop: every call comes from there, bytes never change threads.

import Link
import Logging
import NIOCore
import Pipes
import Screen
import Wire

/// What a session needs of the loop it lives on.
protocol SessionOwner: AnyObject {
  /// The process ended, or was ended; the session stays readable until the owner drops it.
  func sessionDidEnd(_ session: Session)
  /// Of the loop's screens.
  var turns: ScreenTurns { get }
  /// Where logs have their memory.
  var pages: PageSource { get }
}

final class Session: PipeDelegate {
  let id: SessionID
  let life: Life
  let epoch: Epoch
  let creation: Creation
  /// Whose OPEN created it.
  let creator: ClientIdentity
  /// The subject that created it; nil: nobody's, since authentication was off.
  var owner: String? { creator.subject }
  let created: NIODeadline
  /// Milliseconds since 1970.
  let createdAt: UInt64
  let lifetimes: SessionLifetimes
  let eventLoop: any EventLoop
  let log: OutputLog
  let screen: Screen
  private(set) var size: TerminalSize
  private(set) var ended: Ended?
  private(set) var endedAt: NIODeadline?
  /// Milliseconds since 1970.
  private(set) var endedTime: UInt64?
  /// Its last output or input.
  private(set) var lastUsed: NIODeadline
  /// When its last client left.
  private var lastLeft: NIODeadline
  private(set) var streams: [SessionStream] = []
  var inputBytes: UInt64 { input.totalAccepted }

  private let pipe: any Pipe
  private weak var loop: (any SessionOwner)?

  // What SessionOutput.swift works with.
  let turns: ScreenTurns
  /// It is in the queue for a turn.
  var awaitsTurn = false
  /// Read from the pipe, and not yet by the screen.
  var unread = ByteBuffer()
  var snapshot = SharedSnapshot()
  /// How the process ended, while there is output of it to be read.
  private var processEnd: (status: ExitStatus?, reason: String?)?
  private var input = InputQueue<ClientIdentity>()
  /// Accepted and not yet given to the pipe: behind `writing`, which goes to it piece by piece.
  private var waitingInput = ByteBuffer()
  private var writing = ByteBuffer()
  /// Bytes that the pipe has and has not reported.
  private var underWay = 0
  /// Accepted and given up for an interrupt; counts as written once what is under way before it is.
  private var discarded = 0
  /// The key that it was given up for, until it is its turn.
  private var interrupt: UInt8?
  private let typingTakesSize: Bool
  private var sizeOwner: ClientIdentity?
  /// The size that its owner wants; ``size`` follows, at its pace.
  private var wantedSize: TerminalSize
  private var lastResize: NIODeadline?
  private var resizing: Scheduled<Void>?
  /// What `viewers` says, with and without their names, until it changes.
  private var viewersEvent: (named: Event, unnamed: Event)?
  private(set) var endCause: EndCause?
  private var stallCheck: Scheduled<Void>?

  init(
    id: SessionID, epoch: Epoch, creation: Creation, creator: ClientIdentity, size: TerminalSize,
    pipe: any Pipe, settings: NodeSettings, createdAt: UInt64, owner: any SessionOwner
  ) {
    self.id = id
    self.life = .random()
    self.epoch = epoch
    self.creation = creation
    self.creator = creator
    self.lifetimes = SessionLifetimes(creation, settings)
    self.size = size
    self.wantedSize = size
    self.turns = owner.turns
    self.pipe = pipe
    self.eventLoop = pipe.eventLoop
    self.log = OutputLog(limit: settings.logLimit, source: owner.pages)
    self.screen = Screen(
      columns: size.columns, rows: size.rows, scrollback: settings.scrollback)
    self.typingTakesSize = settings.typingTakesSize
    self.createdAt = createdAt
    self.created = .now()
    self.lastUsed = created
    self.lastLeft = created
    self.loop = owner
    pipe.delegate = self
    updateReading()
  }

  // MARK: Streams come and go

  /// Attaches a stream and answers its OPEN. A stream of the same client leaves first, so that input
  /// from a half-dead connection cannot overtake the new one's.
  /// - Parameters:
  ///   - created: the OPEN created the session.
  ///   - differs: what the OPEN would have created and the session is not.
  func attach(
    _ stream: SessionStream, request: LinkOpen, created: Bool, differs: [String]? = nil
  ) {
    // Its OPEN was overtaken by a newer one, on the way through another router.
    if streams.contains(where: { $0.identity == stream.identity && $0.isNewer(than: stream) }) {
      return stream.end(with: .close(.superseded))
    }
    for older in streams where older.identity == stream.identity {
      leave(older, telling: .superseded)
    }
    guard streams.count < NodeLimits.streamsPerSession else {
      return stream.end(
        with: .refused(Refused(.tooMany, "this session has \(streams.count) viewers")))
    }
    let now = NIODeadline.now()
    let open = request.open
    let resume = open.resume
    let isSameLife = resume?.life == life
    stream.wantedSize = open.size
    stream.colors = open.colors
    if stream.mode == .driver, !hasAttachedOwner {
      own(by: stream)
      // Its own size is no news after a reload; its colours may be.
      applyColors(of: stream)
    }
    let ledger = input.attach(stream.identity, acknowledged: isSameLife ? resume?.input : nil)
    let resumed: Opened.Resumed
    let cursor: UInt64
    if created, log.start == 0 {
      (resumed, cursor) = (.new, 0)
    } else if isSameLife, let next = resume?.next, next >= log.start, next <= log.end {
      (resumed, cursor) = (.exact, next)
    } else {
      (resumed, cursor) = (.snapshot, log.end)
    }
    stream.session = self
    stream.state = StreamState(
      cursor: cursor, log: log, sent: request.sent, consumed: request.consumed, now: now)
    streams.append(stream)
    stream.send(
      .opened(
        Opened(
          session: id, life: life, epoch: epoch, created: created, resumed: resumed,
          output: cursor, input: ledger.accepted, inDoubt: ledger.isInDoubt ? true : nil,
          size: size, mode: stream.mode, mayKill: stream.mayKill,
          state: ended == nil ? .running : .ended, differs: differs)))
    if ledger.written > 0 { stream.acknowledgeInput(ledger.written) }
    if resumed == .snapshot { stream.state.askForSnapshot() }
    tellViewers()
    if !screen.title.isEmpty { stream.tellTitle() }
    stream.setNeedsFlush()
    updateReading()
  }

  /// Takes a stream out; `close`, if given, is said to its client.
  func leave(_ stream: SessionStream, telling close: Close? = nil) {
    guard let index = streams.firstIndex(where: { $0 === stream }) else { return }
    streams.remove(at: index)
    stream.session = nil
    input.detach(stream.identity)
    lastLeft = .now()
    if let close { stream.end(with: .close(close)) }
    tellViewers()
    updateReading()
  }

  /// Its clients are to look for it elsewhere.
  func sendAway(_ refusal: Refused) {
    for stream in streams {
      leave(stream)
      stream.end(with: .refused(refusal))
    }
  }

  private func tellViewers() {
    viewersEvent = nil
    for stream in streams { stream.tell(.viewers) }
  }

  /// What there is to tell the stream, as it is now.
  func event(for stream: SessionStream) -> Event? {
    switch stream.presence {
    case .none: return nil
    case .sizeOwner: return .sizeOwner(sizeOwner?.client)
    case .viewers:
      let events = viewersEvent ?? makeViewersEvent()
      viewersEvent = events
      return stream.seesNames ? events.named : events.unnamed
    }
  }

  private func makeViewersEvent() -> (named: Event, unnamed: Event) {
    // An event is one frame: of very many with very long names, the last ones go without.
    var room = NodeLimits.viewersNames
    let named = streams.prefix(NodeLimits.viewersNamed).map { stream in
      let cost = stream.identity.subject?.jsonBound ?? 0
      room -= cost
      return Event.Viewer(
        client: stream.client, mode: stream.mode, sub: room >= 0 ? stream.identity.subject : nil)
    }
    let unnamed = named.map { Event.Viewer(client: $0.client, mode: $0.mode) }
    let owner = sizeOwner?.client
    return (
      .viewers(named, sizeOwner: owner), .viewers(unnamed, sizeOwner: owner)
    )
  }

  var titleEvent: Event { .title(screen.title) }

  // MARK: Output

  func pipeDidRead(_ bytes: ByteBuffer) {
    lastUsed = .now()
    if unread.readableBytes == 0 { unread = bytes } else { unread.writeImmutableBuffer(bytes) }
    readOn()
  }

  func sendOutput(to stream: SessionStream) {
    if mayGather(stream) { stream.gather() } else { stream.setNeedsFlush() }
  }

  /// Whether the stream's output may wait for more.
  func mayGather(_ stream: SessionStream) -> Bool {
    ended == nil && stream.state.mayGather(from: log)
  }

  /// The program asked its terminal something: the screen alone answers, at once, attached or not, so
  /// that no replay types junk and two clients do not answer twice.
  func answerQueries() {
    let answers = screen.takeAnswers()
    guard !answers.isEmpty, isRunning, input.answer(answers.count) else { return }
    waitingInput.writeBytes(answers)
    writeInput()
  }

  /// Appends the stream's next frame to `buffer`; false when it has none that may be sent now.
  func writeNext(of stream: SessionStream, into buffer: inout ByteBuffer) -> Bool {
    let now = NIODeadline.now()
    if stream.state.needsSnapshot(from: log, now: now) {
      guard let bytes = sharedSnapshot() else { return false }
      stream.state.begin(snapshot: bytes, size: size, log: log)
    }
    if stream.state.writeNext(into: &buffer, stream: stream.number, log: log, now: now) {
      return true
    }
    if let ended, stream.state.isCaughtUp(with: log) {
      remove(stream)
      stream.end(with: .ended(ended))
    }
    return false
  }

  private func remove(_ stream: SessionStream) {
    streams.removeAll { $0 === stream }
    stream.session = nil
    input.detach(stream.identity)
    viewersEvent = nil
  }

  func acknowledge(_ stream: SessionStream, consumed: UInt64) {
    guard stream.state.acknowledge(consumed: consumed, now: .now()) else {
      return leave(stream, telling: .badAck)
    }
    sendOutput(to: stream)
    updateReading()
  }

  /// The pipe is read while some driver that makes progress can take more, and always when there is
  /// none (promise P7: only the drivers may hold the process back); but not while the screen has yet to
  /// read what came before.
  func updateReading() {
    let now = NIODeadline.now()
    var holders = 0
    var wanted = false
    for stream in streams
    where stream.mode == .driver && !stream.state.isStalled(behind: log, now: now) {
      holders += 1
      if stream.state.wantsMore(from: log) {
        wanted = true
        break
      }
    }
    let isReading = isRunning && !hasWork && (holders == 0 || wanted)
    pipe.isReading = isReading
    if !isReading, isRunning, stallCheck == nil {
      let bound = NIOLoopBound(self, eventLoop: eventLoop)
      stallCheck = eventLoop.scheduleTask(in: .milliseconds(500)) {
        bound.value.stallCheck = nil
        bound.value.updateReading()
      }
    }
  }

  // MARK: Input

  func receive(_ stream: SessionStream, offset: UInt64, bytes: ByteBuffer) {
    guard stream.mode == .driver else { return }
    switch input.receive(stream.identity, offset: offset, count: bytes.readableBytes) {
    case .accept(let fresh):
      let now = NIODeadline.now()
      lastUsed = now
      stream.state.didType(now: now)
      if sizeOwner != stream.identity, typingTakesSize || sizeOwner == nil { own(by: stream) }
      guard isRunning else { return }
      let typed = bytes.readableBytesView.suffix(fresh)
      giveWay(to: typed)
      // A copy: a slice would keep the whole buffer alive that it was read into, for as long as the
      // process does not read.
      waitingInput.writeBytes(typed)
      writeInput()
    case .duplicate: break
    case .gap: leave(stream, telling: .inputGap)
    case .overflow: leave(stream, telling: .inputOverflow)
    }
  }

  /// Gives the pipe its next piece once it has taken the last, so that keys typed at a process that
  /// does not read wait as bytes and not as a write each.
  private func writeInput() {
    guard underWay == 0 else { return }
    if writing.readableBytes == 0 {
      writing = waitingInput
      waitingInput = ByteBuffer()
    }
    let count = min(writing.readableBytes, WireLimits.dataPayload)
    guard count > 0, let piece = writing.readSlice(length: count) else { return }
    underWay = count
    pipe.write(piece)
  }

  func pipeDidWrite(_ count: Int) {
    underWay = max(0, underWay - count)
    defer { writeInput() }
    var count = count
    if underWay == 0 {
      // The key has to find room.
      if let interrupt { _ = pipe.discardInput(for: interrupt) }
      interrupt = nil
      count += discarded
      discarded = 0
    }
    input.wrote(count) { identity, offset in
      for stream in streams where stream.identity == identity { stream.acknowledgeInput(offset) }
    }
  }

  /// An interrupt is typed behind input that the process does not read: that input is discarded, as the terminal
  /// itself discards what it holds, and counts as written. Otherwise the key would wait behind it for good.
  private func giveWay(to typed: ByteBufferView) {
    guard underWay > 0, typed.count <= NodeLimits.interruptBytes, let key = typed.last,
      pipe.discardInput(for: key)
    else { return }
    discarded += writing.readableBytes + waitingInput.readableBytes
    writing = ByteBuffer()
    waitingInput = ByteBuffer()
    interrupt = key
    makeRoom(tries: NodeLimits.interruptTries)
  }

  /// What the pipe was given before may fill the terminal once more.
  private func makeRoom(tries: Int) {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: NodeLimits.interruptRetry) {
      let session = bound.value
      guard let key = session.interrupt, tries > 0 else { return }
      _ = session.pipe.discardInput(for: key)
      session.makeRoom(tries: tries - 1)
    }
  }

  // MARK: Size

  private var hasAttachedOwner: Bool { streams.contains { $0.identity == sizeOwner } }

  func resize(_ stream: SessionStream, to wanted: TerminalSize) {
    guard wanted.isValid else { return leave(stream, telling: .badSize) }
    stream.wantedSize = wanted
    guard stream.mode == .driver else { return }
    if stream.identity == sizeOwner || !hasAttachedOwner { own(by: stream) }
  }

  /// Makes the stream's client the one whose size the terminal has.
  func own(by stream: SessionStream) {
    guard stream.mode == .driver else { return }
    if sizeOwner != stream.identity {
      sizeOwner = stream.identity
      applyColors(of: stream)
      viewersEvent = nil
      for other in streams { other.tell(.sizeOwner) }
    }
    wantedSize = stream.wantedSize
    changeSize()
  }

  var isSizeDue: Bool { wantedSize != size && isRunning && resizing == nil }

  /// Only the last of many sizes counts, since each is work for the screen and a signal to the process: a
  /// window that is dragged, or a flood of RESIZE, changes the size once in ``NodeLimits/resizeInterval``.
  func changeSize() {
    guard isSizeDue else { return }
    let now = eventLoop.now
    if let lastResize, now - lastResize < NodeLimits.resizeInterval {
      let bound = NIOLoopBound(self, eventLoop: eventLoop)
      resizing = eventLoop.scheduleTask(deadline: lastResize + NodeLimits.resizeInterval) {
        bound.value.resizing = nil
        bound.value.changeSize()
      }
      return
    }
    guard !snapshot.isMaking, turns.allowance() > 0 else { return turns.wait(self) }
    lastResize = now
    size = wantedSize
    snapshot.outdate()
    let mark = log.markSize(size)
    pipe.resize(size)
    screen.resize(columns: size.columns, rows: size.rows)
    for other in streams {
      other.state.markReplaced(mark)
      other.setNeedsFlush()
    }
  }

  /// The client's theme has changed.
  func recolor(_ stream: SessionStream, _ colors: ThemeColors) {
    stream.colors = colors
    if stream.identity == sizeOwner { applyColors(of: stream) }
  }

  /// Gives the screen the theme of the stream whose client has the size. A program that asked to be told of it
  /// (mode 2031) is.
  private func applyColors(of stream: SessionStream) {
    let colors = stream.colors
    screen.setTheme(
      foreground: colors?.foreground.flatMap(ScreenColor.init(hex:)),
      background: colors?.background.flatMap(ScreenColor.init(hex:)),
      cursor: colors?.cursor.flatMap(ScreenColor.init(hex:)))
    answerQueries()
  }

  // MARK: The end

  /// Ends the process; ENDED with `reason` follows its last output.
  func terminate(_ cause: EndCause) {
    guard ended == nil, endCause == nil else { return }
    endCause = cause
    pipe.terminate(grace: NodeLimits.grace)
  }

  /// Its process runs, as far as is known.
  var isRunning: Bool { ended == nil && processEnd == nil }

  func pipeDidEnd(_ status: ExitStatus?, reason: String?) {
    guard isRunning else { return }
    processEnd = (status, reason)
    endIfRead()
    guard endCause != nil, ended == nil else { return }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: NodeLimits.lastOutput) { bound.value.cutOutput() }
  }

  /// Whoever had the process ended does not wait for what its last output costs to read.
  private func cutOutput() {
    guard let processEnd, ended == nil else { return }
    let cut = "\(unread.readableBytes) bytes of its last output were cut"
    self.processEnd?.reason = processEnd.reason.map { "\($0); \(cut)" } ?? cut
    unread = ByteBuffer()
    endIfRead()
  }

  /// The end follows the last byte of output, into the log and to the clients.
  func endIfRead() {
    guard let processEnd, ended == nil, unread.readableBytes == 0 else { return }
    ended = Ended(
      reason: endCause?.reason ?? .exited, status: processEnd.status, message: processEnd.reason)
    endedAt = .now()
    endedTime = wallClockMilliseconds()
    stallCheck?.cancel()
    resizing?.cancel()
    for stream in streams { stream.setNeedsFlush() }
    loop?.sessionDidEnd(self)
  }

  /// Lets go of who has not read to the end.
  func dismissStreams() {
    for stream in streams {
      remove(stream)
      stream.end(with: .close(.notRead))
    }
  }

  /// Bytes of memory that it holds, once it has ended.
  var heldBytes: Int { log.heldBytes + screen.memoryFootprint }

  /// Why its time is over, if it is: it has run for as long as it may; or nobody has used it for a while: no
  /// client, no output, no job.
  func causeToEnd(now: NIODeadline) -> EndCause? {
    guard isRunning, endCause == nil else { return nil }
    if let timeout = lifetimes.timeout, now - created >= timeout { return .timeout }
    guard let idle = lifetimes.idle, streams.isEmpty, now - max(lastUsed, lastLeft) >= idle,
      pipe.hasForegroundJob != true
    else { return nil }
    return .idle
  }

  /// Whether it ended so long ago that it is to be forgotten. Who still reads it gets some more time.
  func isOver(now: NIODeadline) -> Bool {
    guard let endedAt, now - endedAt >= lifetimes.keep else { return false }
    return isReadNoMore(now: now, since: endedAt + lifetimes.keep)
  }

  /// Whether nobody reads its end, or somebody too slowly `since` it was to go.
  func isReadNoMore(now: NIODeadline, since: NIODeadline) -> Bool {
    streams.allSatisfy { now - $0.state.lastProgress >= NodeLimits.lastReading }
      || now - since >= NodeLimits.longestReading
  }
}

extension ScreenColor {
  /// Reads `#rrggbb`; nil for anything else.
  init?(hex text: String) {
    guard text.utf8.count == 7, text.utf8.first == UInt8(ascii: "#"),
      let value = UInt32(text.dropFirst(), radix: 16)
    else { return nil }
    self.init(
      red: UInt8(truncatingIfNeeded: value >> 16), green: UInt8(truncatingIfNeeded: value >> 8),
      blue: UInt8(truncatingIfNeeded: value))
  }
}
