// A loop's connection to a holder: one socket for all sessions of the loop that the holder has. What is said in one
// tick leaves in one write. When it breaks it is made anew, and its sessions go on where they stood.

import Holder
import Logging
import NIOCore
import Transport
import Wire

/// Confined to its event loop.
final class HolderConnection: HolderHandlerDelegate, HeldPipeConnection {
  let eventLoop: any EventLoop
  let keys: ClientKeys
  let place: any HolderPlace
  var holderName: String? { place.name }
  private let logger: Logger
  private var state = State.closed
  /// Sessions, by their handles.
  var pipes: [UInt64: HeldPipe] = [:]
  var attachments: [UInt64: Attachment] = [:]
  private var listing: HolderListing?
  private var complaints = Complaints()
  private var checkpoints = CheckpointQueue()
  /// What was said in this tick.
  private var out = ByteBuffer()
  private lazy var endOfTick = EndOfTick(on: eventLoop) { [weak self] in self?.writeOut() }
  private var isClosing = false
  private var isIdleCheckSet = false
  private var backoff = Backoff(
    first: PipeLimits.holderRetryFirst, last: PipeLimits.holderRetryLast)
  /// Since when it is broken, or open.
  private var brokenSince: NIODeadline?
  private var openSince: NIODeadline?
  private var lastPing: NIODeadline?

  // What HolderConnection+Stalls.swift keeps here.

  var hearing = Hearing()

  // What HolderConnection+Starts.swift keeps here.

  /// By their tags, until it is known what became of each.
  var starts: [UInt32: AskedStart] = [:]
  var nextTag: UInt32 = 0
  var isLookingForStarts = false

  private enum State {
    case closed
    case opening(EventLoopFuture<Void>)
    case open(any Channel, HolderHandler)
  }

  init(_ place: any HolderPlace, eventLoop: any EventLoop) {
    self.place = place
    self.eventLoop = eventLoop
    keys = ClientKeys(place.secret)
    logger = place.logger
  }

  // MARK: Opening

  /// Completes when the holder may be asked.
  func open() -> EventLoopFuture<Void> {
    switch state {
    case .open: return eventLoop.makeSucceededVoidFuture()
    case .opening(let future): return future
    case .closed: break
    }
    let future = connect()
    state = .opening(future)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    future.whenFailure { _ in
      if case .opening = bound.value.state { bound.value.state = .closed }
    }
    return future
  }

  private func connect() -> EventLoopFuture<Void> {
    let proven = eventLoop.makePromise(of: Void.self)
    let handler = NIOLoopBound(
      HolderHandler(self, secret: place.secret, proven: proven), eventLoop: eventLoop)
    // One that answers when nobody waits for it any more is not to be this loop's.
    proven.futureResult.whenFailure { _ in handler.value.dismiss() }
    let limit = eventLoop.scheduleTask(in: place.patience) {
      proven.fail(PipeError(.notNow, "the holder does not answer"))
    }
    place.connect(handler).whenComplete { result in
      switch result {
      case .success(let channel):
        proven.futureResult.whenFailure { _ in channel.close(promise: nil) }
      case .failure(let error): proven.fail(error)
      }
    }
    return proven.futureResult.always { _ in limit.cancel() }
  }

  func didOpen(_ channel: any Channel, _ handler: HolderHandler) -> Bool {
    if case .open = state { return false }
    if isClosing { return false }
    state = .open(channel, handler)
    brokenSince = nil
    openSince = eventLoop.now
    lastPing = nil
    didHear()
    for pipe in pipes.values { pipe.attachAgain() }
    lookForLostStarts()
    closeWhenIdle()
    return true
  }

  func didClose(_ handler: HolderHandler) {
    // An earlier one may end long after the next has begun.
    guard case .open(_, let current) = state, current === handler else { return }
    state = .closed
    // Who opens and breaks again and again is not opened ever faster.
    if let openSince, eventLoop.now - openSince >= TimeAmount(PipeLimits.holderRetryLast) {
      backoff.reset()
    }
    let error = PipeError(.notNow, "the holder's connection has broken; try again")
    failQuestions(error)
    checkpoints.removeAll()
    out.clear()
    guard !isClosing else { return failStarts(error) }
    loseStarts()
    guard isNeeded else { return }
    if brokenSince == nil {
      brokenSince = .now()
      complain(
        .warning, "the connection to the holder has broken; its sessions wait for it",
        ["holder": "\(place.description)", "sessions": "\(pipes.count)"])
    }
    openAgain()
  }

  private func failQuestions(_ error: PipeError) {
    for attachment in attachments.values { attachment.promise.fail(error) }
    listing?.promise.fail(error)
    (attachments, listing) = ([:], nil)
  }

  /// Whether it is made anew when it breaks.
  private var isNeeded: Bool { !pipes.isEmpty || !starts.isEmpty }

  private func openAgain() {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: TimeAmount(backoff.next())) {
      let connection = bound.value
      guard !connection.isClosing else { return }
      connection.dropOldStarts()
      guard connection.isNeeded else { return }
      connection.open().whenFailure { error in bound.value.didNotOpenAgain(error) }
    }
  }

  /// Tries again, unless nobody listens there any more: then the holder is gone, and its terminals with it.
  private func didNotOpenAgain(_ error: any Error) {
    let silence = brokenSince.map { .now() - $0 } ?? .zero
    guard place.isGone(error) || place.goneAfter.map({ silence >= $0 }) ?? false else {
      return openAgain()
    }
    logger.error(
      "the holder is gone, and its sessions with it",
      metadata: [
        "holder": "\(place.description)", "sessions": "\(pipes.count)", "error": "\(error)",
      ])
    let lost = pipes.values
    pipes = [:]
    for pipe in lost { pipe.holderIsGone() }
    failStarts(PipeError(.notNow, "the holder has just ended; try again"))
    closeWhenIdle()
  }

  /// A connection that nobody needs costs a process in a container.
  func closeWhenIdle() {
    guard let idle = place.idleAfter, isIdle, !isIdleCheckSet else { return }
    isIdleCheckSet = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: idle) { bound.value.closeIfIdle() }
  }

  private func closeIfIdle() {
    isIdleCheckSet = false
    guard isIdle, !isClosing else { return }
    if case .opening = state { return closeWhenIdle() }
    isClosing = true
    place.connections.remove(eventLoop)
    place.connectionIsIdle()
    if case .open(let channel, _) = state { channel.close(promise: nil) }
  }

  private var isIdle: Bool {
    pipes.isEmpty && starts.isEmpty && attachments.isEmpty && listing == nil
  }

  /// Lets go of all sessions: they go on, without a node.
  func close() -> EventLoopFuture<Void> {
    isClosing = true
    // Each has hold of its connection.
    pipes = [:]
    guard case .open(let channel, _) = state else {
      let error = PipeError(.notNow, "the node lets go of the holder")
      failQuestions(error)
      failStarts(error)
      return eventLoop.makeSucceededVoidFuture()
    }
    writeOut()
    return channel.close().recover { _ in }
  }

  // MARK: Asking

  /// What the holder has of this cluster's nodes, each with its descriptor as its node wrote it.
  func list() -> EventLoopFuture<[HeldEntry]> {
    if let listing { return listing.promise.futureResult }
    let promise = eventLoop.makePromise(of: [HeldEntry].self)
    listing = HolderListing(promise, seal: place.seal)
    send(.list)
    giveUpLate(promise) { $0.listing = nil }
    return promise.futureResult
  }

  /// A holder that hangs, or is forged, answers nothing: whoever asked it is told so.
  func giveUpLate<Answer>(
    _ promise: EventLoopPromise<Answer>, _ forget: @escaping (HolderConnection) -> Void
  ) {
    let bound = NIOLoopBound((self, forget), eventLoop: eventLoop)
    let limit = eventLoop.scheduleTask(in: PipeLimits.holderAnswer) {
      let (connection, forget) = bound.value
      forget(connection)
      promise.fail(PipeError(.notNow, "the holder does not answer; try again"))
    }
    promise.futureResult.whenComplete { _ in limit.cancel() }
  }

  // MARK: Sending

  func send(_ frame: NodeFrame) {
    send {
      var bytes = ByteBuffer(frame)
      $0.writeBuffer(&bytes)
    }
  }

  /// What is sent while it is broken is lost: each session says what matters when it is attached again.
  func send(_ write: (inout ByteBuffer) -> Void) {
    guard isOpen else { return }
    write(&out)
    endOfTick.schedule()
  }

  private func writeOut() {
    guard case .open(let channel, _) = state, out.readableBytes > 0 else { return }
    let written = out.readableBytes
    channel.writeAndFlush(out, promise: nil)
    // Kept, unless the channel still holds it.
    if written > PipeLimits.keptFrames {
      out = ByteBuffer()
    } else {
      out.clear(minimumCapacity: written)
    }
  }

  // MARK: Checkpoints

  func send(checkpoint: ByteBuffer, size: TerminalSize, at offset: UInt64, of pipe: HeldPipe) {
    var bytes = ByteBuffer()
    bytes.reserveCapacity(CheckpointHead.length + checkpoint.readableBytes)
    CheckpointHead(size).write(to: &bytes)
    bytes.writeImmutableBuffer(checkpoint)
    checkpoints.append(handle: pipe.handle, epoch: pipe.epoch, offset: offset, bytes)
    sendNextPart()
  }

  private func sendNextPart() {
    guard case .open(let channel, _) = state, let frame = checkpoints.next() else { return }
    // In their order: a session is not forgotten before its last checkpoint has come.
    writeOut()
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    channel.writeAndFlush(ByteBuffer(frame)).whenSuccess {
      bound.value.checkpoints.didWrite()
      bound.value.sendNextPart()
    }
  }

  func checkpointIsSent(of pipe: HeldPipe) -> EventLoopFuture<Void> {
    guard isOpen else { return eventLoop.makeSucceededVoidFuture() }
    let sent = eventLoop.makePromise(of: Void.self)
    checkpoints.tell(sent, whenSent: pipe.handle)
    return sent.futureResult
  }

  /// Closes the connection, on which the holder says what makes no sense. A new one begins in step.
  func fail(_ problem: String) {
    complain(
      .error, "the holder breaks the protocol",
      ["holder": "\(place.description)", "problem": "\(problem)"])
    if case .open(let channel, _) = state { channel.close(promise: nil) }
  }

  /// Who forges a holder fills no log.
  func complain(_ level: Logger.Level, _ words: String, _ metadata: Logger.Metadata) {
    guard let unsaid = complaints.admit(at: eventLoop.now) else { return }
    var metadata = metadata
    if unsaid > 0 { metadata["unsaid"] = "\(unsaid)" }
    logger.log(level: level, "\(words)", metadata: metadata)
  }

  // MARK: Its sessions

  var isOpen: Bool { if case .open = state { true } else { false } }

  /// Whether it is a session of this loop already, or is becoming one.
  func has(_ handle: UInt64) -> Bool { pipes[handle] != nil || attachments[handle] != nil }

  func add(_ pipe: HeldPipe) {
    pipes[pipe.handle] = pipe
    listen()
  }

  func forget(_ pipe: HeldPipe) {
    if pipes[pipe.handle] === pipe { pipes[pipe.handle] = nil }
    closeWhenIdle()
  }

  // MARK: What it says

  func didReadOutput(_ handle: UInt64, at offset: UInt64, _ bytes: ByteBuffer) {
    didHear()
    pipes[handle]?.didRead(bytes, at: offset)
  }

  func didWrite(_ handle: UInt64, _ client: ClientKey, upTo offset: UInt64) {
    didHear()
    pipes[handle]?.didWrite(client, upTo: offset)
  }

  func didReceive(_ frame: HolderFrame) {
    didHear()
    switch frame {
    case .hello, .welcome: fail("a second greeting")
    case .ping(let token): answerPing(token)
    case .entry(let entry): if let problem = listing?.take(entry) { fail(problem) }
    case .listed: didList()
    case .started(let tag, let handle, let process): didStart(tag, handle, process)
    case .notStarted(let tag, let step, let error):
      didNotStart(tag, HeldStartError(step: StartStep(rawValue: step), number: error))
    case .attached(let found): didAttach(found)
    case .refused(let handle, let epoch): wasRefused(handle, epoch)
    case .superseded(let handle, _):
      pipes.removeValue(forKey: handle)?.wasTaken()
      closeWhenIdle()
    case .checkpoint(let handle, _, let isLast, let bytes):
      goOnAttaching(handle) { $0.didReceiveCheckpoint(bytes, isLast: isLast) }
    case .older(let handle, let offset, let bytes):
      goOnAttaching(handle) { $0.didReceiveOlder(bytes, at: offset) }
    case .output(let handle, let offset, let bytes):
      didReadOutput(handle, at: offset, ByteBuffer(bytes: bytes))
    case .resized(let handle, let offset, let columns, let rows):
      pipes[handle]?.didResize(columns, rows, at: offset)
    case .written(let handle, let client, let offset): didWrite(handle, client, upTo: offset)
    case .answered(let handle, let query): pipes[handle]?.didAnswer(query)
    case .discarded(let handle, let key, let did): pipes[handle]?.didDiscard(did, for: key)
    case .looked(let handle, let isForeground, let words, _):
      pipes[handle]?.didLook(isForeground, words)
    case .exited(let handle, let exit, let end): pipes[handle]?.didExit(exit, at: end)
    case .survivors(let handle):
      complain(
        .warning, "processes of a session live on though they were killed",
        ["holder": "\(place.description)", "handle": "\(handle)"])
    }
  }

  /// One that asks without end and does not read has nothing kept for it.
  private func answerPing(_ token: UInt64) {
    if let lastPing, eventLoop.now - lastPing < PipeLimits.pingInterval { return }
    lastPing = eventLoop.now
    send(.ping(token))
  }

  private func didList() {
    guard let listing else { return }
    self.listing = nil
    if listing.strangers > 0 {
      complain(
        .warning,
        "a holder tells of sessions that no node of this cluster has started there; they are left alone",
        ["holder": "\(place.description)", "sessions": "\(listing.strangers)"])
    }
    listing.promise.succeed(listing.entries)
    closeWhenIdle()
  }
}
