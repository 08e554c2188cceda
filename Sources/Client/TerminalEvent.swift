// What a stream tells its user, and the sequence in which it tells it. Asking for the next event is
// what consumes the one before: only then is its output acknowledged, so that a slow consumer holds
// the server back instead of filling this process's memory (promise P6).

public import NIOCore
public import Wire

/// Where a stream stands.
public enum StreamCondition: Sendable, Equatable {
  /// The first connection is being made, or OPEN was sent.
  case connecting
  /// Bytes flow.
  case live
  /// The server lost its link to the session's node and is opening it again; nothing to do.
  case paused
  /// The connection was lost, or could not be made, for this reason; the next attempt begins after the delay.
  case reconnecting(in: Duration, reason: String, code: ClientErrorCode = .notConnected)
  /// The server cannot open the session just now; it is asked again after the delay.
  case postponed(in: Duration, reason: String)
}

/// Why input was dropped before it was sent.
public enum NotTyped: Sendable, Equatable {
  /// An interrupt was typed behind it.
  case interrupted
  /// As much as is kept waits already.
  case tooMuchWaits
}

public enum TerminalEvent: Sendable, Equatable {
  /// The session was attached to, for the first time or again.
  case opened(Opened)
  /// The pipe's bytes from `offset` on; each once, in order.
  case output(offset: UInt64, ByteBuffer)
  /// Bytes that make a fresh terminal of this size show what the session showed at `offset`, where
  /// output goes on. Always whole.
  case snapshot(offset: UInt64, size: TerminalSize, ByteBuffer)
  case state(StreamCondition)
  /// The terminal changes size exactly here.
  case resized(offset: UInt64, TerminalSize)
  case event(Event)
  /// A session of that id was lost with its node; this one is started anew, as was asked for.
  case lost(Refused)
  /// Input of which it is unknown whether it reached the process; it is not sent again.
  case inDoubt(ByteBuffer)
  /// Input that was not sent, and will not be.
  case notTyped(bytes: Int, because: NotTyped)
  /// Last: the process has ended.
  case ended(Ended)
  /// Last: the session could not be opened, or not again.
  case refused(Refused)
  /// Last: the stream was left, by either side.
  case closed(reason: String)

  /// Whether no other event follows.
  public var isLast: Bool {
    switch self {
    case .ended, .refused, .closed: true
    default: false
    }
  }

  /// Bytes that count towards the stream's window.
  var creditedBytes: Int {
    switch self {
    case .output(_, let bytes), .snapshot(_, _, let bytes): bytes.readableBytes
    default: 0
    }
  }
}

/// A stream's events, for one consumer. Asking for the next one acknowledges the one before.
public struct TerminalEvents: AsyncSequence, Sendable {
  public typealias Element = TerminalEvent
  public typealias Failure = Never

  let stream: AsyncStream<TerminalEvent>
  let consumed: @Sendable (Int) -> Void

  public struct AsyncIterator: AsyncIteratorProtocol {
    var iterator: AsyncStream<TerminalEvent>.Iterator
    let consumed: @Sendable (Int) -> Void
    var handedOut = 0

    public mutating func next() async -> TerminalEvent? {
      if handedOut > 0 { consumed(handedOut) }
      let event = await iterator.next()
      handedOut = event?.creditedBytes ?? 0
      return event
    }
  }

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(iterator: stream.makeAsyncIterator(), consumed: consumed)
  }
}
