// Whose size the terminal has, and how often it may change (promise P7).

import NIOCore
import Screen
import Sessions
import TestSupport
import Testing
import Wire

@Suite struct SizeTests {
  private func size(_ columns: Int) -> TerminalSize { TerminalSize(columns: columns, rows: 24) }

  private func session() -> TestSession {
    let test = TestSession()
    test.attach(1, isNew: true)
    return test
  }

  @Test func ofAFloodOfSizesTheFirstAndTheLastCount() {
    let test = session()
    for _ in 0..<10_000 {
      test.resize(size(100))
      test.resize(size(81))
    }
    test.resize(size(90))
    #expect(test.sizes == [size(100)], "the first, at once")
    test.wait(SessionLimits.resizeInterval)
    #expect(test.sizes == [size(100), size(90)], "and the last")
    test.wait(.seconds(1))
    #expect(test.sizes.count == 2)
    #expect(test.core.screen.columns == 90)
    let told = test.frames().compactMap { frame -> Int? in
      if case .resized(_, let size) = frame { size.columns } else { nil }
    }
    #expect(told == [90], "both stand at one place of the output")
  }

  /// The screen takes a size in slices. Output, snapshots and another size wait for it, and keep their order.
  @Test func aSizeIsTakenInSlicesAndWhatComesMeanwhileFollows() throws {
    let large = TerminalSize(columns: 200, rows: 150)
    let test = TestSession(size: large)
    test.attach(1, size: large, isNew: true)
    test.prints("x\u{1B}[\(large.columns * large.rows)b")
    test.settle()
    _ = test.frames()
    _ = test.takeFrames()
    test.screenWork = 2_000
    test.resize(size(100))
    #expect(test.sizes == [size(100)], "the process is told at once")
    let before = test.core.log.end
    test.prints("after")
    test.attach(2, mode: .watcher)
    test.resize(size(90))
    test.wait(SessionLimits.resizeInterval)
    test.giveTurns()
    #expect(test.core.hasWork && !test.isReading, "the pipe is held back")
    #expect(test.core.log.end == before && test.sizes == [size(100)])
    #expect(!test.takeFrames(2).contains { if case .snapshot = $0 { true } else { false } })
    var slices = 0
    while test.core.hasWork && slices < 10_000 {
      test.work(2_000)
      slices += 1
    }
    #expect(slices > 20)
    #expect(test.isReading)
    #expect(test.sizes == [size(100), size(90)])
    #expect(test.core.screen.columns == 90)
    #expect(test.core.log.end == before + 5)
    #expect(test.core.screen.text(tail: 1).contains("after"))
    var told: [Int] = []
    for frame in test.frames() {
      switch frame {
      case .resized(_, let size): told.append(size.columns)
      case .output(let offset, _): #expect(offset == before)
      default: break
      }
    }
    #expect(told.last == 90)
    let isShown = test.frames(2).contains { if case .snapshot = $0 { true } else { false } }
    #expect(isShown)
  }

  @Test func aSizeThatIsTakenBackMeanwhileIsNoChange() {
    let test = session()
    test.resize(size(100))
    test.resize(size(120))
    test.resize(size(100))
    test.wait(.seconds(1))
    #expect(test.sizes == [size(100)])
  }

  @Test func twoDriversWhoTakeTheSizeFromEachOtherChangeItNoMoreOften() {
    let test = session()
    test.attach(2, size: size(120))
    for _ in 0..<1_000 {
      test.take(2)
      test.take(1)
    }
    test.take(2)
    test.wait(.seconds(1))
    #expect(test.sizes.count <= 2)
    #expect(test.core.size == size(120), "the last of them")
  }

  @Test func aSizeThatWaitsForItsTimeEndsWithTheSession() {
    let test = session()
    test.resize(size(100))
    test.resize(size(120))
    test.ends()
    test.wait(.seconds(1))
    #expect(test.sizes == [size(100)])
    #expect(test.timers.isEmpty)
  }

  @Test func whoTypesTakesTheSizeUnlessTheOperatorChoseOtherwise() {
    for typing in [true, false] {
      var settings = SessionSettings()
      settings.typingTakesSize = typing
      let test = TestSession(settings: settings)
      test.attach(1, isNew: true)
      test.attach(2, size: size(120))
      #expect(test.sizes.isEmpty, "who comes second does not take it")
      test.type("x", at: 0, 2)
      #expect(test.sizes == (typing ? [size(120)] : []))
      test.take(2)
      test.wait(.seconds(1))
      #expect(test.core.size == size(120))
    }
  }

  @Test func aWatcherNeverHasTheSize() {
    let test = TestSession()
    test.attach(1, mode: .watcher, size: size(120), isNew: true)
    test.resize(size(130))
    test.take(1)
    test.type("x", at: 0)
    #expect(test.sizes.isEmpty && test.written.readableBytes == 0)
  }

  @Test func whoComesWhenTheHolderIsAwayGetsTheSizeAndOpenedTellsIt() throws {
    let test = session()
    test.leave(1)
    test.attach(2, size: size(120))
    guard case .opened(let opened) = try #require(test.frames(2).first) else {
      Issue.record("no OPENED")
      return
    }
    #expect(opened.size == size(120))
  }

  @Test func aSizeThatIsNoneClosesTheStream() {
    let test = session()
    test.resize(size(0))
    #expect(test.frames().last == .close(.badSize))
    #expect(!test.hasStreams)
  }
}
