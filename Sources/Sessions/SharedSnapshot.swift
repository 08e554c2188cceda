// A session's screen as a snapshot, made once for all the streams that want it at the same place of the
// output, a slice at a time, when the first of them may send it.

import NIOCore
import Screen
import Wire

struct SharedSnapshot {
  private enum State {
    case none
    case making(ScreenSnapshot, ByteBuffer)
    case made(ByteBuffer, NIODeadline)
  }
  private var state = State.none
  /// Some stream waits for one that nobody has begun to make.
  var isWanted = false

  /// Meanwhile the session reads nothing, so that the log still has what follows the snapshot.
  var isMaking: Bool {
    if case .making = state { true } else { false }
  }

  /// The whole snapshot, once it is made.
  var bytes: ByteBuffer? {
    if case .made(let bytes, _) = state { bytes } else { nil }
  }

  /// When it was made.
  var made: NIODeadline? {
    if case .made(_, let time) = state { time } else { nil }
  }

  /// Begins with the screen as it is now.
  mutating func begin(_ screen: Screen, work: Int, now: NIODeadline) {
    isWanted = false
    state = .making(screen.beginSnapshot(), ByteBuffer())
    goOn(work: work, now: now)
  }

  mutating func goOn(work: Int, now: NIODeadline) {
    guard case .making(let snapshot, var bytes) = state else { return }
    // Gives up the other reference to the bytes, so that they are not copied.
    state = .none
    bytes.writeBytes(snapshot.next(work: work))
    state = snapshot.isDone ? .made(bytes, now) : .making(snapshot, bytes)
  }

  /// Gives up a finished snapshot: the screen is about to change.
  mutating func outdate() {
    if case .made = state { state = .none }
  }

  /// Gives up the memory of one that is older: those who came at the same time have it by now.
  mutating func forget(madeBefore time: NIODeadline) {
    if case .made(_, let made) = state, made < time { state = .none }
  }
}
