// What becomes of what clients type: once, in order, acknowledged when written, and out of the way of an interrupt
// (promises P2, P7).

import NIOCore
import Sessions
import TestSupport
import Testing
import Wire

@Suite struct InputTests {
  private let interrupt: UInt8 = 3

  private func session(takesInput: Bool = true) -> TestSession {
    let test = TestSession()
    test.takesInput = takesInput
    test.attach(1, isNew: true)
    return test
  }

  private func acknowledged(_ test: TestSession, _ number: UInt64 = 1) -> UInt64? {
    test.frames(number).compactMap { if case .inputAck(let offset) = $0 { offset } else { nil } }
      .last
  }

  @Test func whatIsSentAgainIsWrittenOnceAndOnlyWhatIsWrittenIsAcknowledged() {
    let test = session(takesInput: false)
    test.type("hello", at: 0)
    test.type("hello", at: 0)
    test.type("lo, you", at: 3)
    #expect(acknowledged(test) == nil)
    test.reads(2)
    #expect(acknowledged(test) == 2)
    test.reads(100)
    test.reads(100)
    #expect(test.written == ByteBuffer(string: "hello, you"))
    #expect(acknowledged(test) == 10)
  }

  @Test func aGapAndTooMuchCloseTheStream() {
    let gap = session()
    gap.type("x", at: 1)
    #expect(gap.frames().last == .close(.inputGap))
    let stuck = session(takesInput: false)
    stuck.type(ByteBuffer(repeating: 0x78, count: WireLimits.inputInFlight), at: 0)
    #expect(!stuck.isClosed(1))
    stuck.type("x", at: UInt64(WireLimits.inputInFlight))
    #expect(stuck.frames().last == .close(.inputOverflow))
  }

  /// The acknowledgement may still wait for an echo. Without it the client would take what was written for lost.
  @Test func whoseStreamIsClosedIsToldFirstWhatOfItsInputWasWritten() {
    let test = session()
    test.type("x", at: 0)
    test.type("y", at: 9)
    #expect(Array(test.takeFrames().suffix(2)) == [.inputAck(offset: 1), .close(.inputGap)])
  }

  @Test func thePipeIsGivenOnePieceAtATimeAndNotMoreThanAFrame() {
    let test = session(takesInput: false)
    let paste = Pattern.bytes(at: 0, count: WireLimits.inputInFlight)
    test.type(paste, at: 0)
    #expect(test.underWay.readableBytes == WireLimits.dataPayload)
    while test.underWay.readableBytes > 0 { test.reads(5_000) }
    #expect(test.written == paste)
  }

  @Test func aQueryIsAnsweredOnceWhoeverIsAttachedAndBehindWhatWasTyped() {
    let test = session(takesInput: false)
    test.attach(2)
    test.type("abc", at: 0)
    test.prints("\u{1B}[6n")
    test.reads(3)
    test.reads(100)
    #expect(test.written == ByteBuffer(string: "abc\u{1B}[1;1R"))
  }

  // MARK: Interrupts

  @Test func anInterruptDiscardsWhatTheProcessDoesNotReadAndThatCountsAsWritten() {
    let test = session(takesInput: false)
    test.interruptingKeys = [interrupt]
    test.type(ByteBuffer(repeating: 0x78, count: 50_000), at: 0)
    let first = test.underWay.readableBytes
    test.type("\u{3}", at: 50_000)
    #expect(test.discards == 1)
    #expect(test.underWay.readableBytes == first, "what the pipe has it keeps")
    test.reads(first)
    #expect(test.discards == 2, "room is made before the key is written")
    #expect(test.underWay == ByteBuffer(string: "\u{3}"))
    #expect(acknowledged(test) == 50_000)
    test.reads(1)
    #expect(acknowledged(test) == 50_001)
    #expect(test.written.readableBytes == first + 1)
  }

  @Test func roomIsMadeForAnInterruptSomeTimesAndNotForEver() {
    let test = session(takesInput: false)
    test.interruptingKeys = [interrupt]
    test.type("stuck", at: 0)
    test.type("\u{3}", at: 5)
    test.wait(.seconds(10))
    #expect(test.discards == 1 + SessionLimits.interruptTries)
    #expect(test.timers[.interrupt] == nil)
  }

  @Test func aKeyThatInterruptsNothingWaitsInItsPlace() {
    let test = session(takesInput: false)
    test.type("stuck", at: 0)
    test.type("more\u{3}", at: 5)
    test.reads(5)
    test.reads(100)
    #expect(test.written == ByteBuffer(string: "stuckmore\u{3}"))
    #expect(test.discards == 0)
  }

  @Test func anInterruptInTheMiddleOfAPasteIsPartOfIt() {
    let test = session(takesInput: false)
    test.interruptingKeys = [interrupt]
    test.type("stuck", at: 0)
    let paste = String(repeating: "x", count: SessionLimits.interruptBytes) + "\u{3}"
    test.type(paste, at: 5)
    #expect(test.discards == 0)
    test.reads(5)
    test.reads(100)
    #expect(test.written == ByteBuffer(string: "stuck" + paste))
  }
}

@Suite struct ReadingTests {
  private let window = WireLimits.initialWindow

  @Test func theLastDriverWithCreditHoldsThePipeAndAWatcherDoesNot() {
    let test = TestSession()
    #expect(test.isReading, "nobody is attached")
    test.attach(1, isNew: true)
    test.attach(2, mode: .watcher)
    test.prints(window)
    _ = test.frames(1)
    #expect(!test.isReading, "the driver has its window full")
    test.acknowledge(UInt64(window))
    #expect(test.isReading)
  }

  @Test func oneDriverWithCreditIsEnough() {
    let test = TestSession()
    test.attach(1, isNew: true)
    test.attach(2, resume: Resume(life: test.core.life, next: 0))
    test.prints(window)
    _ = test.frames(1)
    #expect(!test.isReading)
    test.acknowledge(UInt64(window / 2), 2)
    #expect(test.isReading)
  }

  @Test func aDriverThatAcknowledgesNothingHoldsThePipeForAMoment() {
    let test = TestSession()
    test.attach(1, isNew: true)
    test.prints(window)
    _ = test.frames(1)
    #expect(!test.isReading)
    test.wait(SessionLimits.stall - .milliseconds(1))
    #expect(!test.isReading)
    test.wait(SessionLimits.readingCheck)
    #expect(test.isReading)
  }

  @Test func anAcknowledgementOfWhatWasNeverSentClosesTheStream() {
    let test = TestSession()
    test.attach(1, isNew: true)
    test.acknowledge(1)
    #expect(test.frames().last == .close(.badAck))
    #expect(test.isReading)
  }

  @Test func aStreamIsNeverSentMoreThanItsWindow() {
    let test = TestSession()
    test.attach(1, mode: .watcher, isNew: true)
    test.prints(window * 3)
    let sent = test.frames().reduce(0) { $0 + $1.creditedBytes }
    #expect(sent == window)
  }
}
