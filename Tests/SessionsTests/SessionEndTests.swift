// When a session ends, when that is told, and for how long its end is kept (promises P6, P10).

import NIOCore
import Sessions
import TestSupport
import Testing
import Wire

@Suite struct SessionEndTests {
  private func session(_ creation: Creation, isJob: Bool? = false) -> TestSession {
    let test = TestSession(
      creation, settings: SessionSettings(idleTimeout: .minutes(30), keepEnded: .minutes(10)))
    test.hasForegroundJob = isJob
    return test
  }

  private func cause(_ test: TestSession, after time: TimeAmount) -> EndCause? {
    test.core.causeToEnd(
      now: test.core.created + time, hasForegroundJob: { test.hasForegroundJob })
  }

  private func isOver(_ test: TestSession, at time: NIODeadline) -> Bool {
    test.core.isOver(now: time)
  }

  @Test func withoutAWordInCreateTheNodesOwnTimesHold() throws {
    let test = session(Creation())
    #expect(cause(test, after: .minutes(29)) == nil)
    #expect(cause(test, after: .minutes(31)) == .idle)
    #expect(cause(session(Creation(), isJob: true), after: .hours(100)) == nil, "it works")
    test.ends()
    let end = try #require(test.endedAt)
    #expect(!isOver(test, at: end + .minutes(9)))
    #expect(isOver(test, at: end + .minutes(11)))
  }

  @Test func createSaysItForItsSession() {
    let soon = session(Creation(idle: .seconds(60), keep: .seconds(0)))
    #expect(cause(soon, after: .seconds(61)) == .idle)
    soon.ends()
    #expect(isOver(soon, at: soon.now))
    let never = session(Creation(idle: .never))
    #expect(cause(never, after: .hours(1_000)) == nil)
    let bounded = session(Creation(idle: .never, timeout: .seconds(3_600)), isJob: true)
    bounded.attach(1, isNew: true)
    #expect(cause(bounded, after: .minutes(59)) == nil)
    #expect(cause(bounded, after: .minutes(60)) == .timeout, "however busy it is")
    bounded.terminate(.timeout)
    #expect(bounded.isTerminated)
    #expect(cause(bounded, after: .minutes(61)) == nil, "said once")
    bounded.ends()
    #expect(bounded.ended?.reason == .timeout)
  }

  @Test func lookingIsNoUseAndWhoLeavesGetsTheWholeTime() {
    let test = session(Creation())
    let used = test.core.lastUsed
    test.wait(.minutes(1))
    test.attach(1, mode: .watcher)
    test.attach(2)
    _ = test.core.summary(node: "a", endedTime: nil, now: test.now)
    test.leave(1)
    test.leave(2)
    #expect(test.core.lastUsed == used)
    test.attach(3)
    #expect(cause(test, after: .hours(1)) == nil, "somebody is there")
    test.type("x", at: 0, 3)
    #expect(test.core.lastUsed > used)
    test.leave(3)
    #expect(cause(test, after: .minutes(30)) == nil)
    #expect(cause(test, after: .minutes(32)) == .idle)
  }

  @Test func whoNeverReadsTheEndKeepsNothing() throws {
    let test = session(Creation())
    test.attach(1, isNew: true)
    test.prints(WireLimits.initialWindow * 2)
    test.ends()
    _ = test.frames()
    let over = try #require(test.endedAt) + .minutes(10)
    #expect(test.endedAt == test.now)
    #expect(!test.isClosed(1), "it has not read to the end")
    #expect(!isOver(test, at: over - .seconds(1)))
    #expect(isOver(test, at: over))
    test.dismissStreams()
    #expect(test.frames().last == .close(.notRead))
    #expect(test.isClosed(1))
  }

  @Test func whoStillReadsTheEndGetsSomeMoreTime() throws {
    let test = session(Creation(keep: .seconds(1)))
    test.attach(1, isNew: true)
    test.prints(WireLimits.initialWindow * 2)
    test.ends()
    _ = test.frames()
    test.wait(.seconds(30))
    test.acknowledge(1)
    #expect(!isOver(test, at: test.now + .seconds(9)))
    #expect(isOver(test, at: test.now + .seconds(10)))
    for consumed in 2...100 as ClosedRange<UInt64> {
      test.wait(.seconds(9))
      test.acknowledge(consumed)
    }
    #expect(isOver(test, at: test.now), "but not for ever")
  }

  @Test func theEndIsToldAfterTheLastByteThatWasPrinted() {
    let flood = 2_000_000
    let test = TestSession()
    test.prints(flood)
    test.ends()
    #expect(test.ended == nil && test.ends == 0)
    test.settle()
    #expect(test.core.log.end == UInt64(flood))
    #expect(test.ended?.status == .exited(code: 0))
    #expect(test.ends == 1)
  }

  /// Its screen gets no turn, as on a loop where others print without end.
  @Test func whatIsEndedIsOverThoughItsLastOutputCostsMuch() {
    func end(by cause: EndCause?) -> TestSession {
      let test = TestSession(size: TerminalSize(columns: 1_000, rows: 1_000))
      test.screenWork = 0
      test.prints(String(repeating: "x\u{1B}[99999999b", count: 50))
      if let cause { test.terminate(cause) }
      test.ends()
      #expect(test.ended == nil)
      return test
    }
    let killed = end(by: .killed)
    killed.wait(SessionLimits.finalOutput)
    #expect(killed.ended?.reason == .killed)
    #expect(killed.ended?.status == .exited(code: 0))
    #expect(killed.ended?.message == "600 bytes of its last output were cut")
    #expect(killed.ends == 1)
    let hurried = end(by: nil)
    hurried.terminate(.killed)
    hurried.wait(SessionLimits.finalOutput)
    #expect(hurried.ended?.reason == .exited && !hurried.isTerminated, "it had ended by itself")
    #expect(hurried.ended?.message == "600 bytes of its last output were cut")
    let exited = end(by: nil)
    exited.wait(.minutes(1))
    #expect(exited.ended == nil, "what ends by itself is read to its end")
    exited.settle()
    #expect(exited.ended?.reason == .exited && exited.ended?.message == nil)
  }

  @Test func endedComesOnceAllOutputWasSentAndClosesTheStream() {
    let test = TestSession()
    test.attach(1, isNew: true)
    test.prints("bye")
    test.ends()
    let frames = test.frames()
    #expect(frames.last == .ended(Ended(reason: .exited, status: .exited(code: 0))))
    #expect(frames.dropLast().last?.type == .output)
    #expect(test.isClosed(1) && !test.hasStreams)
    test.attach(2)
    #expect(test.frames(2).last?.type == .ended, "who comes later reads it too")
  }

  @Test func killTakesTheRightAndIsElseRefused() {
    let test = TestSession(subject: "bob")
    test.attach(1, access: Access(subject: "bob", rights: nil, asCreator: .write), isNew: true)
    test.attach(2, access: Access(subject: "eve", rights: .write, asCreator: nil))
    test.kill(2)
    #expect(!test.isTerminated)
    #expect(test.frames(2).contains(.event(.refused("this token may not end session s"))))
    test.kill(1)
    #expect(test.isTerminated && test.core.endCause == .killed)
  }

  @Test func endedSessionsAreKeptWithinABoundTheOldestGoFirst() {
    func id(_ number: Int) -> SessionID { SessionID(unchecked: "s\(number)") }
    var ended = EndedSessions()
    for number in 0...SessionLimits.endedSessions {
      #expect(ended.excess == nil)
      ended.append(id(number), bytes: 1_000)
    }
    #expect(ended.excess == id(0))
    ended.remove(id(0))
    #expect(ended.excess == nil)
    ended.append(id(-1), bytes: SessionLimits.endedBytes)
    #expect(ended.excess == id(1))
    var alone = EndedSessions()
    alone.append(id(0), bytes: SessionLimits.endedBytes * 2)
    #expect(alone.excess == nil, "the only one is just being read")
    let large = TestSession(size: TerminalSize(columns: 1_000, rows: 1_000))
    #expect(large.core.memoryFootprint > 1_000_000)
  }
}
