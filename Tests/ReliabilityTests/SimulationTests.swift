// Client and session without a network between them: `ClientStream` against the node's log, streams and
// input queue, over a wire that delivers, delays and loses everything on a cut, in thousands of random
// schedules (promises P1, P2, P6). What takes hours on sockets takes seconds here.

import NIOCore
import TestSupport
import Testing
import Wire

@testable import Client
@testable import Node

@Suite struct SimulationTests {
  @Test func everyScheduleIsExactInBothDirections() throws {
    let seed = SeededGenerator.announcedSeed()
    for number in 0..<3_000 {
      var simulation = Simulation(seed: seed &+ UInt64(number))
      try simulation.run()
    }
  }
}

/// One session and one client.
private struct Simulation {
  private let seed: UInt64
  private var random: SeededGenerator
  private var now = NIODeadline.now()

  // The session.
  private let life = Life(rawValue: 1)
  private let session = SessionID(unchecked: "s")
  private let id = ClientID(unchecked: "c")
  private let log = OutputLog(limit: 16 * 1024)
  private var input = InputQueue()
  private var state: StreamState?
  private var produced: [UInt8] = []
  private var pending: [UInt8] = []
  private var written: [UInt8] = []

  // The wire: whole frames; what a cut leaves of one is nothing to its receiver.
  private var up: [Frame] = []
  private var down: [Frame] = []

  // The client and its user.
  private var client: ClientStream
  private var typed: [UInt8] = []
  private var shown = 0
  private var isFresh = true
  private var told: [TerminalEvent] = []

  init(seed: UInt64) {
    self.seed = seed
    random = SeededGenerator(seed: seed)
    client = ClientStream(Open(session: session, create: Creation(), size: .standard))
  }

  mutating func run() throws {
    connect()
    for _ in 0..<120 { try step() }
    // At last nothing is cut any more.
    connect()
    var turns = 0
    while shown < produced.count || written.count < typed.count || client.unacknowledgedInput > 0 {
      while !up.isEmpty { deliverUp() }
      while try fill() {}
      while !down.isEmpty { try deliverDown() }
      while !told.isEmpty { consume() }
      write(pending.count)
      turns += 1
      try #require(turns < 10_000, "seed \(seed): nothing moves any more, at \(shown)")
    }
    #expect(written == typed, "seed \(seed)")
    #expect(shown == produced.count, "seed \(seed)")
  }

  private mutating func step() throws {
    now = now + .milliseconds(Int64.random(in: 0...120, using: &random))
    switch Int.random(in: 0..<16, using: &random) {
    case 0, 1: produce()
    case 2, 3:
      let most = [1, 30, 70_000].randomElement(using: &random) ?? 1
      let count = Int.random(in: 1...most, using: &random)
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: typed.count + $0 * 7) }
      typed += bytes
      perform(client.type(ByteBuffer(bytes: bytes)))
    case 4...6: if !up.isEmpty { deliverUp() }
    case 7...9: _ = try fill()
    case 10...12: if !down.isEmpty { try deliverDown() }
    case 13: consume()
    case 14: write(Int.random(in: 0...80_000, using: &random))
    default: if random.chance(0.4) { connect() }
    }
  }

  private mutating func produce() {
    let count = Int.random(in: 1...([10, 12_000].randomElement(using: &random) ?? 1), using: &random)
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: (produced.count + $0) &* 31) }
    state?.logWillGrow(log, now: now)
    bytes.withUnsafeBytes { log.append($0) }
    produced += bytes
  }

  /// A cut, at whatever frame, and a new connection.
  private mutating func connect() {
    (up, down) = ([], [])
    if state != nil { input.detach(id) }
    state = nil
    up.append(client.begin())
  }

  private mutating func deliverUp() {
    let frame = up.removeFirst()
    switch frame {
    case .open(let open): attach(open)
    case .input(let offset, let bytes):
      switch input.receive(id, offset: offset, count: bytes.readableBytes) {
      case .accept(let fresh):
        pending += bytes.readableBytesView.suffix(fresh)
        if random.chance(0.5) { state?.didType(now: now) }
      case .duplicate: break
      case .gap, .overflow: Issue.record("seed \(seed): input was refused")
      }
    case .outputAck(_, let consumed):
      #expect(state?.acknowledge(consumed: consumed, now: now) != false, "seed \(seed)")
    default: Issue.record("seed \(seed): \(frame)")
    }
  }

  /// As `Session.attach` does.
  private mutating func attach(_ open: Open) {
    let resume = open.resume
    let ledger = input.attach(id, acknowledged: resume?.input)
    var resumed = Opened.Resumed.snapshot
    var cursor = log.end
    if let next = resume?.next, next >= log.start, next <= log.end {
      (resumed, cursor) = (.exact, next)
    } else if isFresh {
      (resumed, cursor) = (.new, 0)
    }
    if isFresh, resumed == .new, log.start > 0 { (resumed, cursor) = (.snapshot, log.end) }
    isFresh = false
    state = StreamState(cursor: cursor, log: log, now: now)
    down.append(
      .opened(
        Opened(
          session: session, life: life, epoch: Epoch(1), created: resumed == .new, resumed: resumed,
          output: cursor, input: ledger.accepted, inDoubt: ledger.isInDoubt ? true : nil,
          size: .standard, mode: .driver)))
    if ledger.written > 0 { down.append(.inputAck(offset: ledger.written)) }
    if resumed == .snapshot { beginSnapshot() }
  }

  private mutating func beginSnapshot() {
    let bytes = ByteBuffer(repeating: 1, count: Int.random(in: 0...100_000, using: &random))
    state?.begin(snapshot: bytes, size: .standard, log: log)
  }

  private mutating func fill() throws -> Bool {
    guard let present = state else { return false }
    if present.needsSnapshot(from: log, now: now) { beginSnapshot() }
    var out = ByteBuffer()
    guard state?.writeNext(into: &out, stream: 1, log: log, now: now) == true else { return false }
    var decoder = FrameDecoder()
    decoder.append(out)
    while let (_, frame) = try decoder.next() { down.append(frame) }
    return true
  }

  private mutating func write(_ most: Int) {
    let count = min(most, pending.count)
    written += pending.prefix(count)
    pending.removeFirst(count)
    var acknowledged: UInt64?
    input.wrote(count) { acknowledged = $1 }
    if state != nil, let acknowledged { down.append(.inputAck(offset: acknowledged)) }
  }

  private mutating func deliverDown() throws { perform(try client.receive(down.removeFirst())) }

  private mutating func perform(_ actions: [ClientStream.Action]) {
    for action in actions {
      switch action {
      case .send(let frame): up.append(frame)
      case .tell(let event): told.append(event)
      case .reopen, .finish: Issue.record("seed \(seed): \(action)")
      }
    }
  }

  /// The user takes the next event.
  private mutating func consume() {
    guard !told.isEmpty else { return }
    let event = told.removeFirst()
    switch event {
    case .output(let offset, let bytes):
      #expect(Int(offset) == shown, "seed \(seed)")
      let end = Int(offset) + bytes.readableBytes
      #expect(produced[Int(offset)..<end].elementsEqual(bytes.readableBytesView), "seed \(seed)")
      shown = end
    case .snapshot(let offset, _, _): shown = Int(offset)
    case .inDoubt: Issue.record("seed \(seed): nothing was in doubt")
    default: break
    }
    perform(client.consume(event.creditedBytes))
  }
}
