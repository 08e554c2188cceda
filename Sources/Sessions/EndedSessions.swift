// The sessions of a loop that have ended and can still be read, the oldest first, within a bound: what
// users leave behind must not fill a node.

import DequeModule
public import Wire

public struct EndedSessions {
  private var sessions: Deque<(id: SessionID, bytes: Int)> = []
  private var bytes = 0

  public init() {}

  /// - Parameter bytes: the memory that it holds.
  public mutating func append(_ id: SessionID, bytes count: Int) {
    bytes += count
    sessions.append((id, count))
  }

  public mutating func remove(_ id: SessionID) {
    guard let index = sessions.firstIndex(where: { $0.id == id }) else { return }
    bytes -= sessions[index].bytes
    sessions.remove(at: index)
  }

  /// The oldest, if they are too many or too large; never the only one, which its clients are just reading.
  public var excess: SessionID? {
    let isTooMuch =
      sessions.count > SessionLimits.endedSessions || bytes > SessionLimits.endedBytes
    return sessions.count > 1 && isTooMuch ? sessions.first?.id : nil
  }
}
