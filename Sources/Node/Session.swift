// A session: one live process, its output log and its screen, and the streams of the clients attached
// to it.
//
//     pipe ──read──► OutputLog ──► streams (cursor, window) ──► links
//       │    └─────► Screen ──► snapshots, answers to queries
//     pipe ◄─write── InputQueue ◄── INPUT (client, offset), deduplicated
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
}

final class Session: PipeDelegate {
  let id: SessionID
  let life: Life
  let epoch: Epoch
  let creation: Creation
  /// The subject that created it; nil: nobody's, since authentication was off.
  let owner: String?
  let created: NIODeadline
  let createdAt: UInt64
  let eventLoop: any EventLoop
  let log: OutputLog
  let screen: Screen
  private(set) var size: TerminalSize
  private(set) var ended: Ended?
  private(set) var endedAt: NIODeadline?
  private(set) var lastUsed: NIODeadline
  private(set) var streams: [SessionStream] = []
  var inputBytes: UInt64 { input.totalAccepted }

  private let pipe: any Pipe
  private weak var loop: (any SessionOwner)?
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
  /// What `viewers` says, until it changes.
  private var viewersEvent: Event?
  private var endReason: String?
  private var stallCheck: Scheduled<Void>?

  init(
    id: SessionID, epoch: Epoch, creation: Creation, subject: String?, size: TerminalSize,
    pipe: any Pipe, settings: NodeSettings, createdAt: UInt64, owner: any SessionOwner
  ) {
    self.id = id
    self.life = .random()
    self.epoch = epoch
    self.creation = creation
    self.owner = subject
    self.size = size
    self.pipe = pipe
    self.eventLoop = pipe.eventLoop
    self.log = OutputLog(limit: settings.logLimit)
    self.screen = Screen(
      columns: size.columns, rows: size.rows, scrollback: settings.scrollback)
    self.typingTakesSize = settings.typingTakesSize
    self.createdAt = createdAt
    self.created = .now()
    self.lastUsed = created
    self.loop = owner
    pipe.delegate = self
    updateReading()
  }

  // MARK: Streams come and go

  /// Attaches a stream and answers its OPEN. A stream of the same client leaves first, so that input
  /// from a half-dead connection cannot overtake the new one's.
  func attach(_ stream: SessionStream, request: LinkOpen, created: Bool) {
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
    if created {
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
          size: size, mode: stream.mode, mayKill: stream.mayKill)))
    if ledger.written > 0 { stream.acknowledgeInput(ledger.written) }
    if resumed == .snapshot { beginSnapshot(stream) }
    lastUsed = now
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
    lastUsed = .now()
    if let close { stream.end(with: .close(close)) }
    tellViewers()
    updateReading()
  }

  private func tellViewers() {
    viewersEvent = nil
    for stream in streams { stream.tell(.viewers) }
  }

  /// What there is to tell, as it is now.
  func event(for news: SessionStream.Presence) -> Event? {
    switch news {
    case .none: return nil
    case .sizeOwner: return Event(event: "size_owner", owner: sizeOwner?.client)
    case .viewers:
      let event =
        viewersEvent
        ?? Event(
          event: "viewers",
          viewers: streams.prefix(NodeLimits.viewersNamed).map {
            Event.Viewer(client: $0.client, mode: $0.mode)
          }, owner: sizeOwner?.client)
      viewersEvent = event
      return event
    }
  }

  var titleEvent: Event { Event(event: "title", title: screen.title) }

  // MARK: Output

  func pipeDidRead(_ bytes: ByteBuffer) {
    let now = NIODeadline.now()
    lastUsed = now
    for stream in streams { stream.state.logWillGrow(log, now: now) }
    bytes.withUnsafeReadableBytes {
      log.append($0)
      screen.write($0)
    }
    answerQueries()
    if screen.takeEvents().titleChanged {
      for stream in streams { stream.tellTitle() }
    }
    for stream in streams { sendOutput(to: stream) }
    updateReading()
  }

  private func sendOutput(to stream: SessionStream) {
    if mayGather(stream) { stream.gather() } else { stream.setNeedsFlush() }
  }

  /// Whether the stream's output may wait for more.
  func mayGather(_ stream: SessionStream) -> Bool {
    ended == nil && stream.state.mayGather(from: log)
  }

  /// The program asked its terminal something: the screen alone answers, at once, attached or not, so
  /// that no replay types junk and two clients do not answer twice.
  private func answerQueries() {
    let answers = screen.takeAnswers()
    guard !answers.isEmpty, ended == nil, input.answer(answers.count) else { return }
    waitingInput.writeBytes(answers)
    writeInput()
  }

  /// Appends the stream's next frame to `buffer`; false when it has none that may be sent now.
  func writeNext(of stream: SessionStream, into buffer: inout ByteBuffer) -> Bool {
    let now = NIODeadline.now()
    if stream.state.needsSnapshot(from: log, now: now) { beginSnapshot(stream) }
    if stream.state.writeNext(into: &buffer, stream: stream.number, log: log, now: now) {
      return true
    }
    if let ended, stream.state.isCaughtUp(with: log) {
      streams.removeAll { $0 === stream }
      stream.session = nil
      input.detach(stream.identity)
      viewersEvent = nil
      stream.end(with: .ended(ended))
    }
    return false
  }

  private func beginSnapshot(_ stream: SessionStream) {
    stream.state.begin(snapshot: ByteBuffer(bytes: screen.snapshot()), size: size, log: log)
  }

  func acknowledge(_ stream: SessionStream, consumed: UInt64) {
    guard stream.state.acknowledge(consumed: consumed, now: .now()) else {
      return leave(stream, telling: .badAck)
    }
    sendOutput(to: stream)
    updateReading()
  }

  /// The pipe is read while some driver that makes progress can take more, and always when there is
  /// none (promise P7: only the drivers may hold the process back).
  private func updateReading() {
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
    let isReading = ended == nil && (holders == 0 || wanted)
    pipe.isReading = isReading
    if !isReading, ended == nil, stallCheck == nil {
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
      guard ended == nil else { return }
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
    guard size != stream.wantedSize, ended == nil else { return }
    size = stream.wantedSize
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
  func terminate(reason: String) {
    guard ended == nil, endReason == nil else { return }
    endReason = reason
    pipe.terminate(grace: NodeLimits.grace)
  }

  func pipeDidEnd(_ status: ExitStatus?, reason: String?) {
    guard ended == nil else { return }
    ended = Ended(reason: endReason ?? "exited", status: status, message: reason)
    endedAt = .now()
    stallCheck?.cancel()
    for stream in streams { stream.setNeedsFlush() }
    loop?.sessionDidEnd(self)
  }

  /// Whether nobody has used it for `timeout`: no client, no output, no foreground job but the shell.
  func isIdle(for timeout: TimeAmount, now: NIODeadline) -> Bool {
    ended == nil && streams.isEmpty && now - lastUsed >= timeout && pipe.hasForegroundJob != true
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
