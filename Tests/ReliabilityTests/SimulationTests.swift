// Client and session without a network between them: `ClientStream` against `SessionCore`, over a wire that
// delivers, delays and loses everything on a cut, in hundreds of random schedules (promises P1, P2, P6). What takes
// hours on sockets takes seconds here.

import NIOCore
import Sessions
import TestSupport
import Testing
import Wire

@testable import Client

@Suite struct SimulationTests {
  @Test func everyScheduleIsExactInBothDirections() throws {
    let seed = SeededGenerator.announcedSeed()
    for number in 0..<500 {
      var simulation = Simulation(seed: seed &+ UInt64(number))
      try simulation.run()
    }
  }
}

/// One session and one client.
private struct Simulation {
  private let seed: UInt64
  private var random: SeededGenerator

  // The session.
  private let session = TestSession(settings: SessionSettings(logLimit: 8 * 1024))
  private let id = ClientID(unchecked: "c")
  private var stream: UInt64 = 0
  private var produced = 0
  private var wasOpened = false
  private var written = 0

  // The wire: whole frames; what a cut leaves of one is nothing to its receiver.
  private var up: [Frame] = []
  private var down: [Frame] = []

  // The client and its user.
  private var client: ClientStream
  private var typed = 0
  private var shown = 0
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
    client = ClientStream(
      Open(session: session.core.id, create: session.core.creation, size: .standard))
    session.takesInput = false
  }

  mutating func run() throws {
    connect()
    for _ in 0..<120 { try step() }
    // At last nothing is cut any more.
    connect()
    var turns = 0
    while shown < produced || written < typed || client.unacknowledgedInput > 0 {
      while !up.isEmpty { deliverUp() }
      session.settle()
      fill(.max)
      while !down.isEmpty { try deliverDown() }
      while !told.isEmpty { consume() }
      write(.max)
      turns += 1
      try #require(turns < 10_000, "seed \(seed): nothing moves any more, at \(shown)")
    }
    check(written == typed)
    check(shown == produced)
  }

  private mutating func step() throws {
    session.wait(.milliseconds(Int64.random(in: 0...120, using: &random)))
    // A loop that is busy gives the screen nothing at once.
    session.screenWork = random.chance(0.3) ? 0 : 500_000
    switch Int.random(in: 0..<17, using: &random) {
    case 0, 1: produce()
    case 2, 3:
      let most = [1, 30, 70_000].randomElement(using: &random) ?? 1
      let count = Int.random(in: 1...most, using: &random)
      let bytes = Pattern.bytes(at: typed, count: count)
      typed += count
      perform(client.type(bytes))
    case 4...6: if !up.isEmpty { deliverUp() }
    case 7...9: fill(Int.random(in: 1...3, using: &random))
    case 10...12: if !down.isEmpty { try deliverDown() }
    case 13: consume()
    case 14: write(Int.random(in: 0...80_000, using: &random))
    case 15: session.settle()
    default: if random.chance(0.4) { connect() }
    }
  }

  private mutating func produce() {
    guard session.isReading else { return }
    let count = Int.random(
      in: 1...([10, 6_000].randomElement(using: &random) ?? 1), using: &random)
    session.prints(Self.output(produced, count))
    produced += count
  }

  /// Printable, so that the screen answers nothing into the input.
  private static func output(_ offset: Int, _ count: Int) -> ByteBuffer {
    ByteBuffer(
      bytes: Pattern.bytes(at: offset, count: count).readableBytesView.map { 0x21 + $0 % 90 })
  }

  /// A cut, at whatever frame, and a new connection.
  private mutating func connect() {
    (up, down) = ([], [])
    if stream > 0 { session.leave(stream) }
    _ = session.takeFrames(stream)
    stream += 1
    up.append(client.begin())
  }

  private mutating func deliverUp() {
    let frame = up.removeFirst()
    if case .open(let open) = frame {
      session.open(
        stream, LinkOpen(client: id, access: .open, from: "a test", open: open),
        isFirst: !wasOpened)
      wasOpened = true
    } else {
      switch frame {
      case .input(let offset, let bytes): session.type(bytes, at: offset, stream)
      case .outputAck(_, let consumed): session.acknowledge(consumed, stream)
      default: Issue.record("seed \(seed): \(frame)")
      }
    }
    take()
  }

  /// What the session sent goes onto the wire.
  private mutating func take() {
    for frame in session.takeFrames(stream) {
      if case .close(let reason) = frame { Issue.record("seed \(seed): closed for \(reason)") }
      down.append(frame)
    }
  }

  private mutating func fill(_ turns: Int) {
    session.giveTurns(atMost: turns)
    take()
  }

  private mutating func write(_ most: Int) {
    session.reads(most)
    let count = session.written.readableBytes - written
    check(
      session.written.getSlice(at: session.written.readerIndex + written, length: count)
        == Pattern.bytes(at: written, count: count))
    written += count
    take()
  }

  private mutating func deliverDown() throws { perform(try client.receive(down.removeFirst())) }

  private mutating func perform(_ actions: [ClientStream.Action]) {
    for action in actions {
      switch action {
      case .send(let frame): up.append(frame)
      case .emit(let event): told.append(event)
      case .acknowledgeSoon: perform(client.acknowledge())
      case .reopen, .openAgain, .finish: Issue.record("seed \(seed): \(action)")
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
      check(bytes == Self.output(Int(offset), bytes.readableBytes))
      shown = end
    case .snapshot(let offset, _, _): shown = Int(offset)
    case .inDoubt: Issue.record("seed \(seed): nothing was in doubt")
    default: break
    }
    perform(client.consume(event.creditedBytes))
  }
}
