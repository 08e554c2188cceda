// What a session does with what comes to it: sizes, snapshots, the end of its time (promises P1, P7, P10).

import NIOCore
import NIOEmbedded
import Screen
import Testing
import Wire

@testable import Node

@Suite struct SizeTests {
  private func size(_ columns: Int) -> TerminalSize { TerminalSize(columns: columns, rows: 24) }

  @Test func ofAFloodOfSizesTheFirstAndTheLastCount() throws {
    let test = EmbeddedSession()
    test.attach(1, isNew: true)
    for _ in 0..<10_000 {
      test.send(.resize(size(100)))
      test.send(.resize(size(81)))
    }
    test.send(.resize(size(90)))
    #expect(test.pipe.sizes == [size(100)], "the first, at once")
    test.loop.advanceTime(by: NodeLimits.resizeInterval)
    #expect(test.pipe.sizes == [size(100), size(90)], "and the last")
    test.loop.advanceTime(by: .seconds(1))
    #expect(test.pipe.sizes.count == 2)
    #expect(test.session.screen.columns == 90)
    let told = try test.frames().compactMap { frame -> Int? in
      if case .resized(_, let size) = frame { size.columns } else { nil }
    }
    #expect(told == [100, 90])
  }

  @Test func aSizeThatIsTakenBackMeanwhileIsNoChange() {
    let test = EmbeddedSession()
    test.attach(1, isNew: true)
    test.send(.resize(size(100)))
    test.send(.resize(size(120)))
    test.send(.resize(size(100)))
    test.loop.advanceTime(by: .seconds(1))
    #expect(test.pipe.sizes == [size(100)])
  }

  @Test func twoDriversWhoTakeTheSizeFromEachOtherChangeItNoMoreOften() {
    let test = EmbeddedSession()
    test.attach(1, size: size(80), isNew: true)
    test.attach(2, size: size(120))
    for _ in 0..<1_000 {
      test.send(.take, stream: 2)
      test.send(.take, stream: 1)
    }
    test.send(.take, stream: 2)
    test.loop.advanceTime(by: .seconds(1))
    #expect(test.pipe.sizes.count <= 2)
    #expect(test.session.size == size(120), "the last of them")
  }

  @Test func aSizeThatWaitsForItsTimeEndsWithTheSession() {
    let test = EmbeddedSession()
    test.attach(1, isNew: true)
    test.send(.resize(size(100)))
    test.send(.resize(size(120)))
    test.pipe.ends()
    test.loop.advanceTime(by: .seconds(1))
    #expect(test.pipe.sizes == [size(100)])
  }
}

@Suite struct SnapshotSharingTests {
  private func snapshots(_ test: EmbeddedSession, _ stream: UInt64) throws -> [SnapshotPart] {
    try test.frames(stream).compactMap {
      if case .snapshot(let part) = $0 { part } else { nil }
    }
  }

  @Test func thoseWhoComeAtTheSameOffsetShareOne() throws {
    let test = EmbeddedSession()
    test.attach(1, isNew: true)
    test.pipe.prints("hello")
    for number in 2...5 as ClosedRange<UInt64> { test.attach(number, mode: .watcher) }
    #expect(test.session.snapshot.made == nil, "nothing is made before it is sent")
    let first = try snapshots(test, 2)
    let made = try #require(test.session.snapshot.made)
    test.attach(6, mode: .watcher)
    for number in 3...6 as ClosedRange<UInt64> {
      let other = try snapshots(test, number)
      #expect(other.map(\.bytes) == first.map(\.bytes))
      #expect(other.last?.offset == 5)
    }
    #expect(test.session.snapshot.made == made, "it was made once")
    test.pipe.prints("!")
    test.attach(7, mode: .watcher)
    #expect(try snapshots(test, 7).last?.offset == 6, "another place, another snapshot")
    test.session.snapshot.forget(madeBefore: .now())
    #expect(test.session.snapshot.made == nil, "nobody needs it any more")
  }

  @Test func whoMayNotBeSentOneYetCostsNone() throws {
    let test = EmbeddedSession()
    let window = UInt64(WireLimits.initialWindow)
    test.attach(1, mode: .watcher, sent: window, consumed: 0)
    test.pipe.prints("hello")
    #expect(try snapshots(test, 1).isEmpty)
    #expect(test.session.snapshot.made == nil)
    test.send(.outputAck(offset: 0, consumed: window))
    #expect(try snapshots(test, 1).last?.offset == 5, "as it is when it is sent")
  }
}

@Suite struct EndOfTimeTests {
  private let now = NIODeadline.now()

  private func session(_ creation: Creation, isJob: Bool? = false) -> EmbeddedSession {
    let test = EmbeddedSession(
      creation, settings: NodeSettings(idleTimeout: .minutes(30), keepEnded: .minutes(10)))
    test.pipe.hasForegroundJob = isJob
    return test
  }

  private func cause(_ test: EmbeddedSession, after time: TimeAmount) -> EndCause? {
    test.session.causeToEnd(now: test.session.created + time)
  }

  @Test func withoutAWordInCreateTheNodesOwnTimesHold() {
    let test = session(Creation())
    #expect(cause(test, after: .minutes(29)) == nil)
    #expect(cause(test, after: .minutes(31)) == .idle)
    #expect(cause(session(Creation(), isJob: true), after: .hours(100)) == nil, "it works")
    test.pipe.ends()
    let end = test.session.endedAt ?? now
    #expect(!test.session.isOver(now: end + .minutes(9)))
    #expect(test.session.isOver(now: end + .minutes(11)))
  }

  @Test func createSaysItForItsSession() {
    let soon = session(Creation(idle: .seconds(60), keep: .seconds(0)))
    #expect(cause(soon, after: .seconds(61)) == .idle)
    soon.pipe.ends()
    #expect(soon.session.isOver(now: .now()))
    let never = session(Creation(idle: .never))
    #expect(cause(never, after: .hours(1_000)) == nil)
    let bounded = session(Creation(idle: .never, timeout: .seconds(3_600)), isJob: true)
    bounded.attach(1, isNew: true)
    #expect(cause(bounded, after: .minutes(59)) == nil)
    #expect(cause(bounded, after: .minutes(60)) == .timeout, "however busy it is")
    bounded.session.terminate(.timeout)
    #expect(cause(bounded, after: .minutes(61)) == nil, "said once")
    bounded.pipe.ends()
    #expect(bounded.session.ended?.reason == .timeout)
  }

  @Test func lookingIsNoUseAndWhoLeavesGetsTheWholeTime() throws {
    let test = session(Creation())
    let used = test.session.lastUsed
    test.attach(1, mode: .watcher)
    test.attach(2)
    _ = test.session.summary(node: "a")
    test.send(.close(.done), stream: 1)
    test.send(.close(.done), stream: 2)
    #expect(test.session.lastUsed == used)
    test.attach(3)
    #expect(cause(test, after: .hours(1)) == nil, "somebody is there")
    test.send(.input(offset: 0, ByteBuffer(string: "x")), stream: 3)
    #expect(test.session.lastUsed > used)
    test.send(.close(.done), stream: 3)
    #expect(test.session.causeToEnd(now: .now() + .minutes(29)) == nil)
    #expect(test.session.causeToEnd(now: .now() + .minutes(31)) == .idle)
  }

  /// Its screen gets no turn, as on a loop where others print without end.
  @Test func whatIsEndedIsOverThoughItsLastOutputCostsMuch() throws {
    let (loop, busy) = (EmbeddedEventLoop(), EmbeddedEventLoop())
    let nobody = Nobody(busy)
    func end(by cause: EndCause?) -> (Session, FakePipe) {
      let pipe = FakePipe(loop)
      let session = Session(
        pipe, owner: nobody, size: TerminalSize(columns: 1_000, rows: 1_000))
      pipe.prints(String(repeating: "x\u{1B}[99999999b", count: 50))
      #expect(session.hasWork)
      if let cause { session.terminate(cause) }
      pipe.ends()
      #expect(session.ended == nil)
      return (session, pipe)
    }
    let (killed, pipe) = end(by: .killed)
    let unread = killed.unread.readableBytes
    let (exited, other) = end(by: nil)
    loop.advanceTime(by: NodeLimits.lastOutput)
    #expect(killed.ended?.reason == .killed && killed.ended?.status == .exited(code: 0))
    #expect(killed.ended?.message == "\(unread) bytes of its last output were cut")
    #expect(nobody.ended.count == 1)
    loop.advanceTime(by: .minutes(1))
    #expect(exited.ended == nil, "what ends by itself is read to its end")
    for _ in 0..<100_000 where exited.ended == nil {
      busy.advanceTime(by: NodeLimits.screenPause)
    }
    #expect(exited.ended?.reason == .exited && exited.ended?.message == nil)
    withExtendedLifetime((pipe, other)) {}
  }

  @Test func whoNeverReadsTheEndKeepsNothing() throws {
    let test = session(Creation())
    test.attach(1, isNew: true)
    test.pipe.prints(WireLimits.initialWindow * 2)
    test.settle()
    test.pipe.ends()
    _ = try test.frames()
    let over = try #require(test.session.endedAt) + .minutes(10)
    #expect(!test.session.streams.isEmpty, "it has not read to the end")
    let progress = test.session.streams[0].state.lastProgress
    #expect(!test.session.isOver(now: over - .seconds(1)))
    #expect(test.session.isOver(now: max(over, progress + NodeLimits.lastReading)))
    test.session.dismissStreams()
    #expect(try test.frames().last == .close(.notRead))
    #expect(test.session.streams.isEmpty)
  }

  @Test func endedSessionsAreKeptWithinABoundTheOldestGoFirst() {
    var ended = EndedSessions()
    let tests = (0...NodeLimits.endedSessions).map { _ in session(Creation()) }
    for test in tests {
      #expect(ended.excess() == nil)
      ended.append(test.session)
    }
    #expect(ended.excess() === tests[0].session)
    ended.remove(tests[0].session)
    #expect(ended.excess() == nil)
    let large = (0..<3).map { _ in
      EmbeddedSession(size: TerminalSize(columns: 1_000, rows: 1_000))
    }
    let each = large[0].session.heldBytes
    #expect(each > 1_000_000)
    for _ in 0...(NodeLimits.endedBytes / each) { ended.append(large[0].session) }
    #expect(ended.excess() === tests[1].session)
    var alone = EndedSessions()
    alone.append(large[0].session)
    #expect(alone.excess() == nil, "the only one is just being read")
  }
}

@Suite struct ViewersTests {
  private let alice = Access(subject: "alice", rights: .write, own: nil)
  private let admin = Access(subject: "root", rights: .admin, own: nil)

  private func named(_ test: EmbeddedSession, _ stream: UInt64) throws -> [String?]? {
    try test.frames(stream).compactMap { frame -> [String?]? in
      if case .event(.viewers(let viewers, _)) = frame { viewers.map(\.sub) } else { nil }
    }.last
  }

  @Test func onlyWhoMayKnowIsToldWhoTheOthersAre() throws {
    let test = EmbeddedSession(subject: "bob")
    test.attach(1, access: Access(subject: "bob", rights: nil, own: .write), isNew: true)
    test.attach(2, access: alice)
    test.attach(3, access: admin)
    var teacher = alice
    teacher.names = true
    test.attach(4, access: teacher)
    test.attach(5, access: Access(subject: "bob", rights: nil, own: .write, ownNames: true))
    test.attach(6, access: Access(subject: "eve", rights: .read, own: nil, ownNames: true))
    let all = ["bob", "alice", "root", "alice", "bob", "eve"]
    for stream in [3, 4, 5] as [UInt64] { #expect(try named(test, stream) == all, "\(stream)") }
    for stream in [1, 2, 6] as [UInt64] {
      #expect(try named(test, stream) == [String?](repeating: nil, count: 6), "\(stream)")
    }
  }

  @Test func anEventOfManyViewersWithLongNamesIsOneFrame() throws {
    let test = EmbeddedSession()
    let long = String(repeating: "\"", count: WireLimits.subject)
    for number in 1...100 as ClosedRange<UInt64> {
      test.attach(number, access: Access(subject: long, rights: .admin, own: nil))
    }
    let names = try #require(try named(test, 100))
    #expect(names.count == NodeLimits.viewersNamed)
    #expect(names.first == long && names.last == .some(nil))
  }
}

@Suite struct TurnsTests {
  private let flood = 2_000_000

  @Test func outputThatTakesLongGoesOnInLaterTurnsAndOthersAreServedBetween() throws {
    let test = EmbeddedSession()
    let other = FakePipe(test.loop)
    let echo = Session(other, owner: test.nobody)
    test.pipe.prints(flood)
    test.pipe.prints("\u{1B}[6n")
    #expect(test.session.log.end < UInt64(flood))
    #expect(!test.pipe.isReading, "what comes next is held back")
    #expect(test.pipe.written.readableBytes == 0, "an answer has its place in the output")
    other.prints("x")
    while echo.log.end < 1 {
      test.loop.run()
      test.loop.advanceTime(by: NodeLimits.screenPause)
    }
    #expect(test.session.hasWork, "it was not waited for")
    test.settle()
    #expect(test.session.log.end == UInt64(flood + 4))
    #expect(test.pipe.written.readableBytes > 0)
    #expect(test.pipe.isReading)
  }

  /// 640 bytes that write two and a half million cells.
  @Test func aFewBytesThatAskForMuchTakeTurnsToo() {
    let test = EmbeddedSession(size: TerminalSize(columns: 1_000, rows: 1_000))
    let other = FakePipe(test.loop)
    let echo = Session(other, owner: test.nobody)
    test.pipe.prints(String(repeating: "中\u{301}\u{1B}[99999999b", count: 40))
    #expect(test.session.hasWork)
    other.prints("x")
    while echo.log.end < 1 {
      test.loop.run()
      test.loop.advanceTime(by: NodeLimits.screenPause)
    }
    #expect(test.session.hasWork, "it was not waited for")
    test.pipe.ends()
    test.settle()
    #expect(test.session.log.end == 640)
    #expect(test.session.ended != nil)
  }

  @Test func theEndIsToldAfterTheLastByteThatWasPrinted() {
    let test = EmbeddedSession()
    test.pipe.prints(flood)
    test.pipe.ends()
    #expect(test.session.ended == nil && test.nobody.ended.isEmpty)
    test.settle()
    #expect(test.session.log.end == UInt64(flood))
    #expect(test.session.ended?.status == .exited(code: 0))
    #expect(test.nobody.ended.count == 1)
  }

  @Test func aSnapshotIsOfWhatTheScreenHasReadAndTheOutputGoesOnThere() throws {
    let test = EmbeddedSession()
    test.pipe.prints(flood)
    test.attach(1, mode: .watcher)
    #expect(test.session.log.end < UInt64(flood))
    var next: UInt64?
    for frame in try test.frames() {
      switch frame {
      case .snapshot(let part): next = part.offset
      case .output(let offset, let bytes):
        #expect(offset == next)
        next = offset + UInt64(bytes.readableBytes)
      default: break
      }
    }
    let end = try #require(next)
    #expect(end > 0 && end <= test.session.log.end)
    #expect(test.session.log.end == UInt64(flood))
  }
}
