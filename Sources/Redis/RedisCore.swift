// What a `RedisClient` is on its event loop: the connection, the commands that wait for one, and the
// time of the next try.

import DequeModule
import Logging
import NIOCore
import Transport
import Wire

/// Confined to its loop.
final class RedisCore {
  private let endpoint: RedisEndpoint
  private let eventLoop: any EventLoop
  private let logger: Logger
  private let connector: Connector
  private var state = State.idle
  private var waiting: Deque<Waiting> = []
  private var backoff = Backoff(
    first: RedisLimits.reconnectFirst, last: RedisLimits.reconnectLast)
  /// Why the last try failed, for who waits in vain for the next one.
  private var lastFailure: RedisError?

  /// In the order of their deadlines, since each gets the same time.
  private struct Waiting {
    var command: RedisCommand
    var answer: EventLoopPromise<RedisValue>
    var deadline: NIODeadline
  }

  private enum State {
    /// No connection, and none is being made: the next command makes one.
    case idle
    case connecting
    case connected(RedisConnection)
    /// The last try failed; the next one is scheduled.
    case waiting
    case closed
  }

  init(
    _ endpoint: RedisEndpoint, eventLoop: any EventLoop, logger: Logger, layer: SocketLayer
  ) {
    self.endpoint = endpoint
    self.eventLoop = eventLoop
    self.logger = logger
    connector = Connector(.tcp(host: endpoint.host, port: endpoint.port), layer)
  }

  func send(_ command: RedisCommand) -> EventLoopFuture<RedisValue> {
    let answer = eventLoop.makePromise(of: RedisValue.self)
    switch state {
    case .connected(let connection):
      if connection.underWay >= RedisLimits.commands {
        answer.fail(RedisError(.unavailable, "\(endpoint) does not keep up"))
      } else {
        connection.send(command, answer: answer, within: RedisLimits.deadline)
      }
    case .closed: answer.fail(RedisError(.unavailable, "the client was shut down"))
    case .idle:
      wait(command, answer)
      connect()
    case .connecting, .waiting: wait(command, answer)
    }
    return answer.futureResult
  }

  private func wait(_ command: RedisCommand, _ answer: EventLoopPromise<RedisValue>) {
    guard waiting.count < RedisLimits.commands else {
      return answer.fail(RedisError(.unavailable, "\(endpoint) cannot be reached"))
    }
    let deadline = NIODeadline.now() + RedisLimits.deadline
    waiting.append(Waiting(command: command, answer: answer, deadline: deadline))
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(deadline: deadline) { bound.value.expire() }
  }

  /// Those whose time is over were never sent, and are told why.
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
    connector.connect(on: eventLoop, within: RedisLimits.connectTimeout) { channel in
      let core = bound.value
      try channel.pipeline.syncOperations.addHandler(
        RedisConnection(to: core.endpoint, core: core))
    }.whenFailure { error in
      let core = bound.value
      core.failed(
        RedisError(.unavailable, "cannot connect to \(core.endpoint)", cause: error))
    }
  }

  /// The connection may be used: it has logged in.
  func connected(_ connection: RedisConnection) {
    guard case .connecting = state else { return connection.close(Self.shutDown) }
    state = .connected(connection)
    backoff.reset()
    lastFailure = nil
    expire()
    for entry in takeWaiting() {
      connection.send(entry.command, answer: entry.answer, within: entry.deadline - .now())
    }
  }

  private func takeWaiting() -> Deque<Waiting> {
    defer { waiting = [] }
    return waiting
  }

  /// A try to connect, or to log in, has failed: who waits is told, and another try will be made.
  private func failed(_ error: RedisError) {
    guard case .connecting = state else { return }
    lastFailure = error
    for entry in takeWaiting() { entry.answer.fail(error) }
    retryLater()
  }

  func closed(_ connection: RedisConnection, _ error: RedisError) {
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
      if core.waiting.isEmpty { core.state = .idle } else { core.connect() }
    }
  }

  private static let shutDown = RedisError(.unavailable, "the client was shut down")

  func shutdown() {
    let before = state
    state = .closed
    for entry in takeWaiting() { entry.answer.fail(Self.shutDown) }
    if case .connected(let connection) = before { connection.close(Self.shutDown) }
  }
}
