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
  private let place: any HolderPlace
  private let logger: Logger
  private var state = State.closed
  /// Sessions, by their handles.
  private var pipes: [UInt64: HeldPipe] = [:]
  private var starts: [UInt32: Start] = [:]
  private var nextTag: UInt32 = 0
  private var attachments: [UInt64: Attachment] = [:]
  private var listing: (entries: [HeldEntry], promise: EventLoopPromise<[HeldEntry]>)?
  private var checkpoints = CheckpointQueue()
  private var isFlushDue = false
  private var isClosing = false
  private var isIdleCheckSet = false
  private var backoff = Backoff(
    first: PipeLimits.holderRetryFirst, last: PipeLimits.holderRetryLast)
  /// Since when it is broken.
  private var brokenSince: NIODeadline?

  private struct Start {
    var promise: EventLoopPromise<NIOLoopBound<any Pipe>>
    var epoch: UInt64
    var size: TerminalSize
  }

  private enum State {
    case closed
    case opening(EventLoopFuture<Void>)
    case open(any Channel)
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
    let limit = eventLoop.scheduleTask(in: place.patience) {
      proven.fail(PipeError(.notNow, "the holder does not answer"))
    }
    place.connect(handler).whenComplete { result in
      switch result {
      case .success(let channel):
        // One that answers when nobody waits for it any more is not to be this loop's.
        proven.futureResult.whenFailure { _ in channel.close(promise: nil) }
      case .failure(let error): proven.fail(error)
      }
    }
    return proven.futureResult.always { _ in limit.cancel() }
  }

  func didOpen(_ channel: any Channel) {
    state = .open(channel)
    brokenSince = nil
    backoff.reset()
    for pipe in pipes.values { pipe.attachAgain() }
    closeWhenIdle()
  }

  func didClose() {
    state = .closed
    let error = PipeError(.notNow, "the holder's connection has broken; try again")
    for start in starts.values { start.promise.fail(error) }
    for attachment in attachments.values { attachment.promise.fail(error) }
    listing?.promise.fail(error)
    (starts, attachments, listing) = ([:], [:], nil)
    checkpoints.removeAll()
    guard !isClosing, !pipes.isEmpty else { return }
    if brokenSince == nil {
      brokenSince = .now()
      logger.warning(
        "the connection to the holder has broken; its sessions wait for it",
        metadata: ["holder": "\(place.description)", "sessions": "\(pipes.count)"])
    }
    openAgain()
  }

  private func openAgain() {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: TimeAmount(backoff.next())) {
      let connection = bound.value
      guard !connection.isClosing, !connection.pipes.isEmpty else { return }
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
    closeWhenIdle()
  }

  /// A connection that nobody needs costs a process in a container.
  private func closeWhenIdle() {
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
    if case .open(let channel) = state { channel.close(promise: nil) }
  }

  private var isIdle: Bool {
    pipes.isEmpty && starts.isEmpty && attachments.isEmpty && listing == nil
  }

  /// Lets go of all sessions: they go on, without a node.
  func close() -> EventLoopFuture<Void> {
    isClosing = true
    guard case .open(let channel) = state else { return eventLoop.makeSucceededVoidFuture() }
    // What was said before is still to be sent.
    channel.flush()
    return channel.close().recover { _ in }
  }

  // MARK: Asking

  func list() -> EventLoopFuture<[HeldEntry]> {
    if let listing { return listing.promise.futureResult }
    let promise = eventLoop.makePromise(of: [HeldEntry].self)
    listing = ([], promise)
    send(.list)
    giveUpLate(promise) { $0.listing = nil }
    return promise.futureResult
  }

  /// - Parameter request: its tag is chosen here.
  func start(_ request: StartRequest, size: TerminalSize) -> EventLoopFuture<NIOLoopBound<any Pipe>>
  {
    var request = request
    nextTag &+= 1
    request.tag = nextTag
    let promise = eventLoop.makePromise(of: NIOLoopBound<any Pipe>.self)
    let tag = nextTag
    starts[tag] = Start(promise: promise, epoch: request.epoch, size: size)
    giveUpLate(promise) { $0.starts[tag] = nil }
    send(.start(request))
    return promise.futureResult
  }

  /// Makes a session this node's.
  /// - Parameter latest: bytes of its latest output that are of use; who ends it needs none.
  func attach(_ handle: UInt64, epoch: UInt64, latest: Int = 0) -> EventLoopFuture<
    NIOLoopBound<AttachedPipe>
  > {
    let promise = eventLoop.makePromise(of: NIOLoopBound<AttachedPipe>.self)
    guard attachments[handle] == nil, pipes[handle] == nil else {
      promise.fail(PipeError(.notNow, "that session of the holder is being attached already"))
      return promise.futureResult
    }
    giveUpLate(promise) { $0.attachments[handle] = nil }
    attachments[handle] = Attachment(promise, epoch: epoch, latest: latest)
    send(.attach(handle: handle, epoch: epoch, next: nil))
    return promise.futureResult
  }

  /// A holder that hangs, or is forged, answers nothing: whoever asked it is told so.
  private func giveUpLate<Answer>(
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

  func send(_ frame: NodeFrame) { send(ByteBuffer(frame)) }

  /// What is sent while it is broken is lost: each session says what matters when it is attached again.
  func send(_ frame: ByteBuffer) {
    guard case .open(let channel) = state else { return }
    channel.write(frame, promise: nil)
    flushSoon(channel)
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
    guard case .open(let channel) = state, let frame = checkpoints.next() else { return }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    channel.writeAndFlush(ByteBuffer(frame)).whenSuccess {
      bound.value.checkpoints.didWrite()
      bound.value.sendNextPart()
    }
  }

  private func flushSoon(_ channel: any Channel) {
    guard !isFlushDue else { return }
    isFlushDue = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute {
      bound.value.isFlushDue = false
      channel.flush()
    }
  }

  /// Closes the connection, on which the holder says what makes no sense. A new one begins in step.
  func fail(_ problem: String) {
    logger.error("the holder breaks the protocol", metadata: ["problem": "\(problem)"])
    if case .open(let channel) = state { channel.close(promise: nil) }
  }

  func forget(_ pipe: HeldPipe) {
    if pipes[pipe.handle] === pipe { pipes[pipe.handle] = nil }
    closeWhenIdle()
  }

  // MARK: What it says

  func didReadOutput(_ handle: UInt64, at offset: UInt64, _ bytes: ByteBuffer) {
    pipes[handle]?.didRead(bytes, at: offset)
  }

  func didReceive(_ frame: HolderFrame) {
    switch frame {
    case .hello, .welcome: fail("a second greeting")
    case .ping(let token): send(.ping(token))
    case .entry(let entry):
      guard listing.map({ $0.entries.count < HolderLimits.sessions }) ?? true else {
        return fail("more sessions than a holder has")
      }
      listing?.entries.append(entry)
    case .listed:
      let listing = listing
      self.listing = nil
      listing?.promise.succeed(listing?.entries ?? [])
    case .started(let tag, let handle, let process): didStart(tag, handle, process)
    case .notStarted(let tag, let step, let error):
      starts.removeValue(forKey: tag)?.promise.fail(HeldStartError(step: step, number: error))
      closeWhenIdle()
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
    case .written(let handle, let client, let offset):
      pipes[handle]?.didWrite(client, upTo: offset)
    case .answered(let handle, let query): pipes[handle]?.didAnswer(query)
    case .discarded(let handle, let key, let did): pipes[handle]?.didDiscard(did, for: key)
    case .looked(let handle, let isForeground, let words, _):
      pipes[handle]?.didLook(isForeground, words)
    case .exited(let handle, let exit, let end): pipes[handle]?.didExit(exit, at: end)
    case .survivors(let handle):
      logger.warning(
        "processes of a session live on though they were killed", metadata: ["handle": "\(handle)"])
    }
  }

  private func didStart(_ tag: UInt32, _ handle: UInt64, _ process: UInt32) {
    guard let start = starts.removeValue(forKey: tag) else { return }
    let pipe = HeldPipe(handle, epoch: start.epoch, size: start.size, connection: self)
    pipes[handle] = pipe
    start.promise.succeed(NIOLoopBound(pipe, eventLoop: eventLoop))
  }

  // MARK: Attaching

  private func didAttach(_ found: HeldState) {
    if let pipe = pipes[found.handle] {
      return found.isPossible ? pipe.didAttachAgain(found) : fail("offsets that cannot be")
    }
    goOnAttaching(found.handle) { attachment in
      found.epoch == attachment.epoch && attachment.didFind(found)
    }
  }

  private func goOnAttaching(_ handle: UInt64, _ step: (inout Attachment) -> Bool) {
    guard var attachment = attachments.removeValue(forKey: handle) else { return }
    let asked = attachment.wanted
    guard step(&attachment) else {
      attachment.promise.fail(PipeError(.unavailable, "the holder tells nonsense of a session"))
      return fail("an attachment that contradicts itself")
    }
    if let wanted = attachment.wanted, wanted != asked {
      send(.read(handle: handle, from: wanted.lowerBound, upTo: wanted.upperBound))
    }
    guard attachment.isDone else {
      attachments[handle] = attachment
      return
    }
    guard let found = attachment.found, let terminal = attachment.terminal else {
      attachment.promise.fail(PipeError(.unavailable, "the holder has no such session of ours"))
      return
    }
    let pipe = HeldPipe(
      handle, epoch: attachment.epoch, size: terminal.size, found: found, connection: self)
    pipes[handle] = pipe
    attachment.promise.succeed(
      NIOLoopBound(AttachedPipe(pipe: pipe, terminal: terminal), eventLoop: eventLoop))
  }

  private func wasRefused(_ handle: UInt64, _ epoch: UInt64) {
    if let pipe = pipes.removeValue(forKey: handle) {
      return epoch == 0 ? pipe.holderIsGone() : pipe.wasTaken()
    }
    attachments.removeValue(forKey: handle)?.promise.fail(
      PipeError(.notNow, "another node has attached the session under epoch \(epoch)"))
    closeWhenIdle()
  }
}
