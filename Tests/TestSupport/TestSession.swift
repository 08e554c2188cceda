// A session without a node: its pipe, its clients' connections, its clock and its timers are plain values that a test
// looks at. It carries out what `SessionCore` decides, as a node does.

public import NIOCore
import Screen
public import Sessions
public import Wire

public final class TestSession {
  public var core: SessionCore
  public private(set) var now: NIODeadline

  // The pipe.

  /// Given to the pipe and not reported as written yet.
  public private(set) var underWay = ByteBuffer()
  public private(set) var written = ByteBuffer()
  /// Whether the process reads what it is given at once.
  public var takesInput = true
  /// Keys for which the terminal discards input.
  public var interruptingKeys: Set<UInt8> = []
  public private(set) var discards = 0
  public private(set) var sizes: [TerminalSize] = []
  public private(set) var isReading = false
  public private(set) var isTerminated = false

  // Who keeps it, if somebody does.

  /// What was written, piece by piece.
  public private(set) var pieces: [(source: InputSource, bytes: ByteBuffer)] = []
  public private(set) var checkpoint: (bytes: ByteBuffer, size: TerminalSize, offset: UInt64)?
  /// How many pieces were written before it was left.
  public private(set) var piecesBeforeCheckpoint = 0
  public private(set) var state: KeptState?
  /// The size that the pipe was asked for, until it has told of it.
  public private(set) var wantedSize: TerminalSize?
  public var hasForegroundJob: Bool?

  // The loop.

  /// What the screen may do at a time; 0: nothing, until `settle`.
  public var screenWork = Screen.workPerCall
  public private(set) var timers: [SessionTimer: NIODeadline] = [:]
  /// How often ``SessionAction/ended`` came.
  public private(set) var ends = 0
  private var turns: [StreamID] = []
  private var closed: Set<StreamID> = []
  private var heard: [StreamID: [Frame]] = [:]

  public init(
    _ creation: Creation = Creation(), creator: ClientID = .random(), subject: String? = nil,
    size: TerminalSize = .standard, kept: KeptSession? = nil,
    settings: SessionSettings = SessionSettings(), life: Life = .random(),
    now: NIODeadline = .uptimeNanoseconds(1_000_000_000_000)
  ) {
    self.now = now
    core = SessionCore(
      id: SessionID(unchecked: "s"), life: life, epoch: Epoch(1), creation: creation,
      creator: ClientIdentity(client: creator, subject: subject), size: size,
      kept: kept, settings: settings, createdTime: 0, now: now)
    carryOut()
  }

  // Apart, since the macros of Testing take no member of what cannot be copied.
  public var ended: Ended? { core.ended }
  public var endedAt: NIODeadline? { core.endedAt }
  public var hasStreams: Bool { core.hasStreams }

  public static func id(_ number: UInt64) -> StreamID { StreamID(connection: 1, number: number) }

  // MARK: What happens to it

  public func open(_ number: UInt64, _ request: LinkOpen, isFirst: Bool = false) {
    core.open(Self.id(number), request, isFirst: isFirst, work: screenWork, now: now)
    carryOut()
  }

  /// A client attaches, each time another one if none is named.
  public func attach(
    _ number: UInt64, client: ClientID = .random(), mode: StreamMode = .driver,
    size: TerminalSize = .standard, access: Access = .open, resume: Resume? = nil,
    attempt: UInt64? = nil, sent: UInt64 = 0, consumed: UInt64 = 0, isNew: Bool = false
  ) {
    var open = Open(
      session: core.id, create: isNew ? core.creation : nil, resume: resume, size: size,
      mode: mode)
    open.attempt = attempt
    self.open(
      number,
      LinkOpen(
        client: client, access: access, from: "a test", sent: sent, consumed: consumed,
        open: open), isFirst: isNew)
  }

  public func leave(_ number: UInt64) {
    core.leave(Self.id(number), now: now)
    carryOut()
  }

  public func type(_ bytes: ByteBuffer, at offset: UInt64, _ number: UInt64 = 1) {
    core.receive(bytes, at: offset, from: Self.id(number), now: now)
    carryOut()
  }

  public func type(_ text: String, at offset: UInt64, _ number: UInt64 = 1) {
    type(ByteBuffer(string: text), at: offset, number)
  }

  public func acknowledge(_ consumed: UInt64, _ number: UInt64 = 1) {
    core.acknowledge(Self.id(number), consumed: consumed, now: now)
    carryOut()
  }

  public func resize(_ size: TerminalSize, _ number: UInt64 = 1) {
    core.resize(Self.id(number), to: size, now: now)
    carryOut()
  }

  public func take(_ number: UInt64) {
    core.takeSize(Self.id(number), now: now)
    carryOut()
  }

  public func kill(_ number: UInt64) {
    core.kill(by: Self.id(number), now: now)
    carryOut()
  }

  public func prints(_ bytes: ByteBuffer) {
    core.pipeDidRead(bytes, now: now)
    carryOut()
  }

  public func stalls(_ reason: String?) {
    core.pipeDidStall(reason)
    carryOut()
  }

  public var summary: SessionSummary { core.summary(node: "a", endedTime: nil, now: now) }

  public func prints(_ text: String) { prints(ByteBuffer(string: text)) }

  public func prints(_ count: Int) { prints(ByteBuffer(repeating: 0x61, count: count)) }

  /// Who keeps the session has changed the terminal's size, here among the output.
  public func resizes(to size: TerminalSize) {
    wantedSize = nil
    core.pipeDidResize(size, now: now)
    carryOut()
  }

  /// The process reads up to so many bytes of its input.
  public func reads(_ count: Int) {
    guard let bytes = underWay.readSlice(length: min(count, underWay.readableBytes)),
      bytes.readableBytes > 0
    else { return }
    written.writeImmutableBuffer(bytes)
    core.pipeDidWrite(bytes.readableBytes, now: now)
    carryOut()
  }

  public func ends(_ status: ExitStatus? = .exited(code: 0)) {
    core.pipeDidEnd(status, reason: nil, now: now)
    carryOut()
  }

  public func terminate(_ cause: EndCause) {
    core.terminate(cause, now: now)
    carryOut()
  }

  public func dismissStreams() {
    core.dismissStreams()
    carryOut()
  }

  /// Time passes, and timers that are due by then fire.
  public func wait(_ time: TimeAmount) {
    let end = now + time
    while let (timer, due) = timers.min(by: { $0.value < $1.value }), due <= end {
      timers[timer] = nil
      now = max(now, due)
      core.timeHasCome(for: timer, now: now)
      carryOut()
    }
    now = end
  }

  /// The screen gets one turn.
  public func work(_ units: Int) {
    core.work(units, now: now)
    carryOut()
  }

  /// The screen gets its turns until it has nothing to do.
  public func settle() {
    while core.hasWork { work(Screen.workPerCall) }
  }

  // MARK: What its clients see

  /// Gives streams their turns until none wants one, or so many were given.
  public func giveTurns(atMost limit: Int = .max) {
    var given = 0
    while given < limit, !turns.isEmpty {
      let stream = turns.removeFirst()
      given += 1
      var buffer = ByteBuffer()
      let turn = core.writeNext(of: stream, into: &buffer, now: now)
      hear(buffer, stream)
      carryOut()
      if case .over = turn { continue }
      giveTurn(stream)
    }
  }

  /// All that the stream's client was sent so far, and has yet to be.
  public func frames(_ number: UInt64 = 1) -> [Frame] {
    repeat {
      settle()
      giveTurns()
    } while core.hasWork
    return heard[Self.id(number)] ?? []
  }

  /// What the stream's client was sent since the last call.
  public func takeFrames(_ number: UInt64 = 1) -> [Frame] {
    heard.removeValue(forKey: Self.id(number)) ?? []
  }

  /// The session has sent the stream's last frame.
  public func isClosed(_ number: UInt64) -> Bool { closed.contains(Self.id(number)) }

  private func hear(_ bytes: ByteBuffer, _ stream: StreamID) {
    var decoder = FrameDecoder()
    decoder.append(bytes)
    while let (number, frame) = try? decoder.next() {
      precondition(number == stream.number, "a frame of another stream")
      heard[stream, default: []].append(frame)
    }
    precondition(decoder.bufferedBytes == 0, "a frame that is none")
  }

  private func giveTurn(_ stream: StreamID) {
    if !turns.contains(stream) { turns.append(stream) }
  }

  // MARK: Carrying out

  private func carryOut() {
    while let action = core.nextAction() { carryOut(action) }
  }

  private func carryOut(_ action: SessionAction) {
    switch action {
    case .write(var bytes, let source):
      pieces.append((source, bytes))
      precondition(underWay.readableBytes == 0, "two writes under way")
      if takesInput {
        let count = bytes.readableBytes
        written.writeBuffer(&bytes)
        core.pipeDidWrite(count, now: now)
      } else {
        underWay = bytes
      }
    case .setReading(let isReading): self.isReading = isReading
    case .resize(let size):
      sizes.append(size)
      wantedSize = size
    case .discardInput(let key, _):
      let isInterrupt = interruptingKeys.contains(key)
      if isInterrupt { discards += 1 }
      core.inputWasDiscarded(isInterrupt, for: key, now: now)
    case .discardInputAgain: discards += 1
    case .keepCheckpoint(let bytes, let size, let offset):
      checkpoint = (bytes, size, offset)
      piecesBeforeCheckpoint = pieces.count
    case .keepState: state = core.state
    case .terminate: isTerminated = true
    case .send(let frame, let stream): heard[stream, default: []].append(frame)
    case .close(let stream, let frame):
      heard[stream, default: []].append(frame)
      closed.insert(stream)
    case .giveTurn(let stream), .giveTurnSoon(let stream): giveTurn(stream)
    case .work: core.work(screenWork, now: now)
    case .workLater: break
    case .wait(let timer, let time): if timers[timer] == nil { timers[timer] = time }
    case .ended:
      ends += 1
      timers = [:]
    }
  }
}
