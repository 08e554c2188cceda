// A session's terminal that a holder has: what the node says to it goes through the loop's connection, and what happens
// to it comes from there. The holder is told the offset of all that is typed, and writes each byte once.

import Holder
import NIOCore
import Wire

/// What a held terminal needs of the connection that carries it.
protocol HeldPipeConnection: AnyObject {
  var eventLoop: any EventLoop { get }
  var keys: ClientKeys { get }
  /// As records name it (``HolderName``); nil: that is not known now.
  var holderName: String? { get }
  func send(_ frame: NodeFrame)
  /// - Parameter write: appends frames to what is sent at the end of the tick.
  func send(_ write: (inout ByteBuffer) -> Void)
  func send(checkpoint: ByteBuffer, size: TerminalSize, at offset: UInt64, of pipe: HeldPipe)
  /// Completes once no checkpoint of the pipe waits to be sent.
  func checkpointIsSent(of pipe: HeldPipe) -> EventLoopFuture<Void>
  /// The holder says what makes no sense.
  func fail(_ problem: String)
  /// The connection carries it no more.
  func forget(_ pipe: HeldPipe)
}

/// Confined to its event loop.
final class HeldPipe: Pipe, SessionHolder {
  let eventLoop: any EventLoop
  weak var delegate: (any PipeDelegate)? { didSet { tellLate() } }
  let handle: UInt64
  private(set) var epoch: UInt64
  private let connection: any HeldPipeConnection

  // Output.

  /// The offset of the next byte.
  private var received: UInt64
  /// The holder may send output up to here.
  private var granted: UInt64
  /// What it had when the session was attached is sent without leave once the process has ended.
  private var endWhenAttached: UInt64

  // Input.

  /// The piece that is under way.
  private var piece: Piece?
  /// How far each client's input was written.
  private var ledgers: [ClientKey: UInt64] = [:]
  private var discarding: UInt8?
  /// How often the terminal is still to be emptied: what the kernel has on its way to it fills it again.
  private var discardsLeft = 0
  /// There is more on its way to it than a key.
  private var mayFillAgain = false

  private struct Piece {
    var source: InputSource
    var client: ClientKey
    var offset: UInt64
    var bytes: ByteBuffer
    /// How many of its bytes are written.
    var done = 0
  }

  /// The size that was told last, and the one that was asked for since.
  private var size: TerminalSize
  private var wantedSize: TerminalSize?
  /// The session's state, as it was left with the holder last.
  private var state: [UInt8]?
  private var foreground = HeldForeground()
  private var endingGrace: UInt32?
  /// Ends the pipe where the holder does not.
  private var lateEnd: Scheduled<Void>?
  private var isOver = false { didSet { lateEnd?.cancel() } }
  /// What it printed and how it ended before there was anybody to be told.
  private var early: ByteBuffer?
  private var untold: End?

  private enum End {
    case ended(ExitStatus?, String?)
    case taken
  }

  /// - Parameter found: as it was attached; nil: it has just been started.
  init(
    _ handle: UInt64, epoch: UInt64, size: TerminalSize, found: HeldState? = nil,
    connection: any HeldPipeConnection
  ) {
    self.size = size
    self.handle = handle
    self.epoch = epoch
    self.connection = connection
    eventLoop = connection.eventLoop
    received = found?.next ?? 0
    granted = received
    endWhenAttached = found?.logEnd ?? 0
    for ledger in found?.ledgers ?? [] { ledgers[ledger.client] = ledger.written }
  }

  var holder: (any SessionHolder)? { self }
  var holderName: String? { connection.holderName }

  // MARK: Output

  var isReading = false {
    didSet { if isReading { grant() } }
  }

  /// Grants more output each time that half of what may be under way has come.
  private func grant() {
    let most = UInt64(PipeReading.most)
    guard isReading, granted < received + most / 2 else { return }
    granted = received + most
    connection.send(.credit(handle: handle, epoch: epoch, upTo: granted))
  }

  // Once the pipe is over its delegate hears nothing more, whatever a forged holder goes on to say.

  func didRead(_ bytes: ByteBuffer, at offset: UInt64) {
    guard !isOver else { return }
    guard offset == received else {
      return connection.fail("output at \(offset) instead of \(received)")
    }
    let end = received + UInt64(bytes.readableBytes)
    guard end <= max(granted, endWhenAttached) + UInt64(PipeLimits.heldOverrun) else {
      return connection.fail("output up to \(end) where \(granted) was granted")
    }
    received = end
    if let delegate, early == nil {
      delegate.pipeDidRead(bytes)
    } else {
      // What is not granted yet has a bound.
      early = early ?? ByteBuffer()
      early?.writeImmutableBuffer(bytes)
    }
    grant()
  }

  func didResize(_ columns: UInt16, _ rows: UInt16, at offset: UInt64) {
    guard !isOver, offset == received, let size = TerminalSize(columns, rows) else { return }
    didResize(size)
  }

  private func didResize(_ size: TerminalSize) {
    self.size = size
    wantedSize = nil
    delegate?.pipeDidResize(size)
  }

  // MARK: Input

  func write(_ bytes: ByteBuffer, from source: InputSource) {
    guard !isOver else { return }
    let piece: Piece
    switch source {
    case .client(let client, let offset):
      piece = Piece(
        source: source, client: connection.keys.key(of: client), offset: offset, bytes: bytes)
    case .answer(let query):
      piece = Piece(source: source, client: .node, offset: query, bytes: bytes)
    case .report:
      piece = Piece(source: source, client: .node, offset: ledgers[.node] ?? 0, bytes: bytes)
    }
    self.piece = piece
    send(piece)
  }

  private func send(_ piece: Piece) {
    connection.send {
      if case .answer = piece.source {
        $0.writeAnswer(handle: handle, epoch: epoch, query: piece.offset, piece.bytes)
      } else {
        $0.writeInput(
          handle: handle, epoch: epoch, client: piece.client, offset: piece.offset, piece.bytes)
      }
    }
  }

  func didWrite(_ client: ClientKey, upTo offset: UInt64) {
    note(client, offset)
    guard !isOver, let piece, piece.client == client else { return }
    if case .answer = piece.source { return }
    let written = offset - min(offset, piece.offset)
    didWrite(Int(min(written, UInt64(piece.bytes.readableBytes))), of: piece)
  }

  func didAnswer(_ query: UInt64) {
    guard !isOver, let piece, case .answer = piece.source, piece.offset <= query else { return }
    didWrite(piece.bytes.readableBytes, of: piece)
  }

  /// Notes that so many bytes of the piece are written by now.
  private func didWrite(_ done: Int, of piece: Piece) {
    guard done > piece.done else { return }
    if done == piece.bytes.readableBytes { self.piece = nil } else { self.piece?.done = done }
    delegate?.pipeDidWrite(done - piece.done)
  }

  private func note(_ client: ClientKey, _ written: UInt64) {
    if ledgers[client] == nil, ledgers.count >= PipeLimits.heldLedgers {
      // The holder has forgotten most of them by now. A client whose ledger is gone is told that its input is in doubt.
      ledgers = ledgers.filter { $0.key == .node }
    }
    ledgers[client] = max(ledgers[client] ?? 0, written)
  }

  func input(of client: ClientIdentity) -> UInt64? { ledgers[connection.keys.key(of: client)] }

  func discardInput(for key: UInt8, givingUp inputs: [GivenUpInput]) -> Bool? {
    guard !isOver else { return false }
    discarding = key
    discardsLeft = PipeLimits.discards
    mayFillAgain = piece.map { $0.bytes.readableBytes > HolderLimits.key } ?? false
    let ends = inputs.map {
      HeldLedger(client: connection.keys.key(of: $0.client), written: $0.end)
    }
    sendDiscard(key, upTo: ends)
    return nil
  }

  private func sendDiscard(_ key: UInt8, upTo ends: [HeldLedger]) {
    connection.send(.discard(handle: handle, epoch: epoch, key: key, upTo: ends))
  }

  func didDiscard(_ did: Bool, for key: UInt8) {
    guard !isOver, discarding == key else { return }
    // A piece that was written before the key came would have been told by now.
    if piece != nil { mayFillAgain = true }
    if did, discardsLeft > 0, mayFillAgain { return discardAgain(key) }
    discarding = nil
    delegate?.pipeDidDiscardInput(did, for: key)
    // What was under way is given up, too.
    if did, let piece { didWrite(piece.bytes.readableBytes, of: piece) }
  }

  private func discardAgain(_ key: UInt8) {
    discardsLeft -= 1
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: PipeLimits.discardInterval) {
      let pipe = bound.value
      guard pipe.discarding == key, !pipe.isOver else { return }
      pipe.sendDiscard(key, upTo: [])
    }
  }

  // MARK: Its size, its processes, its end

  func resize(_ size: TerminalSize) {
    guard !isOver else { return }
    wantedSize = size
    connection.send(
      .resize(
        handle: handle, epoch: epoch, columns: UInt16(clamping: size.columns),
        rows: UInt16(clamping: size.rows)))
  }

  var hasForegroundJob: Bool? {
    guard !isOver else { return false }
    if foreground.begin(.now()) { connection.send(.look(handle: handle)) }
    return foreground.hasJob
  }

  func didLook(_ leaderHasForeground: Bool, _ words: [UInt8]) {
    foreground.didLook(leaderHasForeground, words)
  }

  func terminate(grace: TimeAmount) {
    guard !isOver else { return }
    let milliseconds = UInt32(clamping: grace.nanoseconds / 1_000_000)
    endingGrace = milliseconds
    connection.send(.end(handle: handle, epoch: epoch, grace: milliseconds))
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    lateEnd?.cancel()
    lateEnd = eventLoop.scheduleTask(in: grace + PipeLimits.lastWait) {
      bound.value.endUnanswered()
    }
  }

  /// A holder that was stopped, or whose container is paused, keeps no session from ending that is to end. It gets to
  /// know once it goes on.
  private func endUnanswered() {
    guard !isOver else { return }
    let reason = "its holder does not answer: the process may still run, and is ended once it does"
    finish(.ended(nil, reason))
  }

  func didExit(_ exit: HeldExit, at end: UInt64) {
    guard !isOver, end == received else { return }
    finish(
      .ended(exit.status, exit.status == nil ? "how the process ended is not known" : nil))
  }

  /// The holder has died.
  func holderIsGone() {
    guard !isOver else { return }
    finish(.ended(nil, "the process that held its terminal has ended"))
  }

  func didStall(_ reason: String?) { if !isOver { delegate?.pipeDidStall(reason) } }

  /// Another node has attached it.
  func wasTaken() {
    guard !isOver else { return }
    finish(.taken)
  }

  private func finish(_ end: End) {
    isOver = true
    if let delegate, early == nil { tell(end, delegate) } else { untold = end }
  }

  private func tell(_ end: End, _ delegate: any PipeDelegate) {
    switch end {
    case .ended(let status, let reason): delegate.pipeDidEnd(status, reason: reason)
    case .taken: delegate.pipeWasTaken()
    }
  }

  /// A process may end before whoever started it has heard of it.
  private func tellLate() {
    guard delegate != nil, early != nil || untold != nil else { return }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute {
      let pipe = bound.value
      guard let delegate = pipe.delegate else { return }
      let (bytes, end) = (pipe.early, pipe.untold)
      (pipe.early, pipe.untold) = (nil, nil)
      if let bytes { delegate.pipeDidRead(bytes) }
      if let end { pipe.tell(end, delegate) }
    }
  }

  // MARK: A connection that is made anew

  func attachAgain() {
    epoch += 1
    connection.send(.attach(handle: handle, epoch: epoch, next: received))
  }

  func didAttachAgain(_ found: HeldState) {
    guard !isOver else {
      if let endingGrace { connection.send(.end(handle: handle, epoch: epoch, grace: endingGrace)) }
      return
    }
    guard found.epoch == epoch, found.next == received else {
      return connection.fail("an attachment at \(found.next) instead of \(received)")
    }
    (granted, endWhenAttached) = (received, found.logEnd)
    ledgers = [:]
    for ledger in found.ledgers { ledgers[ledger.client] = ledger.written }
    // A change of size exactly here is not told again.
    if let size = TerminalSize(found.columns, found.rows), size != self.size || size == wantedSize {
      didResize(size)
    } else if let wantedSize {
      resize(wantedSize)
    }
    if let state { keep(state: state) }
    delegate?.pipeHasCheckpoint(at: found.checkpoint)
    if let key = discarding { didDiscard(false, for: key) }
    if let piece {
      switch piece.source {
      case .client, .report: didWrite(piece.client, upTo: ledgers[piece.client] ?? piece.offset)
      case .answer: if found.answered >= piece.offset { didAnswer(found.answered) }
      }
    }
    // The holder answers what it has written already as a duplicate.
    if let piece { send(piece) }
    if let endingGrace { connection.send(.end(handle: handle, epoch: epoch, grace: endingGrace)) }
    grant()
  }

  // MARK: What is kept

  func keep(checkpoint: ByteBuffer, size: TerminalSize, at offset: UInt64) {
    guard !isOver else { return }
    connection.send(checkpoint: checkpoint, size: size, at: offset, of: self)
  }

  var checkpointIsSent: EventLoopFuture<Void> { connection.checkpointIsSent(of: self) }

  func keep(state: [UInt8]) {
    guard !isOver else { return }
    self.state = state
    connection.send(.state(handle: handle, epoch: epoch, bytes: state))
  }

  func detach() {
    guard !isOver else { return }
    isOver = true
    connection.send(.detach(handle: handle, epoch: epoch))
    connection.forget(self)
  }

  func forget() {
    connection.send(.forget(handle: handle, epoch: epoch))
    connection.forget(self)
  }
}
