import Links
import TestSupport
import Testing

/// An echo waits for one turn of each other stream, and no longer (promise P7).
struct TurnQueueTests {
  @Test func turnsAreTakenInTheOrderOfWaiting() {
    var queue = TurnQueue<UInt64>()
    for stream: UInt64 in [7, 3, 5] { queue.enqueue(stream) }
    #expect(queue.count == 3)
    let turns = (0..<4).map { _ in queue.popFirst() }
    #expect(turns == [7, 3, 5, nil])
    #expect(queue.isEmpty)
  }

  @Test func whoWaitsAlreadyKeepsItsTurn() {
    var queue = TurnQueue<UInt64>()
    let added = [queue.enqueue(1), queue.enqueue(2), queue.enqueue(1)]
    #expect(added == [true, true, false])
    #expect(queue.count == 2)
    let turns = (0..<3).map { _ in queue.popFirst() }
    #expect(turns == [1, 2, nil])
  }

  @Test func anEchoWaitsForOneTurnOfEachFlood() {
    var queue = TurnQueue<UInt64>()
    for flood: UInt64 in 1...3 { queue.enqueue(flood) }
    var turns: [UInt64] = []
    queue.enqueue(9)
    while let stream = queue.popFirst(), stream != 9 {
      turns.append(stream)
      queue.enqueue(stream)
    }
    #expect(turns == [1, 2, 3])
  }

  @Test func whoLeavesAndComesBackWaitsBehindTheOthers() {
    var queue = TurnQueue<UInt64>()
    for stream: UInt64 in 1...4 { queue.enqueue(stream) }
    let removed = [queue.remove(2), queue.remove(2)]
    #expect(removed == [true, false])
    #expect(!queue.contains(2))
    queue.enqueue(2)
    let turns = (0..<4).map { _ in queue.popFirst() }
    #expect(turns == [1, 3, 4, 2])
  }

  @Test func theFirstAndTheLastCanLeave() {
    var queue = TurnQueue<UInt64>()
    for stream: UInt64 in 1...4 { queue.enqueue(stream) }
    queue.remove(1)
    queue.remove(4)
    queue.enqueue(5)
    let turns = (0..<4).map { _ in queue.popFirst() }
    #expect(turns == [2, 3, 5, nil])
  }

  /// A member that has left is not kept alive by the place it had.
  @Test func whoHasLeftIsLetGo() {
    final class Stream: Hashable {
      static func == (one: Stream, other: Stream) -> Bool { one === other }
      func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
    }
    var queue = TurnQueue<Stream>()
    weak var left: Stream?
    do {
      let stream = Stream()
      left = stream
      queue.enqueue(stream)
      queue.remove(stream)
    }
    #expect(left == nil)
  }

  /// Against an array that does the same slowly.
  @Test func anyHistoryIsThatOfAPlainList() {
    var random = SeededGenerator.announced()
    var queue = TurnQueue<UInt64>()
    var list: [UInt64] = []
    for step in 0..<20_000 {
      let member = UInt64.random(in: 0..<40, using: &random)
      switch Int.random(in: 0..<100, using: &random) {
      case 0:
        queue.removeAll()
        list = []
      case 1..<45:
        let isNew = !list.contains(member)
        let wasAdded = queue.enqueue(member)
        #expect(wasAdded == isNew, "step \(step)")
        if isNew { list.append(member) }
      case 45..<70:
        let waited = list.contains(member)
        let wasRemoved = queue.remove(member)
        #expect(wasRemoved == waited, "step \(step)")
        list.removeAll { $0 == member }
      default:
        let first = list.isEmpty ? nil : list.removeFirst()
        let popped = queue.popFirst()
        #expect(popped == first, "step \(step)")
      }
      #expect(queue.count == list.count && queue.isEmpty == list.isEmpty)
      guard queue.contains(member) == list.contains(member) else {
        Issue.record("step \(step)")
        return
      }
    }
  }
}
