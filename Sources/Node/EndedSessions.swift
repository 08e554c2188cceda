// The sessions of a loop that have ended and are kept to be read, the oldest first, within a bound: what
// users leave behind must not fill a node.

import DequeModule

struct EndedSessions {
  private var sessions: Deque<(session: Session, bytes: Int)> = []
  private var bytes = 0

  mutating func append(_ session: Session) {
    let held = session.heldBytes
    bytes += held
    sessions.append((session, held))
  }

  mutating func remove(_ session: Session) {
    guard let index = sessions.firstIndex(where: { $0.session === session }) else { return }
    bytes -= sessions[index].bytes
    sessions.remove(at: index)
  }

  /// The oldest, if they are too many or too large; never the only one, which its clients are just reading.
  func excess() -> Session? {
    let isTooMuch =
      sessions.count > NodeLimits.endedSessions || bytes > NodeLimits.endedBytes
    return sessions.count > 1 && isTooMuch ? sessions.first?.session : nil
  }
}
