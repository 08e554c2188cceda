// What a session wants done. `SessionCore` decides it and does none of it; whoever runs the session carries the
// actions out, in their order.

public import NIOCore
public import Wire

public enum SessionAction {
  // MARK: To the pipe

  /// Write these bytes. The next are given when ``SessionCore/pipeDidWrite(_:now:)`` has told of all of them.
  case write(ByteBuffer, from: InputSource)
  /// Read from the pipe from now on, or do not.
  case setReading(Bool)
  /// Change the terminal's size. Of a session that is kept, say where among the output it changed:
  /// ``SessionCore/pipeDidResize(_:now:)``.
  case resize(TerminalSize)
  /// Discard what the terminal holds if this key does that there, and say whether it did:
  /// ``SessionCore/inputWasDiscarded(_:for:now:)``. Then this input is not written any more.
  case discardInput(key: UInt8, givingUp: [GivenUpInput])
  /// Discard what the terminal holds once more: what was under way has filled it again.
  case discardInputAgain(key: UInt8)
  /// End the process.
  case terminate

  // MARK: To who keeps the session

  /// Keep this: the session's screen as it is at this offset of the output.
  case keepCheckpoint(ByteBuffer, size: TerminalSize, at: UInt64)
  /// Keep ``SessionCore/state``, which has changed.
  case keepState

  // MARK: To streams

  case send(Frame, StreamID)
  /// Send the stream's last frame, and forget the stream.
  case close(StreamID, last: Frame)
  /// Give the stream a turn: it may have something to send (``SessionCore/writeNext(of:into:now:)``).
  case giveTurn(StreamID)
  /// Give the stream a turn in a moment: what it has to send may wait for more.
  case giveTurnSoon(StreamID)

  // MARK: To the loop

  /// Give the screen some time now, if there is some left in this tick: ``SessionCore/work(_:now:)``.
  case work
  /// Give the screen its turn after others.
  case workLater
  /// Call ``SessionCore/timeHasCome(for:now:)`` at this time. A timer that runs already is not set again.
  case wait(SessionTimer, until: NIODeadline)
  /// The session has ended. Its timers are to be stopped.
  case ended
}

/// What a session waits for.
public enum SessionTimer: Hashable, Sendable, CaseIterable {
  /// The time to look whether those who hold the pipe back have stalled.
  case reading
  /// The time at which the size may change again.
  case size
  /// The time to make room for an interrupt once more.
  case interrupt
  /// The time to look whether it has printed nothing for a while.
  case checkpoint
  /// The time at which the final output of a process that was ended is cut.
  case finalOutput
}
