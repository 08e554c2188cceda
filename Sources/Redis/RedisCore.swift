// What a `RedisClient` is on its event loop: the connection to the primary, the commands that wait for one, and the
// time of the next try. Where the primary is says a `PrimaryFinder`.

import DequeModule
import Logging
import NIOCore
import Transport
import Wire

/// What is to be heard on a channel of Redis.
struct RedisSubscription {
  var channel: String
  var heard: (_ message: String) -> Void
}

/// Confined to its loop.
final class RedisCore: RedisConnectionOwner {
  private let endpoint: RedisEndpoint
  private let eventLoop: any EventLoop
  private let logger: Logger
  private let layer: SocketLayer
  private let subscription: RedisSubscription?
  private let finder: any PrimaryFinder
  private var state = State.idle
  private var waiting: Deque<Request> = []
  private var backoff = Backoff(
    first: RedisLimits.reconnectFirst, last: RedisLimits.reconnectLast)
  /// Why the last try failed, for who waits in vain for the next one.
  private var lastFailure: RedisError?
  /// To the server that a slot is being moved to, while one is.
  private var importer: RedisCore?
  private(set) var use = RedisUse()

  private enum State {
    /// No connection, and none is being made: the next command makes one.
    case idle
    case connecting
    case connected(RedisConnection)
    /// The last try failed, or the primary is another one; the next try is scheduled.
    case waiting
    case closed
  }

  /// - Parameters:
  ///   - finder: nil: the endpoint's first server is the primary.
  ///   - layer: for those of the connections that the endpoint wants encrypted.
  ///   - subscription: what is to be heard, from now on; such a client is sent no command.
  init(
    _ endpoint: RedisEndpoint, _ finder: (any PrimaryFinder)? = nil, on eventLoop: any EventLoop,
    logger: Logger, layer: SocketLayer, subscription: RedisSubscription? = nil
  ) {
    self.endpoint = endpoint
    self.finder = finder ?? OneServer(endpoint, on: eventLoop)
    self.eventLoop = eventLoop
    self.logger = logger
    self.layer = layer
    self.subscription = subscription
    let bound = NIOLoopBound(Weak(self), eventLoop: eventLoop)
    self.finder.watch { bound.value.core?.primaryIs(at: $0) }
    if subscription != nil { connect() }
  }

  private struct Weak {
    weak var core: RedisCore?
    init(_ core: RedisCore) { self.core = core }
  }

  /// - Parameter deadline: nil: as long as a command may take.
  func send(
    _ command: RedisCommand, by deadline: NIODeadline? = nil
  ) -> EventLoopFuture<RedisValue> {
    let answer = eventLoop.makePromise(of: RedisValue.self)
    use.commands += 1
    send(
      Request(
        command: command, answer: answer,
        deadline: deadline ?? NIODeadline.now() + RedisLimits.deadline))
    return answer.futureResult
  }

  private func send(_ request: Request) {
    switch state {
    case .connected(let connection):
      if connection.underWay >= RedisLimits.commands {
        request.answer.fail(RedisError(.unavailable, "\(endpoint) does not keep up"))
      } else {
        connection.send(request)
      }
    case .closed: request.answer.fail(Self.shutDown)
    case .idle:
      wait(request)
      connect()
    case .connecting, .waiting: wait(request)
    }
  }

  /// In the order of their deadlines: what is sent again has less time left than what is new.
  private func wait(_ request: Request) {
    guard waiting.count < RedisLimits.commands else {
      return request.answer.fail(RedisError(.unavailable, "\(endpoint) cannot be reached"))
    }
    var (low, high) = (0, waiting.count)
    if let last = waiting.last, last.deadline <= request.deadline { low = high }
    while low < high {
      let middle = (low + high) / 2
      if waiting[middle].deadline <= request.deadline { low = middle + 1 } else { high = middle }
    }
    waiting.insert(request, at: low)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(deadline: request.deadline) { bound.value.expire() }
  }

  /// Those whose time is over are told why.
  private func expire() {
    let now = NIODeadline.now()
    while let first = waiting.first, first.deadline <= now {
      waiting.removeFirst()
      first.answer.fail(
        lastFailure ?? RedisError(.unavailable, "\(endpoint) cannot be reached in time"))
    }
  }

  // MARK: Connecting

  private func connect() {
    state = .connecting
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    finder.find().whenComplete { result in
      let core = bound.value
      guard case .connecting = core.state else { return }
      switch result {
      case .success(let address): core.connect(to: address)
      case .failure(let error as RedisError): core.failed(error)
      case .failure(let error):
        core.failed(RedisError(.unavailable, "\(core.endpoint) cannot be asked", cause: error))
      }
    }
  }

  private func connect(to address: Address) {
    let server = endpoint.mayMove ? endpoint.server(at: address) : endpoint
    var greeting = server.greeting
    if let subscription { greeting.append(RedisCommand(["SUBSCRIBE", subscription.channel])) }
    let bound = NIOLoopBound((self, greeting), eventLoop: eventLoop)
    // A server that others named may show a certificate of the names that the URL has.
    let names = ([address] + endpoint.servers).compactMap(\.host)
    Connector(address, server.isEncrypted ? layer : .plain, serverNames: names)
      .connect(on: eventLoop, within: RedisLimits.connectTimeout) { channel in
        let (core, greeting) = bound.value
        try channel.pipeline.syncOperations.addHandler(
          RedisConnection(to: server, greeting: greeting, owner: core))
      }.whenFailure { error in
        bound.value.0.failed(
          RedisError(.unavailable, "cannot connect to \(server)", cause: error))
      }
  }

  func connected(_ connection: RedisConnection) {
    guard case .connecting = state else { return connection.close(Self.shutDown) }
    state = .connected(connection)
    use.connections += 1
    lastFailure = nil
    expire()
    if endpoint.mayMove {
      logger.info(
        "Redis's primary is found",
        metadata: ["redis": "\(endpoint)", "primary": "\(connection.endpoint)"])
    }
    for request in takeWaiting() { connection.send(request) }
  }

  /// Only now is it known to be of use: two servers that name each other are not asked without a pause.
  func served(_ connection: RedisConnection) { if !connection.isRetired { backoff.reset() } }

  private func takeWaiting() -> Deque<Request> {
    defer { waiting = [] }
    return waiting
  }

  /// A try to connect, or to log in, has failed, and another one will be made. Where another server may be the primary by
  /// then, those who wait go on waiting.
  private func failed(_ error: RedisError) {
    guard case .connecting = state else { return }
    lastFailure = error
    if !endpoint.mayMove || error.code != .unavailable {
      for request in takeWaiting() { request.answer.fail(error) }
    }
    retryLater()
  }

  func closed(_ connection: RedisConnection, _ error: RedisError) {
    if connection.isRetired { return }
    guard case .connected(let current) = state, current === connection else {
      return failed(error)
    }
    logger.warning("Redis is away", metadata: ["redis": "\(endpoint)", "error": "\(error)"])
    lastFailure = error
    retryLater()
  }

  private func retryLater() {
    state = .waiting
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: TimeAmount(backoff.next())) {
      let core = bound.value
      guard case .waiting = core.state else { return }
      if core.waiting.isEmpty, core.subscription == nil {
        core.state = .idle
      } else {
        core.connect()
      }
    }
  }

  private static let shutDown = RedisError(.unavailable, "the client was shut down")

  func shutdown() {
    let before = state
    state = .closed
    for request in takeWaiting() { request.answer.fail(Self.shutDown) }
    if case .connected(let connection) = before { connection.close(Self.shutDown) }
    importer?.shutdown()
    finder.shutdown()
  }
}

// MARK: Another primary

extension RedisCore {
  /// Where it is now; nil: there is no connection.
  var primary: Address? {
    if case .connected(let connection) = state { connection.endpoint.servers.first } else { nil }
  }

  /// Who knows it says that the primary is there.
  private func primaryIs(at address: Address) {
    guard case .connected(let connection) = state, primary != address else { return }
    leave(
      connection,
      RedisError(.unavailable, "\(address.authority ?? "another") is the primary now"))
  }

  /// What is under way on the connection is still answered; all else goes to another one.
  private func leave(_ connection: RedisConnection, _ error: RedisError) {
    guard case .connected(let current) = state, current === connection else { return }
    logger.warning(
      "Redis's primary is another one",
      metadata: ["redis": "\(endpoint)", "left": "\(connection.endpoint)", "error": "\(error)"])
    lastFailure = error
    connection.retire()
    importer?.shutdown()
    importer = nil
    retryLater()
  }

  func refused(_ request: Request, _ reply: ErrorReply, by connection: RedisConnection) {
    guard endpoint.mayMove else {
      request.answer.fail(reply.error)
      // Whoever listens there next may be a primary.
      if reply.word == "READONLY" { connection.close(reply.error) }
      return
    }
    switch reply.remedy {
    case .elsewhere(let address):
      if let address { finder.learn(address) }
      leave(connection, reply.error)
      sendAgain(request, after: reply.error)
    case .ask(let address): ask(request, at: address)
    case .otherPrimary:
      leave(connection, reply.error)
      sendAgain(request, after: reply.error)
    case .again: sendLater(request, after: reply.error)
    case .none: request.answer.fail(reply.error)
    }
  }

  private func sendAgain(_ request: Request, after error: RedisError) {
    var request = request
    request.tries += 1
    use.redirections += 1
    guard request.tries < RedisLimits.tries, .now() < request.deadline else {
      return request.answer.fail(error)
    }
    send(request)
  }

  private func sendLater(_ request: Request, after error: RedisError) {
    var pause = Backoff(first: RedisLimits.tryFirst, last: RedisLimits.tryLast)
    for _ in 0..<request.tries { _ = pause.nextLongest() }
    let bound = NIOLoopBound((self, request), eventLoop: eventLoop)
    eventLoop.scheduleTask(in: TimeAmount(pause.next())) {
      let (core, request) = bound.value
      core.sendAgain(request, after: error)
    }
  }

  /// The slot is being moved there: what is no more at its primary is there, for who says that it knows.
  private func ask(_ request: Request, at address: Address) {
    let asked: RedisCore
    if let importer, importer.endpoint.servers == [address] {
      asked = importer
    } else {
      importer?.shutdown()
      asked = RedisCore(
        endpoint.server(at: address), on: eventLoop, logger: logger, layer: layer)
      importer = asked
    }
    let bound = NIOLoopBound((self, request), eventLoop: eventLoop)
    // One after the other on one connection.
    _ = asked.send(RedisCommand(["ASKING"]), by: request.deadline)
    asked.send(request.command, by: request.deadline).whenComplete { result in
      let (core, request) = bound.value
      switch result {
      case .success(let value): request.answer.succeed(value)
      case .failure(let error as RedisError)
      where error.code == .unavailable || error.code == .misconfigured:
        // It is not there either, or the move was called off.
        core.sendLater(request, after: error)
      case .failure(let error): request.answer.fail(error)
      }
    }
  }

  func heard(_ value: RedisValue) {
    // Of `message`, channel and text; anything else says that a subscription begins or ends.
    guard let parts = value.array, parts.count == 3, parts[0].string == "message",
      let text = parts[2].string
    else { return }
    subscription?.heard(text)
  }

  func timedOut() { use.timeouts += 1 }
}
