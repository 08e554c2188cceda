// Which streams of one client may ask the registry for their session's owner now: so many at a time. A slow registry
// holds back only the streams that ask it. Pure.

import Links

struct LookUpTurns {
  private var underWay = 0
  private var waiting = TurnQueue<UInt64>()

  /// - Returns: whether the stream may ask now. If not, ``end()`` will name it.
  mutating func begin(_ stream: UInt64) -> Bool {
    guard underWay < RouterLimits.lookUps else {
      waiting.enqueue(stream)
      return false
    }
    underWay += 1
    return true
  }

  /// Notes that one of them has its answer.
  /// - Returns: who may ask in its place.
  mutating func end() -> UInt64? {
    guard let next = waiting.popFirst() else {
      underWay -= 1
      return nil
    }
    return next
  }

  /// Takes out a stream that was closed while it waited.
  mutating func cancel(_ stream: UInt64) { waiting.remove(stream) }
}
