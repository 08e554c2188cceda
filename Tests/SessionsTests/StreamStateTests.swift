// A stream's view of the log against a trivial model: whatever is appended, resized, acknowledged, cut
// and resumed, the client shows every byte once, in order, at the size that the terminal had there, or
// a snapshot (promise P1), and never more than a window is under way (promise P6).

import NIOCore
import TestSupport
import Testing
import Wire

@testable import Sessions

@Suite struct StreamStateTests {
  static let schedules = 2_000

  @Test func everyScheduleShowsEveryByteOnceAtItsSize() throws {
    let seed = SeededGenerator.announcedSeed()
    for number in 0..<Self.schedules {
      var schedule = StreamSchedule(seed: seed &+ UInt64(number))
      try schedule.run()
    }
  }

  @Test func aDriverThatTypedIsCaughtUpBySnapshotOnceItIsAWindowBehind() throws {
    let log = OutputLog()
    let start = NIODeadline.now()
    var state = StreamState(cursor: 0, log: log, now: start)
    var out = ByteBuffer()
    showSomething(&state, of: log, now: start)
    append(state.window + 1, to: log)
    #expect(!state.needsSnapshot(from: log, now: start), "nobody typed")
    state.didType(now: start)
    #expect(state.needsSnapshot(from: log, now: start))
    #expect(!state.needsSnapshot(from: log, now: start + .seconds(2)), "nobody waits any more")
    while state.writeNext(into: &out, stream: 1, log: log, now: start) {}
    append(200_000, to: log)
    #expect(!state.needsSnapshot(from: log, now: start), "there is no credit to send it with")
  }

  /// However fast the process, however slow the link, and whatever is typed at it.
  @Test func aDriverAloneIsSentEveryByteAndNoSnapshot() {
    var random = SeededGenerator(seed: SeededGenerator.announcedSeed())
    let test = TestSession()
    test.attach(1, isNew: true)
    test.prints("$ ")
    test.giveTurns()
    var received: UInt64 = 2
    var acknowledged = received
    test.acknowledge(received)
    _ = test.takeFrames()
    for typed in 0..<300 as Range<UInt64> {
      test.wait(.milliseconds(Int64.random(in: 0...150, using: &random)))
      test.type("x", at: typed)
      while test.isReading, Bool.random(using: &random) {
        test.prints(Int.random(in: 1...SessionLimits.readAhead, using: &random))
      }
      test.giveTurns(atMost: Int.random(in: 0...4, using: &random))
      for frame in test.takeFrames() {
        if case .snapshot = frame { Issue.record("a snapshot at \(received)") }
        received += UInt64(frame.creditedBytes)
      }
      if Bool.random(using: &random) {
        acknowledged = UInt64.random(in: acknowledged...received, using: &random)
        test.acknowledge(acknowledged)
      }
    }
  }

  @Test func inputThatIsSentAgainAfterACutLeavesTheResumeExact() {
    let log = OutputLog()
    let now = NIODeadline.now()
    append(500_000, to: log)
    // 300,000 bytes were sent over the link that broke, and are all consumed by now.
    var state = StreamState(cursor: 300_000, log: log, sent: 300_000, consumed: 290_000, now: now)
    state.didType(now: now)
    #expect(!state.needsSnapshot(from: log, now: now), "it has seen nothing since")
    let isTaken = state.acknowledge(consumed: 300_000, now: now)
    #expect(isTaken)
    state.didType(now: now)
    #expect(!state.needsSnapshot(from: log, now: now), "only of what came before")
    showSomething(&state, of: log, now: now)
    #expect(
      !state.needsSnapshot(from: log, now: now), "what came before it saw anything counts not")
    state.didType(now: now)
    #expect(state.needsSnapshot(from: log, now: now), "now it types at what it sees")
  }

  /// One more byte than before is sent and acknowledged.
  private func showSomething(_ state: inout StreamState, of log: OutputLog, now: NIODeadline) {
    if state.isCaughtUp(with: log) { append(1, to: log) }
    var out = ByteBuffer()
    let isSent = state.writeNext(into: &out, stream: 1, log: log, now: now)
    let isTaken = state.acknowledge(consumed: state.sent, now: now)
    #expect(isSent && isTaken)
  }

  @Test func aDriverWhoseLinkDoesNotMoveIsStalledToo() {
    let log = OutputLog()
    let start = NIODeadline.now()
    var state = StreamState(cursor: 0, log: log, now: start)
    let later = start + .minutes(5)
    #expect(!state.isStalled(behind: log, now: later), "it has everything")
    state.logWillGrow(log, now: later)
    append(10, to: log)
    #expect(!state.isStalled(behind: log, now: later + .seconds(1)))
    #expect(state.isStalled(behind: log, now: later + .seconds(2)))
  }

  @Test func theWindowGrowsWhileThatMakesTheStreamFaster() {
    let log = OutputLog()
    var now = NIODeadline.now()
    var state = StreamState(cursor: 0, log: log, now: now)
    func turn(answeredIn delay: TimeAmount) {
      append(state.window, to: log)
      var out = ByteBuffer()
      while state.writeNext(into: &out, stream: 1, log: log, now: now) {}
      now = now + delay
      let isTaken = state.acknowledge(consumed: state.sent, now: now)
      #expect(isTaken)
    }
    var windows: [Int] = []
    for delay in [30, 60, 61, 101, 40, 500, 500, 5, 21] {
      turn(answeredIn: .milliseconds(Int64(delay)))
      windows.append(state.window / 1_024)
    }
    #expect(windows == [128, 256, 256, 128, 256, 128, 64, 128, 64])
    let isTaken = state.acknowledge(consumed: state.sent + 1, now: now)
    #expect(!isTaken, "it was never sent")
  }

  private func append(_ count: Int, to log: OutputLog) {
    [UInt8](repeating: 0x61, count: count).withUnsafeBytes { log.append($0) }
  }
}

/// One random schedule, and the client at its end.
private struct StreamSchedule {
  private let seed: UInt64
  private var random: SeededGenerator
  private let log = OutputLog(limit: 8 * 1024)
  /// The model: how many bytes of the pattern, and the size from each offset on.
  private var produced = 0
  private var sizes: [(offset: Int, size: TerminalSize)] = []
  private var size = TerminalSize.standard
  private var now = NIODeadline.now()
  private var state: StreamState
  private var decoder = FrameDecoder()
  // The client.
  private var next: Int? = 0
  private var shownSize = TerminalSize.standard
  private var received: UInt64 = 0
  private var partial: (id: UInt64, count: Int)?

  /// `#expect` takes apart what it checks, which costs more here than the schedule itself.
  private func check(
    _ condition: Bool, _ what: String = "", at location: SourceLocation = #_sourceLocation
  ) {
    if !condition { Issue.record("seed \(seed): \(what)", sourceLocation: location) }
  }

  init(seed: UInt64) {
    self.seed = seed
    random = SeededGenerator(seed: seed)
    state = StreamState(cursor: 0, log: log, now: now)
  }

  mutating func run() throws {
    for _ in 0..<60 { try step() }
    // At last everything arrives.
    while true {
      let before = state.sent
      repeat {
        if state.needsSnapshot(from: log, now: now) { beginSnapshot() }
      } while try send()
      acknowledge(received)
      if state.sent == before, state.isCaughtUp(with: log) { break }
    }
    check(next == produced)
    check(shownSize == size)
  }

  private mutating func step() throws {
    now = now + .milliseconds(Int64.random(in: 0...150, using: &random))
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<4:
      let most = [3, 400, 9_000].randomElement(using: &random) ?? 1
      produce(Int.random(in: 1...most, using: &random))
    case 4: resize()
    case 5..<8:
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        if state.needsSnapshot(from: log, now: now) { beginSnapshot() }
        guard try send() else { break }
      }
    case 8: acknowledge(UInt64.random(in: state.consumed...received, using: &random))
    default: resume()
    }
  }

  private mutating func produce(_ count: Int) {
    state.logWillGrow(log, now: now)
    Pattern.bytes(at: produced, count: count).withUnsafeReadableBytes { log.append($0) }
    produced += count
  }

  private mutating func resize() {
    for _ in 0..<([1, 1, 1, 300].randomElement(using: &random) ?? 1) {
      size = TerminalSize(
        columns: Int.random(in: 1...200, using: &random),
        rows: Int.random(in: 1...90, using: &random))
      let mark = log.markSize(size)
      if sizes.last?.offset == produced { sizes.removeLast() }
      sizes.append((produced, size))
      state.markReplaced(mark)
      // Mostly many at one place; at times each at a place of its own, so that old ones are dropped.
      if Bool.random(using: &random) { produce(1) }
    }
  }

  private mutating func beginSnapshot() {
    let bytes = ByteBuffer(repeating: 0, count: Int.random(in: 0...40_000, using: &random))
    state.begin(snapshot: bytes, size: size, log: log)
  }

  /// The connection is cut, and the client comes back with what it has.
  private mutating func resume() {
    decoder = FrameDecoder()
    partial = nil
    received = 0
    if let next, UInt64(next) >= log.start {
      state = StreamState(cursor: UInt64(next), log: log, now: now)
    } else {
      state = StreamState(cursor: log.end, log: log, now: now)
      beginSnapshot()
      next = nil
    }
  }

  private mutating func acknowledge(_ count: UInt64) {
    let isTaken = state.acknowledge(consumed: count, now: now)
    check(isTaken)
  }

  /// Sends one frame and has the client take it; false: there was none.
  private mutating func send() throws -> Bool {
    var out = ByteBuffer()
    guard state.writeNext(into: &out, stream: 1, log: log, now: now) else { return false }
    check(out.readableBytes <= WireLimits.frameBody + 16)
    #expect(state.sent - state.consumed <= UInt64(WireLimits.maximumWindow))
    decoder.append(out)
    while let (_, frame) = try decoder.next() { take(frame) }
    return true
  }

  private mutating func take(_ frame: Frame) {
    switch frame {
    case .output(let offset, let bytes):
      check(Int(offset) == next)
      let end = Int(offset) + bytes.readableBytes
      check(bytes == Pattern.bytes(at: Int(offset), count: bytes.readableBytes))
      let expected = sizes.last { $0.offset <= Int(offset) }?.size ?? .standard
      check(shownSize == expected, "at \(offset)")
      let isCrossed = sizes.contains { $0.offset > Int(offset) && $0.offset < end }
      check(!isCrossed, "a size change inside a frame")
      next = end
      received += UInt64(bytes.readableBytes)
    case .snapshot(let part):
      if part.isFirst { partial = (part.id, 0) }
      check(partial?.id == part.id)
      received += UInt64(part.bytes.readableBytes)
      next = nil
      if part.isLast {
        next = Int(part.offset)
        shownSize = part.size
        partial = nil
      }
    case .resized(let offset, let size):
      check(Int(offset) == next)
      shownSize = size
    default: Issue.record("seed \(seed): \(frame)")
    }
  }
}
