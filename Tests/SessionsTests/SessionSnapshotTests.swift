// Who is sent a snapshot, and that those who come together share one (promises P1, P6).

import NIOCore
import TestSupport
import Testing
import Wire

@testable import Sessions

@Suite struct SessionSnapshotTests {
  private func snapshots(_ test: TestSession, _ stream: UInt64) -> [SnapshotPart] {
    test.frames(stream).compactMap { if case .snapshot(let part) = $0 { part } else { nil } }
  }

  private func made(_ test: TestSession) -> NIODeadline? { test.core.snapshot.made }

  @Test func thoseWhoComeAtTheSameOffsetShareOne() {
    let test = TestSession()
    test.attach(1, isNew: true)
    test.prints("hello")
    for number in 2...5 as ClosedRange<UInt64> { test.attach(number, mode: .watcher) }
    #expect(made(test) == nil, "nothing is made before it is sent")
    let first = snapshots(test, 2)
    let firstMade = made(test)
    #expect(firstMade != nil)
    test.wait(.milliseconds(1))
    test.attach(6, mode: .watcher)
    for number in 3...6 as ClosedRange<UInt64> {
      let other = snapshots(test, number)
      #expect(other.map(\.bytes) == first.map(\.bytes))
      #expect(other.last?.offset == 5)
    }
    #expect(made(test) == firstMade, "it was made once")
    test.prints("!")
    test.attach(7, mode: .watcher)
    #expect(snapshots(test, 7).last?.offset == 6, "another place, another snapshot")
    test.core.forgetOldSnapshot(now: test.now + .seconds(3))
    #expect(made(test) == nil, "nobody needs it any more")
  }

  @Test func whoMayNotBeSentOneYetCostsNone() {
    let test = TestSession()
    let window = UInt64(WireLimits.initialWindow)
    test.attach(1, mode: .watcher, sent: window, consumed: 0)
    test.prints("hello")
    #expect(snapshots(test, 1).isEmpty)
    #expect(made(test) == nil)
    test.acknowledge(window)
    #expect(snapshots(test, 1).last?.offset == 5, "as it is when it is sent")
  }

  @Test func aSnapshotIsOfWhatTheScreenHasReadAndTheOutputGoesOnThere() throws {
    let flood = 2_000_000
    let test = TestSession()
    test.prints(flood)
    test.attach(1, mode: .watcher)
    #expect(test.core.log.end < UInt64(flood))
    #expect(!test.isReading, "what comes next is held back")
    var next: UInt64?
    for frame in test.frames() {
      switch frame {
      case .snapshot(let part): next = part.offset
      case .output(let offset, let bytes):
        #expect(offset == next)
        next = offset + UInt64(bytes.readableBytes)
      default: break
      }
    }
    let end = try #require(next)
    #expect(end > 0 && end <= test.core.log.end)
    #expect(test.core.log.end == UInt64(flood))
  }
}
