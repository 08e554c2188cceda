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
    for number in 0..<2_000 {
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
  private var input = InputQueue<ClientID>()
  private var state: StreamState?
  private var produced = 0
  private var pending = ByteBuffer()
  private var written = 0

  // The wire: whole frames; what a cut leaves of one is nothing to its receiver.
  private var up: [Frame] = []
  private var down: [Frame] = []

  // The client and its user.
  private var client: ClientStream
  private var typed = 0
  private var shown = 0
  private var isFresh = true
  private var told: [TerminalEvent] = []

  /// `#expect` takes apart what it checks, which costs more here than the schedule itself.
  private func check(
    _ condition: Bool, _ what: String = "", at location: SourceLocation = #_sourceLocation
  ) {
    if !condition { Issue.record("seed \(seed): \(what)", sourceLocation: location) }
  }

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
    while shown < produced || written < typed || client.unacknowledgedInput > 0 {
      while !up.isEmpty { deliverUp() }
      while try fill() {}
      while !down.isEmpty { try deliverDown() }
      while !told.isEmpty { consume() }
      write(pending.readableBytes)
      turns += 1
      try #require(turns < 10_000, "seed \(seed): nothing moves any more, at \(shown)")
    }
    check(written == typed)
    check(shown == produced)
  }

  private mutating func step() throws {
    now = now + .milliseconds(Int64.random(in: 0...120, using: &random))
    switch Int.random(in: 0..<16, using: &random) {
    case 0, 1: produce()
    case 2, 3:
      let most = [1, 30, 70_000].randomElement(using: &random) ?? 1
      let count = Int.random(in: 1...most, using: &random)
      let bytes = Pattern.bytes(at: typed, count: count)
      typed += count
      perform(client.type(bytes))
    case 4...6: if !up.isEmpty { deliverUp() }
    case 7...9: _ = try fill()
    case 10...12: if !down.isEmpty { try deliverDown() }
    case 13: consume()
    case 14: write(Int.random(in: 0...80_000, using: &random))
    default: if random.chance(0.4) { connect() }
    }
  }

  private mutating func produce() {
    let count = Int.random(
      in: 1...([10, 12_000].randomElement(using: &random) ?? 1), using: &random)
    state?.logWillGrow(log, now: now)
    Pattern.bytes(at: produced, count: count).withUnsafeReadableBytes { log.append($0) }
    produced += count
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
        var bytes = bytes
        bytes.moveReaderIndex(to: bytes.writerIndex - fresh)
        pending.writeBuffer(&bytes)
        if random.chance(0.5) { state?.didType(now: now) }
      case .duplicate: break
      case .gap, .overflow: Issue.record("seed \(seed): input was refused")
      }
    case .outputAck(_, let consumed):
      check(state?.acknowledge(consumed: consumed, now: now) != false)
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
    let count = min(most, pending.readableBytes)
    check(pending.readSlice(length: count) == Pattern.bytes(at: written, count: count))
    written += count
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
      check(Int(offset) == shown)
      let end = Int(offset) + bytes.readableBytes
      check(bytes == Pattern.bytes(at: Int(offset), count: bytes.readableBytes))
      shown = end
    case .snapshot(let offset, _, _): shown = Int(offset)
    case .inDoubt: Issue.record("seed \(seed): nothing was in doubt")
    default: break
    }
    perform(client.consume(event.creditedBytes))
  }
}
