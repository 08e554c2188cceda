// Random histories of a session with several clients, beside a simple account of what each of them must see: they
// come, are cut off, come back where they were or as a reloaded page, type, fall behind, take the size, while the
// process prints and reads when it likes. Every byte of output is shown once and in order or is part of a snapshot
// (P1), every byte of input is written once and in order and is acknowledged when it is (P2), no window is
// overrun (P6), and everybody is told the end (P10).

import NIOCore
import Sessions
import TestSupport
import Testing
import Wire

@Suite struct SessionHistoryTests {
  @Test func everyHistoryIsExactForEveryClient() throws {
    let seed = SeededGenerator.announcedSeed()
    for number in 0..<250 {
      var history = SessionHistory(seed: seed &+ UInt64(number))
      try history.run()
    }
  }
}

/// What a client has, has sent and knows.
private struct HistoryClient {
  let id = ClientID.random()
  let tag: UInt8
  /// Its present stream; nil: it is away.
  var stream: UInt64?
  /// It may type by its OPENED.
  var isOpened = false
  /// The next output offset that it needs; nil: it has no screen.
  var next: UInt64?
  var received: UInt64 = 0
  var consumed: UInt64 = 0
  /// Input: typed by its user, sent, and acknowledged.
  var typed: UInt64 = 0
  var sent: UInt64 = 0
  var acknowledged: UInt64 = 0
  var isEnded = false

  func byte(_ offset: UInt64) -> UInt8 { tag << 4 | UInt8(offset & 15) }

  func input(_ offset: UInt64, _ count: UInt64) -> ByteBuffer {
    ByteBuffer(bytes: (offset..<(offset + count)).map(byte))
  }
}

private struct SessionHistory {
  private let seed: UInt64
  private var random: SeededGenerator
  private let test = TestSession(
    size: TerminalSize(columns: 40, rows: 8), settings: SessionSettings(logLimit: 8 * 1024))
  private var clients = (1...3).map { HistoryClient(tag: $0) }
  private var produced: UInt64 = 0
  private var lastStream: UInt64 = 0
  private var isFirst = true
  /// Of `test.written`: how much was looked at, and of whom it was how much.
  private var lookedAt = 0
  private var written: [UInt8: UInt64] = [:]

  /// `#expect` takes apart what it checks, which costs more here than the history itself.
  private func check(
    _ condition: Bool, _ what: String = "", at location: SourceLocation = #_sourceLocation
  ) {
    if !condition { Issue.record("seed \(seed): \(what)", sourceLocation: location) }
  }

  init(seed: UInt64) {
    self.seed = seed
    random = SeededGenerator(seed: seed)
    test.takesInput = false
  }

  mutating func run() throws {
    attach(0)
    for _ in 0..<150 { step() }
    test.screenWork = 500_000
    for index in clients.indices where clients[index].stream == nil { attach(index) }
    var rounds = 0
    while !isSettled {
      settle()
      rounds += 1
      try #require(rounds < 1_000, "seed \(seed): nothing moves any more")
    }
    check(test.underWay.readableBytes == 0)
    test.ends()
    for _ in 0..<1_000 where clients.contains(where: { !$0.isEnded }) { settle() }
    check(clients.allSatisfy(\.isEnded), "not everybody was told the end")
    check(!test.hasStreams && test.ends == 1)
  }

  private var isSettled: Bool {
    clients.allSatisfy {
      $0.next == produced && $0.sent == $0.typed && $0.acknowledged == $0.typed
    }
  }

  /// Everything that waits gets on.
  private mutating func settle() {
    test.wait(.milliseconds(10))
    test.settle()
    test.giveTurns()
    test.reads(.max)
    for index in clients.indices {
      hear(index)
      send(index)
      acknowledge(index, all: true)
    }
  }

  private mutating func step() {
    test.wait(.milliseconds(Int64.random(in: 0...60, using: &random)))
    // A loop that is busy gives the screen nothing at once.
    test.screenWork = [0, 40, 500_000].randomElement(using: &random) ?? 0
    let index = Int.random(in: 0..<clients.count, using: &random)
    switch Int.random(in: 0..<14, using: &random) {
    case 0: if random.chance(0.5) { attach(index) } else { leave(index) }
    case 1, 2: if test.isReading { print() }
    case 3: clients[index].typed += UInt64.random(in: 1...200, using: &random)
    case 4, 5: send(index)
    case 6: test.reads(Int.random(in: 1...150, using: &random))
    case 7: acknowledge(index, all: false)
    case 8: resize(index)
    case 9: test.settle()
    case 10...12: test.giveTurns(atMost: Int.random(in: 1...6, using: &random))
    default: if let stream = clients[index].stream { test.take(stream) }
    }
    for index in clients.indices { hear(index) }
    lookAtInput()
  }

  /// Printable, and every offset has its own neighbourhood.
  private func output(_ offset: UInt64) -> UInt8 {
    offset % 61 == 60 ? 0x0A : 0x21 + UInt8((offset &* offset >> 3 &+ offset) % 90)
  }

  private mutating func print() {
    let count = UInt64.random(
      in: 1...([10, 500, 4_000].randomElement(using: &random) ?? 1), using: &random)
    test.prints(ByteBuffer(bytes: (produced..<(produced + count)).map(output)))
    produced += count
  }

  /// A new connection, whatever the old one still has; and at times a reloaded page.
  private mutating func attach(_ index: Int) {
    lastStream += 1
    let isReload = random.chance(0.2) || isFirst
    if isReload {
      clients[index].next = nil
    }
    let known = clients[index]
    clients[index].stream = lastStream
    clients[index].isOpened = false
    (clients[index].received, clients[index].consumed) = (0, 0)
    let resume = Resume(
      life: test.core.life, next: known.next, input: isReload ? nil : known.acknowledged)
    test.attach(
      lastStream, client: known.id,
      size: TerminalSize(columns: Int.random(in: 20...60, using: &random), rows: 8),
      resume: isFirst ? nil : resume, isNew: isFirst)
    isFirst = false
    if let old = known.stream { check(test.isClosed(old), "two streams of one client") }
    hear(index)
  }

  private mutating func leave(_ index: Int) {
    guard let stream = clients[index].stream else { return }
    test.leave(stream)
    clients[index].stream = nil
    clients[index].isOpened = false
  }

  private mutating func resize(_ index: Int) {
    guard let stream = clients[index].stream else { return }
    test.resize(
      TerminalSize(columns: Int.random(in: 20...60, using: &random), rows: 8), stream)
  }

  private mutating func send(_ index: Int) {
    let client = clients[index]
    guard let stream = client.stream, client.isOpened, client.sent < client.typed else { return }
    let count = UInt64.random(in: 1...(client.typed - client.sent), using: &random)
    test.type(client.input(client.sent, count), at: client.sent, stream)
    // A network that repeats what it carried is no harm.
    if random.chance(0.1) { test.type(client.input(client.sent, count), at: client.sent, stream) }
    clients[index].sent += count
  }

  private mutating func acknowledge(_ index: Int, all: Bool) {
    let client = clients[index]
    guard let stream = client.stream, client.consumed < client.received else { return }
    clients[index].consumed =
      all ? client.received : UInt64.random(in: client.consumed...client.received, using: &random)
    test.acknowledge(clients[index].consumed, stream)
  }

  /// The client takes what it was sent.
  private mutating func hear(_ index: Int) {
    guard let stream = clients[index].stream else { return }
    for frame in test.takeFrames(stream) { hear(frame, index) }
  }

  private mutating func hear(_ frame: Frame, _ index: Int) {
    clients[index].received += UInt64(frame.creditedBytes)
    check(
      clients[index].received - clients[index].consumed <= UInt64(WireLimits.maximumWindow),
      "more than a window")
    switch frame {
    case .opened(let opened): hear(opened, index)
    case .output(let offset, let bytes):
      check(offset == clients[index].next, "output at \(offset)")
      let end = offset + UInt64(bytes.readableBytes)
      check(bytes.readableBytesView.elementsEqual((offset..<end).map(output)), "other output")
      clients[index].next = end
    case .snapshot(let part): clients[index].next = part.isLast ? part.offset : nil
    case .resized(let offset, _): check(offset == clients[index].next, "a size at \(offset)")
    case .inputAck(let offset):
      check(offset >= clients[index].acknowledged && offset <= clients[index].sent)
      clients[index].acknowledged = offset
      lookAtInput()
      check(offset <= written[clients[index].tag] ?? 0, "acknowledged before it was written")
    case .ended: clients[index].isEnded = true
    case .event: break
    default: check(false, "\(frame)")
    }
  }

  private mutating func hear(_ opened: Opened, _ index: Int) {
    let client = clients[index]
    clients[index].isOpened = true
    check(opened.inDoubt == nil, "nothing was forgotten")
    check(opened.input >= client.acknowledged && opened.input <= client.sent)
    clients[index].sent = opened.input
    switch opened.resumed {
    case .new: clients[index].next = 0
    case .exact: check(opened.output == client.next)
    case .snapshot: clients[index].next = nil
    }
  }

  /// The process looks at what it has read.
  private mutating func lookAtInput() {
    let bytes = test.written.readableBytesView.dropFirst(lookedAt)
    lookedAt += bytes.count
    for byte in bytes {
      let tag = byte >> 4
      let offset = written[tag] ?? 0
      check(byte & 15 == UInt8(offset & 15), "input \(offset) of client \(tag) is another byte")
      written[tag] = offset + 1
    }
  }
}
