// A node's side of a connection to a holder that breaks, is slow, or is forged (promises P4, P6, P7).

import Holder
import NIOCore
import NIOEmbedded
import Testing
import Wire

@testable import Pipes

@Suite("A connection to a holder") struct HolderConnectionTests {
  private let holder = SpokenHolder()

  private var descriptor: [UInt8] { holder.place.seal.close(Array("a session".utf8)) }

  private func entry(_ handle: UInt64, epoch: UInt64 = 1, _ descriptor: [UInt8]) -> HolderFrame {
    .entry(
      HeldEntry(
        handle: handle, epoch: epoch, isAttached: false, unheard: 0, hasEnded: false,
        descriptor: descriptor))
  }

  /// A start under way; what becomes of it.
  private func start() -> FutureOutcome<NIOLoopBound<any Pipe>> {
    let request = StartRequest(
      tag: 0, epoch: 1, columns: 80, rows: 24, logLimit: 1, orphanAfter: 1, descriptor: descriptor,
      mark: [], paths: [[1]], names: [], arguments: [[1]], environment: [], directory: [],
      isDirectoryPreferred: true, user: nil, filesSoft: 0, filesHard: 0)
    let outcome = FutureOutcome(holder.connection.start(request, size: .standard))
    #expect(holder.heard().contains { if case .start = $0 { true } else { false } })
    return outcome
  }

  /// A session that was started, handle 7 under epoch 1, and what its node hears of it.
  private func startedPipe() throws -> (any Pipe, PipeListener) {
    holder.open()
    let outcome = start()
    holder.say(.started(tag: 1, handle: 7, process: 9))
    let pipe = try #require(outcome.value).value
    let listener = PipeListener()
    pipe.delegate = listener
    return (pipe, listener)
  }

  // MARK: Whose word counts

  @Test("goes on though an earlier one that came too late ends")
  func anEarlierOneEnds() throws {
    let late = FutureOutcome(holder.connection.open())
    holder.loop.advanceTime(by: holder.place.patience)
    #expect(late.error != nil)
    let opened = FutureOutcome(holder.connection.open())
    holder.greet(1)
    #expect(opened.value != nil)
    // It comes up only now, says all that it should, and ends.
    holder.greet(0)
    holder.channels[0].close(promise: nil)
    holder.loop.run()
    let listed = FutureOutcome(holder.connection.list())
    #expect(holder.heard().contains(.list))
    holder.say(.listed(count: 0))
    #expect(listed.value?.isEmpty == true)
  }

  @Test("tells whoever looks at its terminals that nothing is heard of it, until something is")
  func silence() throws {
    let (_, listener) = try startedPipe()
    for token in 1...4 as ClosedRange<UInt64> {
      holder.loop.advanceTime(by: .milliseconds(Int64(HolderLimits.ping)))
      holder.say(.ping(token))
    }
    #expect(listener.stalls.isEmpty, "it asks in time")
    holder.loop.advanceTime(by: PipeLimits.stall + PipeLimits.hearingLook * 2)
    #expect(listener.stalls == ["it does not answer"])
    holder.loop.advanceTime(by: .seconds(60))
    #expect(listener.stalls.count == 1, "it is said once")
    holder.say(.ping(9))
    #expect(listener.stalls == ["it does not answer", nil])
    // A connection that breaks and is not made again is silent, too.
    holder.breakOff()
    holder.loop.advanceTime(by: PipeLimits.stall + PipeLimits.hearingLook * 2)
    #expect(listener.stalls.count == 3)
  }

  @Test("has a session's last checkpoint before it is let go of")
  func lastCheckpoint() throws {
    let (pipe, _) = try startedPipe()
    let held = try #require(pipe.holder)
    let bytes = ByteBuffer(repeating: 1, count: 3 * PipeLimits.checkpointPart)
    held.keep(checkpoint: bytes, size: .standard, at: 0)
    #expect(FutureOutcome(held.checkpointIsSent).value != nil)
    held.detach()
    let said = holder.heard()
    let parts = said.indices.filter { if case .checkpoint = said[$0] { true } else { false } }
    let detach = try #require(said.firstIndex(of: .detach(handle: 7, epoch: 1)))
    #expect(parts.count == 4 && parts.allSatisfy { $0 < detach })
    // Nobody waits for one that cannot be sent.
    holder.breakOff()
    held.keep(checkpoint: bytes, size: .standard, at: 0)
    #expect(FutureOutcome(held.checkpointIsSent).value != nil)
  }

  // MARK: Starts

  @Test("finds a start again whose answer was lost, and starts nothing twice")
  func aLostAnswer() throws {
    holder.open()
    let outcome = start()
    holder.breakOff()
    #expect(outcome.error == nil)
    holder.open()
    #expect(holder.heard().contains(.list))
    holder.say(entry(6, holder.place.seal.close(Array("another".utf8))))
    holder.say(entry(7, epoch: 3, descriptor))
    holder.say(.listed(count: 2))
    let pipe = try #require(outcome.value?.value as? HeldPipe)
    #expect(pipe.handle == 7)
    let said = holder.heard()
    #expect(said.contains(.attach(handle: 7, epoch: 4, next: 0)))
    #expect(!said.contains { if case .start = $0 { true } else { false } })
  }

  @Test(
    "waits for a start that is not listed yet, and tells it as failed when it cannot come any more")
  func aStartThatIsNowhere() throws {
    holder.open()
    let (first, second) = (start(), start())
    holder.breakOff()
    holder.open()
    holder.say(.listed(count: 0))
    holder.loop.advanceTime(by: PipeLimits.lostStartInterval)
    #expect(first.error == nil)
    #expect(holder.heard().contains(.list), "it is looked for again")
    holder.loop.advanceTime(by: PipeLimits.lostStart)
    holder.say(.listed(count: 0))
    #expect((first.error as? PipeError)?.code == .notNow)
    #expect((second.error as? PipeError)?.code == .notNow)
    // Nobody asks any more.
    holder.loop.advanceTime(by: .seconds(60))
    #expect(!holder.heard().contains(.list))
  }

  @Test("ends what was started for nobody", arguments: [false, true])
  func aStartThatNobodyWaitsFor(_ isCutOff: Bool) throws {
    holder.open()
    let outcome = start()
    holder.loop.advanceTime(by: PipeLimits.holderAnswer)
    #expect((outcome.error as? PipeError)?.code == .notNow)
    if isCutOff {
      holder.breakOff()
      holder.open()
      holder.say(entry(7, descriptor))
      holder.say(.listed(count: 1))
    } else {
      holder.say(.started(tag: 1, handle: 7, process: 9))
    }
    let epoch: UInt64 = isCutOff ? 2 : 1
    let grace = UInt32(PipeLimits.endingGrace.nanoseconds / 1_000_000)
    #expect(holder.heard().contains(.end(handle: 7, epoch: epoch, grace: grace)))
    if isCutOff { holder.say(.attached(.started(7, epoch: 2))) }
    holder.say(.exited(handle: 7, exit: .signalled(1), end: 0))
    #expect(holder.heard().contains(.forget(handle: 7, epoch: epoch)))
  }

  @Test("tells of an end that came before anybody could be told")
  func anEarlyEnd() throws {
    holder.open()
    let outcome = start()
    holder.say(.started(tag: 1, handle: 7, process: 9))
    holder.say(.output(handle: 7, offset: 0, bytes: [7, 7, 7]))
    holder.say(.exited(handle: 7, exit: .exited(3), end: 3))
    let pipe = try #require(outcome.value).value
    let listener = PipeListener()
    pipe.delegate = listener
    holder.loop.run()
    #expect(listener.read == 3)
    #expect(listener.status == .exited(code: 3))
  }

  @Test("lets go of a pipe that has ended before the holder had to be given up")
  func anEndInTime() throws {
    weak var ended: HeldPipe?
    try {
      let (pipe, listener) = try startedPipe()
      ended = pipe as? HeldPipe
      pipe.terminate(grace: .hours(1))
      holder.say(.exited(handle: 7, exit: .exited(0), end: 0))
      #expect(listener.status == .exited(code: 0))
      pipe.holder?.forget()
      holder.loop.run()
    }()
    #expect(ended == nil, "a timer still has it")
  }

  // MARK: What a forged holder may take

  @Test("keeps nothing of a listing that no node has signed")
  func strangersInAListing() throws {
    holder.open()
    let listed = FutureOutcome(holder.connection.list())
    let strange = [UInt8](repeating: 7, count: 200)
    for handle in 1...1_000 { holder.say(entry(UInt64(handle), strange)) }
    holder.say(entry(2_000, epoch: .max, descriptor))
    holder.say(entry(2_001, descriptor))
    holder.say(.listed(count: 1_002))
    #expect(listed.value?.map(\.handle) == [2_001])
    #expect(listed.value?.first?.descriptor == Array("a session".utf8))
    #expect(holder.place.log.lines == 1)
  }

  @Test("takes no more sessions than a holder has, and no more bytes of them than a bound")
  func longListings() throws {
    let promise = holder.loop.makePromise(of: [HeldEntry].self)
    promise.succeed([])
    let seal = holder.place.seal
    let sealed = seal.close([UInt8](repeating: 7, count: 100))
    func take(_ listing: inout HolderListing, _ descriptor: [UInt8]) -> String? {
      listing.take(
        HeldEntry(
          handle: 1, epoch: 1, isAttached: false, unheard: 0, hasEnded: false,
          descriptor: descriptor))
    }
    var listing = HolderListing(promise, seal: seal, most: 250)
    #expect(take(&listing, sealed) == nil)
    #expect(take(&listing, sealed) == nil)
    #expect(take(&listing, sealed) != nil)
    listing = HolderListing(promise, seal: seal)
    for _ in 0..<HolderLimits.sessions { #expect(take(&listing, []) == nil) }
    #expect(take(&listing, []) != nil)
    #expect(listing.entries.isEmpty)
  }

  @Test("is closed by output that nobody gave leave for")
  func outputBeyondTheCredit() throws {
    let (pipe, listener) = try startedPipe()
    pipe.isReading = true
    pipe.isReading = false
    let most = PipeReading.most + PipeLimits.heldOverrun
    #expect(
      holder.heard().contains(.credit(handle: 7, epoch: 1, upTo: UInt64(PipeReading.most))))
    holder.say(.output(handle: 7, offset: 0, bytes: [UInt8](repeating: 7, count: most)))
    #expect(listener.read == most)
    #expect(holder.channel.isActive)
    holder.say(.output(handle: 7, offset: UInt64(most), bytes: [7]))
    #expect(listener.read == most)
    #expect(!holder.channel.isActive)
  }

  @Test("that answers no start is asked for so many bytes of them, and no more")
  func startsWithoutAnswers() throws {
    holder.open()
    let words = [UInt8](repeating: 7, count: 900_000)
    let request = StartRequest(
      tag: 0, epoch: 1, columns: 80, rows: 24, logLimit: 1, orphanAfter: 1, descriptor: descriptor,
      mark: [], paths: [[1]], names: [], arguments: [[1]], environment: [words], directory: [],
      isDirectoryPreferred: true, user: nil, filesSoft: 0, filesHard: 0)
    for _ in 0..<PipeLimits.askedStarts / 901_000 {
      #expect(FutureOutcome(holder.connection.start(request, size: .standard)).error == nil)
    }
    let refused = FutureOutcome(holder.connection.start(request, size: .standard))
    #expect((refused.error as? PipeError)?.code == .notNow)
    // One that it answers makes room for the next.
    holder.say(.notStarted(tag: 1, step: UInt8(ascii: "x"), error: 2))
    #expect(FutureOutcome(holder.connection.start(request, size: .standard)).error == nil)
  }

  @Test("is not told more often that the node is there than a holder asks")
  func pings() {
    holder.open()
    _ = holder.heard()
    for token in 0..<1_000 { holder.say(.ping(UInt64(token))) }
    #expect(holder.heard() == [.ping(0)])
    holder.loop.advanceTime(by: PipeLimits.pingInterval)
    holder.say(.ping(7))
    #expect(holder.heard() == [.ping(7)])
  }

  @Test("that does not answer keeps no session from ending, and is told to end it once it goes on")
  func anEndThatIsNotAnswered() throws {
    let (pipe, listener) = try startedPipe()
    pipe.terminate(grace: .seconds(5))
    _ = holder.heard()
    holder.loop.advanceTime(by: .seconds(5))
    #expect(listener.reason == nil)
    holder.loop.advanceTime(by: PipeLimits.lastWait)
    #expect(listener.reason?.contains("may still run") == true)
    #expect(listener.status == nil)
    holder.breakOff()
    holder.open()
    #expect(holder.heard().contains(.attach(handle: 7, epoch: 2, next: 0)))
    holder.say(.attached(.started(7, epoch: 2)))
    #expect(holder.heard().contains(.end(handle: 7, epoch: 2, grace: 5_000)))
  }

  @Test("fills no log, whatever it says how often")
  func aTalkativeHolder() throws {
    holder.open()
    for handle in 0..<1_000 { holder.say(.survivors(handle: UInt64(handle))) }
    #expect(holder.place.log.lines == PipeLimits.complaints)
    holder.loop.advanceTime(by: PipeLimits.complaintTime)
    holder.say(.survivors(handle: 1))
    #expect(holder.place.log.lines == PipeLimits.complaints + 1)
  }
}
