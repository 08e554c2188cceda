// What a `TerminalClient` is on its event loop: the connection, the streams on it, and when to try
// again. The streams themselves are `ClientStream`s, which do no I/O; here their actions are carried
// out, with one write per turn of the loop.

import Logging
import NIOCore
import NIOPosix
import TLS
import Transport
import Wire

/// Confined to its loop.
final class ClientCore: ClientConnectionDelegate {
  let eventLoop: any EventLoop
  let endpoint: Endpoint
  private let tls: TLSContext?
  private let client: ClientID
  private let token: @Sendable () -> String?
  private let logger: Logger
  private var phase = Phase.idle
  private var reconnecting: Reconnecting
  private var decoder = FrameDecoder()
  private var streams: [Int: StreamEntry] = [:]
  /// Streams of this connection: wire number → entry.
  private var numbers: [UInt64: StreamEntry] = [:]
  private var lastNumber: UInt64 = 0
  private var lastID = 0
  private var out = ByteBuffer()
  private lazy var endOfTick = EndOfTick(on: eventLoop) { [weak self] in self?.flush() }
  private var heard = NIODeadline.now()
  private var watch: Scheduled<Void>?
  private var welcomed: NIODeadline?

  private enum Phase {
    case idle
    case connecting
    case connected(ClientConnection)
    case waiting(Scheduled<Void>)
    case closed
  }

  init(
    endpoint: Endpoint, tls: TLSContext?, client: ClientID,
    token: @escaping @Sendable () -> String?, delays: ReconnectDelays, logger: Logger,
    eventLoop: any EventLoop
  ) {
    self.endpoint = endpoint
    self.tls = tls
    reconnecting = Reconnecting(delays)
    self.client = client
    self.token = token
    self.logger = logger
    self.eventLoop = eventLoop
  }

  // MARK: From the user

  func add(_ entry: StreamEntry) {
    lastID += 1
    entry.id = lastID
    entry.emit(.state(.connecting))
    switch phase {
    case .closed: return entry.emit(.closed(reason: "the client was closed"))
    case .idle: connect()
    case .connected: begin(entry)
    case .connecting, .waiting: break
    }
    streams[lastID] = entry
  }

  /// Carries out what a stream wants.
  func perform(_ actions: [ClientStream.Action], for entry: StreamEntry) {
    for action in actions {
      switch action {
      case .send(let frame):
        if let number = entry.number { send(frame, on: number) }
      case .emit(let event): entry.emit(event)
      case .reopen(let delay, let reason): reopen(entry, after: delay, reason: reason)
      case .openAgain:
        forgetNumber(of: entry)
        begin(entry)
      case .acknowledgeSoon: acknowledgeSoon(entry)
      case .finish: finish(entry)
      }
    }
    entry.wakeWaiters()
  }

  private func acknowledgeSoon(_ entry: StreamEntry) {
    guard !entry.isAcknowledging else { return }
    entry.isAcknowledging = true
    let bound = NIOLoopBound((self, entry), eventLoop: eventLoop)
    eventLoop.scheduleTask(in: ClientLimits.acknowledgeWithin) {
      let (core, entry) = bound.value
      entry.isAcknowledging = false
      core.perform(entry.stream.acknowledge(), for: entry)
    }
  }

  /// Ends TCP abruptly, as a dying network would.
  func cut() {
    guard case .connected(let connection) = phase else { return }
    connection.cut()
  }

  func close() {
    let left = streams.values
    for entry in left { perform(entry.stream.leave(), for: entry) }
    flush()
    switch phase {
    case .connected(let connection): connection.close(code: 1000, reason: "done")
    case .waiting(let timer): timer.cancel()
    case .idle, .connecting, .closed: break
    }
    watch?.cancel()
    phase = .closed
  }

  // MARK: Connecting

  private func connect() {
    phase = .connecting
    welcomed = nil
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    ClientConnection.connect(to: endpoint, tls: tls, delegate: self, on: eventLoop).whenComplete {
      result in
      switch result {
      case .success(let connection): bound.value.didConnect(connection.value)
      case .failure(let error):
        let code =
          (error as? TLSError)?.code == .notTLS ? .plainText : (error as? ClientError)?.code
        bound.value.didFail(cause(of: error), code: code ?? .notConnected)
      }
    }
  }

  private func didConnect(_ connection: ClientConnection) {
    guard case .connecting = phase else {
      return connection.close(code: 1000, reason: "not needed any more")
    }
    guard connection.isOpen else { return didFail("the connection was closed") }
    phase = .connected(connection)
    decoder = FrameDecoder()
    numbers = [:]
    lastNumber = 0
    out.clear()
    send(.hello(Hello(client: client, token: token())), on: 0)
    for entry in streams.values where !entry.isWaiting { begin(entry) }
    heard = .now()
    watchFor(ClientLimits.answerDeadline)
  }

  private func didFail(_ reason: String, code: ClientErrorCode = .notConnected) {
    guard case .connecting = phase else { return }
    tryAgain(because: reason, code: code, lasted: nil)
  }

  func connection(_ connection: ClientConnection, didEnd reason: String) {
    guard case .connected(let current) = phase, current === connection else { return }
    if connection.isUnauthorized { return giveUp(because: reason) }
    lose(because: reason)
  }

  /// The server does not let this client in; trying again would not change its mind.
  private func giveUp(because reason: String) {
    watch?.cancel()
    numbers = [:]
    welcomed = nil
    phase = .idle
    for entry in streams.values {
      entry.number = nil
      entry.emit(.closed(reason: reason))
      entry.failWaiters(reason)
    }
    streams = [:]
  }

  /// The connection is gone, or of no use; its streams go on with the next.
  private func lose(because reason: String) {
    watch?.cancel()
    numbers = [:]
    for entry in streams.values { entry.number = nil }
    tryAgain(
      because: reason,
      lasted: welcomed.map { .nanoseconds((NIODeadline.now() - $0).nanoseconds) })
  }

  private func tryAgain(
    because reason: String, code: ClientErrorCode = .notConnected, lasted: Duration?
  ) {
    welcomed = nil
    guard !streams.isEmpty else {
      phase = .idle
      return
    }
    let delay = reconnecting.next(lasted: lasted)
    logger.debug("reconnecting", metadata: ["in": "\(delay)", "reason": "\(reason)"])
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    phase = .waiting(
      eventLoop.scheduleTask(in: TimeAmount(delay)) {
        if case .waiting = bound.value.phase { bound.value.connect() }
      })
    for entry in streams.values {
      entry.emit(.state(.reconnecting(in: delay, reason: reason, code: code)))
    }
  }

  /// Checks after `delay` that something was heard; asks by PING, and gives up when that stays
  /// without any answer.
  private func watchFor(_ delay: TimeAmount, pinged: Bool = false) {
    watch?.cancel()
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let start = NIODeadline.now()
    watch = eventLoop.scheduleTask(in: delay) {
      bound.value.check(since: start, pinged: pinged)
    }
  }

  private func check(since start: NIODeadline, pinged: Bool) {
    guard case .connected(let connection) = phase else { return }
    let now = NIODeadline.now()
    if welcomed == nil || (pinged && heard < start) {
      connection.close(code: 1001, reason: "no answer")
      return lose(because: "the server does not answer")
    }
    if now - heard < ClientLimits.idle { return watchFor(ClientLimits.idle - (now - heard)) }
    send(.ping(UInt64(truncatingIfNeeded: now.uptimeNanoseconds)), on: 0)
    watchFor(ClientLimits.answerDeadline, pinged: true)
  }

  // MARK: Streams

  private func begin(_ entry: StreamEntry) {
    lastNumber += 1
    entry.number = lastNumber
    numbers[lastNumber] = entry
    send(entry.stream.begin(at: WallClock.milliseconds), on: lastNumber)
  }

  private func reopen(_ entry: StreamEntry, after milliseconds: Int, reason: String) {
    forgetNumber(of: entry)
    entry.isWaiting = true
    let delay = min(milliseconds, ClientLimits.longestWait)
    entry.emit(.state(.postponed(in: .milliseconds(delay), reason: reason)))
    let bound = NIOLoopBound((self, entry), eventLoop: eventLoop)
    eventLoop.scheduleTask(in: .milliseconds(Int64(delay))) {
      let (core, entry) = bound.value
      entry.isWaiting = false
      guard core.streams[entry.id] != nil, case .connected = core.phase else { return }
      core.begin(entry)
    }
  }

  private func finish(_ entry: StreamEntry) {
    forgetNumber(of: entry)
    streams[entry.id] = nil
    if streams.isEmpty, case .waiting(let timer) = phase {
      timer.cancel()
      phase = .idle
    }
  }

  private func forgetNumber(of entry: StreamEntry) {
    if let number = entry.number { numbers[number] = nil }
    entry.number = nil
  }

  // MARK: In

  func connection(_ connection: ClientConnection, didReceive bytes: ByteBuffer) {
    heard = .now()
    decoder.append(bytes)
    do throws(WireError) {
      while case .connected(let current) = phase, current === connection,
        let (number, frame) = try decoder.next()
      {
        try handle(frame, number, connection)
      }
    } catch {
      connection.close(code: 1002, reason: error.description)
      lose(because: "the server broke the protocol: \(error.message)")
    }
  }

  private func handle(_ frame: Frame, _ number: UInt64, _ connection: ClientConnection)
    throws(WireError)
  {
    guard number == 0 else {
      guard welcomed != nil else { throw WireError(.unexpected, "\(frame.type) before WELCOME") }
      // What is still under way for a stream that is closed means nothing.
      guard let entry = numbers[number] else { return }
      return perform(try entry.stream.receive(frame), for: entry)
    }
    switch frame {
    case .welcome:
      welcomed = .now()
      watchFor(ClientLimits.idle)
    case .ping(let opaque): send(.pong(opaque), on: 0)
    case .pong: break
    case .token(let renewal):
      // The server asks for another token, or says that it took one.
      if renewal.within != nil, let token = token() { send(.token(Renewal(token: token)), on: 0) }
    case .goAway(let notice): leave(connection, notice)
    default: throw WireError(.unexpected, "\(frame.type) on stream 0")
    }
  }

  /// The server asks to come back, at a random moment so that not all do at once.
  private func leave(_ connection: ClientConnection, _ notice: GoAway) {
    let spread = min(max(0, notice.spread), max(0, notice.within), ClientLimits.longestWait)
    let delay = Int64.random(in: 0...Int64(spread))
    let bound = NIOLoopBound((self, connection), eventLoop: eventLoop)
    eventLoop.scheduleTask(in: .milliseconds(delay)) {
      let (core, connection) = bound.value
      guard case .connected(let current) = core.phase, current === connection else { return }
      connection.close(code: 1001, reason: "as asked")
      core.lose(because: notice.reason)
    }
  }

  // MARK: Out

  private func send(_ frame: Frame, on number: UInt64) {
    guard case .connected(let connection) = phase else { return }
    out.writeFrame(frame, stream: number)
    if out.readableBytes >= ClientLimits.message {
      connection.write(out)
      out.clear()
    } else {
      endOfTick.schedule()
    }
  }

  private func flush() {
    guard case .connected(let connection) = phase, out.readableBytes > 0 else { return }
    connection.write(out)
    out.clear()
  }
}

/// A stream, where its events go, and who waits for its input to move. Confined to the loop.
final class StreamEntry {
  var id = 0
  /// Its number on the present connection.
  var number: UInt64?
  /// Refused for now; opened again after a while.
  var isWaiting = false
  /// What it consumed is acknowledged soon, if nothing is typed before.
  var isAcknowledging = false
  var stream: ClientStream
  private let continuation: AsyncStream<TerminalEvent>.Continuation
  private var waiters: [(limit: Limit, promise: EventLoopPromise<Void>)] = []

  enum Limit { case sent, acknowledged }

  init(_ stream: ClientStream, _ continuation: AsyncStream<TerminalEvent>.Continuation) {
    self.stream = stream
    self.continuation = continuation
  }

  func emit(_ event: TerminalEvent) {
    continuation.yield(event)
    if event.isLast { continuation.finish() }
  }

  /// Fulfils `promise` once all input has been sent, or acknowledged; fails it when the stream ends.
  func wait(for limit: Limit, _ promise: EventLoopPromise<Void>) {
    waiters.append((limit, promise))
    wakeWaiters()
  }

  func failWaiters(_ reason: String) {
    for waiter in waiters { waiter.promise.fail(ClientError(.closed, reason)) }
    waiters = []
  }

  func wakeWaiters() {
    guard !waiters.isEmpty else { return }
    waiters.removeAll { waiter in
      let left = waiter.limit == .sent ? stream.waitingInput : stream.unacknowledgedInput
      if left == 0 {
        waiter.promise.succeed()
        return true
      }
      guard stream.isOver else { return false }
      waiter.promise.fail(ClientError(.closed, "the stream ended before its input arrived"))
      return true
    }
  }
}
