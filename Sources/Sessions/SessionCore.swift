// What a session is: one live process, its output and its screen, what its clients typed, and the streams that are
// attached to it.
//
//     pipe ──► Screen ──► snapshots, answers to queries
//      │   └─► OutputLog ──► StreamState of each stream ──► frames
//     pipe ◄── PipeInput ◄── InputQueue ◄── INPUT
//
// It is a value and does no I/O: it is told what happened and at what time, and notes in `actions` what is to be done
// about it. Whoever runs it (`Session` in Node) carries the actions out. The pipe, connections, clocks and timers are
// the runner's. The rules are in extensions, one file for each: SessionInput, SessionOutput, SessionSize, SessionEnd; and
// for a session that a holder has, SessionKeptRules and SessionCheckpoints.

import DequeModule
public import NIOCore
public import Screen
public import Wire

public struct SessionCore: ~Copyable {
  public let id: SessionID
  public let life: Life
  public let epoch: Epoch
  public let creation: Creation
  /// Whose OPEN created it.
  public let creator: ClientIdentity
  /// When it began: by the clock of the events, and in milliseconds since 1970.
  public let created: NIODeadline
  public let createdTime: UInt64
  public let log: OutputLog
  public let screen: Screen

  let lifetimes: SessionLifetimes
  let typingTakesSize: Bool
  /// The client whose OPEN created it knows of it: it typed, read, or left in order.
  private var creatorKnows = false
  var streams = StreamTable()
  var actions: Deque<SessionAction> = []

  // Output.

  /// Read from the pipe, and not yet by the screen.
  var unread = ByteBuffer()
  var snapshot = SharedSnapshot()
  /// Whether the pipe was last told to be read.
  var isReading = false
  var isReadingCheckSet = false
  /// The EVENT that says who is attached, with and without names; nil once that has changed.
  var viewersEvent: (named: Event, unnamed: Event)?

  // Input.

  var input = InputQueue<ClientIdentity>()
  var pipeInput = PipeInput()

  var sizeRule: SizeRule
  /// The terminal's.
  public internal(set) var size: TerminalSize

  /// Nil: nobody keeps the session when its node goes.
  var kept: KeptBookkeeping?
  /// Why its terminal stands still; nil: it does not, as far as is known.
  var stall: String?

  // The end.

  /// Its last output or input.
  public internal(set) var lastUsed: NIODeadline
  /// When its process last printed something.
  var lastPrinted: NIODeadline
  /// When its last client left.
  var lastLeft: NIODeadline
  /// Why the node ends it, once it does.
  public internal(set) var endCause: EndCause?
  /// Who had it until now.
  public internal(set) var history: [Tenure]
  /// How the process ended, while there is output of it to be read.
  var processEnd: (status: ExitStatus?, message: String?, reason: EndReason)?
  /// How it ended, once its clients may be told.
  public internal(set) var ended: Ended?
  public internal(set) var endedAt: NIODeadline?

  /// - Parameters:
  ///   - kept: the session as a holder has it, which may be new; nil: nobody keeps it.
  ///   - pages: where its log has its memory.
  ///   - created: when it began, as far as its timeout goes; nil: now.
  ///   - createdTime: milliseconds since 1970.
  public init(
    id: SessionID, life: Life = .random(), epoch: Epoch, creation: Creation,
    creator: ClientIdentity, size: TerminalSize, kept: KeptSession? = nil,
    history: [Tenure] = [], settings: SessionSettings,
    pages: any PageSource = HeapPages(), created: NIODeadline? = nil, createdTime: UInt64,
    now: NIODeadline
  ) {
    self.id = id
    self.life = life
    self.epoch = epoch
    self.creation = creation
    self.creator = creator
    self.created = created ?? now
    self.createdTime = createdTime
    self.history = history
    if let kept {
      log = OutputLog(kept, limit: settings.logLimit, source: pages)
      screen = Screen(kept, scrollback: settings.scrollback)
    } else {
      log = OutputLog(limit: settings.logLimit, source: pages)
      screen = Screen(columns: size.columns, rows: size.rows, scrollback: settings.scrollback)
    }
    self.size = kept?.size ?? size
    self.kept = kept.map { KeptBookkeeping($0, settings) }
    input = InputQueue(hasForgotten: kept?.hasForgotten ?? false)
    endCause = kept?.state.endCause
    lifetimes = SessionLifetimes(creation, settings)
    typingTakesSize = settings.typingTakesSize
    sizeRule = SizeRule(kept?.size ?? size, of: kept?.state.sizeOwner)
    lastUsed = now
    lastPrinted = now
    lastLeft = now
    setTheme(kept?.state.colors)
    // The program did not ask this node: those queries are answered.
    _ = screen.takeAnswers()
    if kept?.state.endCause != nil { actions.append(.terminate) }
    updateReading(now: now)
  }

  /// The next action to carry out; nil: there is none.
  public mutating func nextAction() -> SessionAction? { actions.popFirst() }

  public var hasStreams: Bool { !streams.isEmpty }

  /// The process runs, as far as is known.
  public var isRunning: Bool { ended == nil && processEnd == nil }

  // MARK: Streams come

  /// A client's OPEN: the stream is attached and answered, or refused.
  /// - Parameters:
  ///   - isFirst: this is the OPEN that the session was started for.
  ///   - written: how far the holder says that this client's input was written; nil: it knows no such client.
  ///   - work: what the screen may do at once, as for ``work(_:now:)``: so that OPENED tells the client's own size
  ///     if the terminal gets it.
  public mutating func open(
    _ stream: StreamID, _ request: LinkOpen, isFirst: Bool, written: UInt64? = nil, work: Int,
    now: NIODeadline
  ) {
    func refuse(_ refusal: Refused) { close(stream, last: .refused(refusal)) }
    // Only here is it known who created the session (promise P9).
    guard let rights = request.access.rights(creator: creator.subject) else {
      return refuse(Refused(.forbidden, "this token may not enter session \(id)"))
    }
    let isCreator = isFirst || isLateAnswer(to: request)
    let differs = isCreator ? nil : differences(from: request, rights: rights)
    if request.open.exclusive == true, !isCreator { return refuse(exists(differs: differs)) }
    // A newer OPEN of the same client has overtaken this one, on the way through another router.
    let identity = ClientIdentity(request)
    if streams.list.contains(where: { $0.identity == identity && $0.isNewer(than: request) }) {
      return close(stream, last: .close(.superseded))
    }
    // An older stream leaves first, so that input from a half-dead connection cannot overtake the new one's.
    while let older = streams.list.first(where: { $0.identity == identity }) {
      leave(older.id, telling: .superseded, now: now)
    }
    guard streams.count < SessionLimits.streams else {
      return refuse(Refused(.tooMany, "this session has \(streams.count) viewers"))
    }
    attach(
      stream, request, rights: rights, created: request.open.create != nil && isCreator,
      differs: differs, written: written, work: work, now: now)
  }

  /// Whether the OPEN asks again for what it has created itself: its router had no answer, since its link broke, or its
  /// client had none, whose connection broke, and would be told that a session of its own is in its way.
  private func isLateAnswer(to request: LinkOpen) -> Bool {
    guard creator == ClientIdentity(request) else { return false }
    return request.again == true || request.open.exclusive == true && !creatorKnows
  }

  /// Notes that the stream's client has had its OPENED.
  public mutating func noteAnswered(_ stream: StreamID) {
    guard !creatorKnows, let index = streams.index(of: stream) else { return }
    creatorKnows = streams.list[index].identity == creator
  }

  private mutating func attach(
    _ id: StreamID, _ request: LinkOpen, rights: Rights, created: Bool, differs: [String]?,
    written: UInt64?, work: Int, now: NIODeadline
  ) {
    if request.open.mode == .driver, rights >= .write, !isSizeOwnerAttached {
      giveSize(
        to: ClientIdentity(request), wanting: request.open.size, colors: request.open.colors,
        work: work, now: now)
      // Its own size is no news after a reload; its colours may be.
      applyColors(request.open.colors)
    }
    let (resumed, cursor) = resumption(request.open.resume, created: created)
    let resume = request.open.resume?.life == life ? request.open.resume : nil
    var stream = SessionStream(
      id, request, rights: rights, creator: creator.subject,
      output: StreamState(
        cursor: cursor, log: log, sent: request.sent, consumed: request.consumed, now: now))
    let ledger = input.attach(stream.identity, acknowledged: resume?.input, written: written)
    send(
      .opened(
        Opened(
          session: self.id, life: life, epoch: epoch, created: created, resumed: resumed,
          output: cursor, input: ledger.accepted, inDoubt: ledger.isInDoubt ? true : nil,
          size: size, mode: stream.mode, mayKill: stream.mayKill,
          state: ended == nil ? .running : .ended, differs: differs)), to: id)
    if ledger.written > 0 { stream.inputAcknowledgement = ledger.written }
    stream.acknowledgedInput = ledger.written
    if resumed == .snapshot { stream.output.askForSnapshot() }
    stream.isTitleDue = !screen.title.isEmpty
    streams.append(stream)
    if let stall { send(.event(.stalled(stall)), to: id) }
    noteViewers()
    updateReading(now: now)
  }

  /// The offset at which the output goes on for a client that resumes.
  private func resumption(_ resume: Resume?, created: Bool) -> (Opened.Resumed, UInt64) {
    if created, log.start == 0 { return (.new, 0) }
    if let resume, resume.life == life, let next = resume.next, next >= log.start, next <= log.end {
      return (.exact, next)
    }
    return (.snapshot, log.end)
  }

  /// In what the session differs from what the OPEN would have created; nil: in nothing. A client that may only look is
  /// not told how the session was started.
  private func differences(from request: LinkOpen, rights: Rights) -> [String]? {
    guard let wanted = request.open.create else { return nil }
    var names = creator.subject == request.access.subject ? [] : ["owner"]
    if rights >= .write { names += creation.differences(from: wanted) }
    return names.isEmpty ? nil : names
  }

  private func exists(differs: [String]?) -> Refused {
    let how = differs.map { ", with another \($0.joined(separator: ", "))" } ?? ""
    return Refused(
      .exists, "session \(id) exists\(ended == nil ? "" : " and has ended")\(how)",
      status: ended?.status, state: ended == nil ? .running : .ended, differs: differs)
  }

  // MARK: Streams go

  /// Takes a stream out: its client has left, or its connection has gone.
  public mutating func leave(_ stream: StreamID, now: NIODeadline) {
    guard let index = streams.index(of: stream) else { return }
    remove(at: index)
    lastLeft = now
    noteViewers()
    updateReading(now: now)
  }

  /// Takes a stream out, and tells its client why.
  mutating func leave(_ stream: StreamID, telling reason: Close, now: NIODeadline) {
    guard let index = streams.index(of: stream) else { return }
    acknowledgeInput(of: index)
    leave(stream, now: now)
    close(stream, last: .close(reason))
  }

  /// Takes out all streams: their clients are to look for the session elsewhere.
  public mutating func sendAway(_ refusal: Refused, now: NIODeadline) {
    while let stream = streams.list.first {
      acknowledgeInput(of: 0)
      leave(stream.id, now: now)
      close(stream.id, last: .refused(refusal))
    }
  }

  /// Takes out the streams that have not read to the end.
  public mutating func dismissStreams() {
    while let stream = streams.list.first {
      acknowledgeInput(of: 0)
      remove(at: 0)
      close(stream.id, last: .close(.notRead))
    }
  }

  /// Tells a client that is sent away what of its input was written, so that it takes none of that for lost.
  private mutating func acknowledgeInput(of index: Int) {
    guard let offset = streams.list[index].inputAcknowledgement else { return }
    streams.list[index].inputAcknowledgement = nil
    send(.inputAck(offset: offset), to: streams.list[index].id)
  }

  mutating func remove(at index: Int) {
    let stream = streams.remove(at: index)
    input.detach(stream.identity)
    viewersEvent = nil
  }

  // MARK: Actions

  mutating func send(_ frame: Frame, to stream: StreamID) { actions.append(.send(frame, stream)) }

  mutating func close(_ stream: StreamID, last frame: Frame) {
    actions.append(.close(stream, last: frame))
  }

  mutating func giveTurnToAll() {
    for index in streams.indices { actions.append(.giveTurn(streams.list[index].id)) }
  }
}
