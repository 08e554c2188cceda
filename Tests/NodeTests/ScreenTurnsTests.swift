// What screens may cost at a time: output, snapshots and sizes that take long go on in later ticks, and others are
// served between (promise P7).

import NIOCore
import NIOEmbedded
import Pipes
import Sessions
import Testing
import Wire

@testable import Node

@Suite struct ScreenTurnsTests {
  private let flood = 2_000_000

  @Test func outputThatTakesLongGoesOnInLaterTurnsAndOthersAreServedBetween() throws {
    let test = EmbeddedSession()
    let other = FakePipe(test.loop)
    let echo = Session(other, loop: test.node)
    test.pipe.prints(flood)
    test.pipe.prints("\u{1B}[6n")
    #expect(test.session.logEnd < UInt64(flood))
    #expect(!test.pipe.isReading, "what comes next is held back")
    #expect(test.pipe.written.readableBytes == 0, "an answer has its place in the output")
    other.prints("x")
    while echo.logEnd < 1 {
      test.loop.run()
      test.loop.advanceTime(by: NodeLimits.screenPause)
    }
    #expect(test.session.hasWork, "it was not waited for")
    test.settle()
    #expect(test.session.logEnd == UInt64(flood + 4))
    #expect(test.pipe.written.readableBytes > 0)
    #expect(test.pipe.isReading)
  }

  /// 640 bytes that write two and a half million cells.
  @Test func aFewBytesThatAskForMuchTakeTurnsToo() {
    let test = EmbeddedSession(size: TerminalSize(columns: 1_000, rows: 1_000))
    let other = FakePipe(test.loop)
    let echo = Session(other, loop: test.node)
    test.pipe.prints(String(repeating: "中\u{301}\u{1B}[99999999b", count: 40))
    #expect(test.session.hasWork)
    other.prints("x")
    while echo.logEnd < 1 {
      test.loop.run()
      test.loop.advanceTime(by: NodeLimits.screenPause)
    }
    #expect(test.session.hasWork, "it was not waited for")
    test.pipe.ends()
    test.settle()
    #expect(test.session.logEnd == 640)
    #expect(test.session.ended != nil)
  }

  @Test func theEndIsToldAfterTheLastByteThatWasPrinted() {
    let test = EmbeddedSession()
    test.pipe.prints(flood)
    test.pipe.ends()
    #expect(test.session.ended == nil && test.node.ended.isEmpty)
    test.settle()
    #expect(test.session.logEnd == UInt64(flood))
    #expect(test.session.ended?.status == .exited(code: 0))
    #expect(test.node.ended.count == 1)
  }

  @Test func aSnapshotThatWaitsForItsTurnComesToAllWhoWaitForIt() throws {
    let test = EmbeddedSession()
    test.pipe.prints(flood)
    test.attach(1, mode: .watcher)
    test.attach(2, mode: .watcher)
    for stream in [1, 2] as [UInt64] {
      var next: UInt64?
      for frame in try test.frames(stream) {
        switch frame {
        case .snapshot(let part): next = part.offset
        case .output(let offset, let bytes):
          #expect(offset == next)
          next = offset + UInt64(bytes.readableBytes)
        default: break
        }
      }
      #expect(try #require(next) > 0)
    }
    #expect(test.session.logEnd == UInt64(flood))
  }

  /// What a stream that is overrun by others is judged by (`SessionLimits`).
  @Test func aPipeReadsNoFurtherAheadThanSessionsCountOn() {
    #expect(PipeReading.most == SessionLimits.readAhead)
  }
}
