// When a stream's output leaves: an echo at once, a flood in whole frames, and what is left of it soon
// after (promise P7).

import NIOCore
import NIOEmbedded
import Pipes
import Testing
import Wire

@testable import Node

@Suite struct RouterConnectionTests {
  private let test = EmbeddedSession()
  private var pipe: FakePipe { test.pipe }
  private var loop: EmbeddedEventLoop { test.loop }
  private let frame = WireLimits.dataPayload

  init() throws {
    test.attach(1, isFirst: true)
    _ = try sent()
  }

  @Test func anEchoLeavesAtOnceThoughThoseBeforeItAreNotAcknowledged() throws {
    for _ in 0..<100 {
      pipe.prints(100)
      #expect(try sent() == [100])
    }
  }

  @Test func aFloodLeavesInWholeFrames() throws {
    pipe.prints(frame)
    #expect(try sent() == [frame])
    var waiting = 0
    for _ in 0..<12 {
      // As a terminal hands it out.
      pipe.prints(4_096)
      waiting += 4_096
      let isWhole = waiting >= frame
      #expect(try sent() == (isWhole ? [frame] : []))
      if isWhole { waiting -= frame }
    }
  }

  @Test func theRestOfAFloodLeavesSoonAfterIt() throws {
    for _ in 0..<3 {
      pipe.prints(frame + 100)
      #expect(try sent() == [frame])
      loop.advanceTime(by: NodeLimits.waitForMore * 2)
      #expect(try sent() == [100])
      acknowledge()
    }
  }

  @Test func whatWaitsBehindAWholeFrameHasATimeOfItsOwn() throws {
    let half = NodeLimits.waitForMore.nanoseconds / 2
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    loop.advanceTime(by: .nanoseconds(half))
    pipe.prints(frame)
    #expect(try sent() == [frame])
    loop.advanceTime(by: .nanoseconds(half))
    #expect(try sent() == [], "the timer of the one before")
    loop.advanceTime(by: NodeLimits.waitForMore)
    #expect(try sent() == [100])
    loop.advanceTime(by: NodeLimits.waitForMore * 4)
    #expect(try sent() == [])
  }

  @Test func theRestOfAFloodLeavesWhenTheClientHasSeenWhatWasBefore() throws {
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    test.send(.outputAck(offset: 1, consumed: 1))
    #expect(try sent() == [100])
  }

  @Test func theEndWaitsForNothing() throws {
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    pipe.delegate?.pipeDidEnd(.exited(code: 0), reason: nil)
    #expect(try sent() == [100])
    #expect(!test.hasStreams, "ENDED was said")
  }

  @Test func aChangeOfSizeWaitsForNothing() throws {
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    test.send(.resize(TerminalSize(columns: 100, rows: 30)))
    #expect(try sent() == [100])
    #expect(pipe.sizes.map(\.columns) == [100])
  }

  @Test func aStreamThatLeavesWhileItWaitsIsForgotten() throws {
    pipe.prints(frame + 100)
    #expect(try sent() == [frame])
    test.send(.close(.done))
    loop.advanceTime(by: NodeLimits.waitForMore * 2)
    #expect(try sent() == [])
  }

  /// Each frame of its own wakes the router and the client.
  @Test func aKeysAcknowledgementGoesWithItsEcho() throws {
    test.send(.input(offset: 0, ByteBuffer(string: "x")))
    loop.run()
    #expect(try test.takeFrames() == [])
    pipe.prints(1)
    loop.run()
    let frames = try test.takeFrames()
    #expect(frames.map(\.type) == [.inputAck, .output])
    #expect(frames.first == .inputAck(offset: 1))
  }

  @Test func whatHasNoEchoIsAcknowledgedSoon() throws {
    test.send(.input(offset: 0, ByteBuffer(string: "x")))
    test.send(.input(offset: 1, ByteBuffer(string: "y")))
    loop.advanceTime(by: NodeLimits.waitForMore * 2)
    #expect(try test.takeFrames() == [.inputAck(offset: 2)])
  }

  @Test func theAcknowledgementOfAPasteWaitsForNothing() throws {
    test.send(.input(offset: 0, ByteBuffer(repeating: 0x61, count: 1_024)))
    loop.run()
    #expect(try test.takeFrames() == [.inputAck(offset: 1_024)])
  }

  @Test func anOpenOfAStreamThatIsOpenEndsTheConnection() throws {
    test.attach(2)
    test.attach(2)
    #expect(!test.hasStreams, "they all left with it")
  }

  @Test func framesOfStreamsThatAreNotOpenAreNothing() throws {
    test.send(.input(offset: 0, ByteBuffer(string: "x")), stream: 7)
    test.send(.close(.done), stream: 7)
    test.send(.resize(.standard), stream: 7)
    #expect(pipe.written.readableBytes == 0)
    test.send(.input(offset: 0, ByteBuffer(string: "x")))
    #expect(pipe.written.readableBytes == 1)
  }

  /// The sizes of the OUTPUT frames that have left since the last time.
  private func sent() throws -> [Int] {
    loop.run()
    return try test.takeFrames().compactMap { frame in
      if case .output(_, let bytes) = frame { bytes.readableBytes } else { nil }
    }
  }

  private func acknowledge() {
    let consumed = test.received
    test.send(.outputAck(offset: consumed, consumed: consumed))
  }
}
