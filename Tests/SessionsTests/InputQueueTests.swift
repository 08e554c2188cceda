// Input, from many clients over bad connections, against a trivial model: the pipe gets every byte
// that a client typed once and in order, an acknowledgement means written, and whoever was forgotten
// is told (promise P2).

import TestSupport
import Testing
import Wire

@testable import Sessions

@Suite struct InputQueueTests {
  @Test func everyScheduleWritesEveryByteOnce() {
    let seed = SeededGenerator.announcedSeed()
    for number in 0..<2_000 {
      var schedule = InputSchedule(seed: seed &+ UInt64(number))
      schedule.run()
    }
  }

  private func client(_ number: Int) -> ClientID { ClientID(unchecked: "c\(number)") }

  @Test func anAttachedClientIsNeverForgottenAndOfOthersTheLast64Are() {
    var queue = InputQueue<ClientID>()
    for number in 0..<2 { _ = queue.attach(client(number), acknowledged: nil) }
    #expect(queue.receive(client(0), offset: 0, count: 5) == .accept(fresh: 5))
    #expect(queue.receive(client(1), offset: 0, count: 5) == .accept(fresh: 5))
    queue.detach(client(1))
    for number in 2..<66 {
      _ = queue.attach(client(number), acknowledged: nil)
      #expect(queue.receive(client(number), offset: 0, count: 1) == .accept(fresh: 1))
      if number == 65 {
        let attachment = queue.attach(client(1), acknowledged: 3)
        #expect(attachment == .init(accepted: 5, written: 0, isInDoubt: true), "never written")
        queue.detach(client(1))
      }
      queue.detach(client(number))
    }
    #expect(queue.attach(client(0), acknowledged: 0).accepted == 5, "it was attached all the time")
    #expect(queue.attach(client(2), acknowledged: 0).isInDoubt, "forgotten, and told")
    #expect(!queue.attach(client(3), acknowledged: 0).isInDoubt)
    #expect(!queue.attach(client(99), acknowledged: nil).isInDoubt, "new")
  }

  @Test func watchersDoNotPushOutWhoTyped() {
    var queue = InputQueue<ClientID>()
    _ = queue.attach(client(0), acknowledged: nil)
    _ = queue.receive(client(0), offset: 0, count: 5)
    queue.detach(client(0))
    for number in 1..<200 {
      _ = queue.attach(client(number), acknowledged: nil)
      queue.detach(client(number))
    }
    #expect(!queue.hasForgotten)
    #expect(queue.attach(client(0), acknowledged: 0).accepted == 5)
  }

  @Test func aGapAndAnOffsetFromTheFutureAreRefused() {
    var queue = InputQueue<ClientID>()
    _ = queue.attach(client(0), acknowledged: nil)
    #expect(queue.receive(client(0), offset: 1, count: 1) == .gap)
    #expect(queue.receive(client(0), offset: Varint.maximum, count: 1) == .gap)
    #expect(queue.receive(client(1), offset: 0, count: 1) == .gap, "not attached")
    let attachment = queue.attach(client(0), acknowledged: 9)
    #expect(attachment.isInDoubt, "what it says was acknowledged never was")
  }

  @Test func aReloadedPageMayTypeThoughWhatItTypedBeforeIsStuck() {
    var queue = InputQueue<ClientID>()
    var end: UInt64 = 0
    for reload in 0..<SessionLimits.reloads {
      #expect(queue.attach(client(0), acknowledged: nil).accepted == end)
      let window = WireLimits.inputInFlight
      #expect(queue.receive(client(0), offset: end, count: window) == .accept(fresh: window))
      end += UInt64(window)
      #expect(queue.receive(client(0), offset: end, count: 1) == .overflow, "reload \(reload)")
    }
    _ = queue.attach(client(0), acknowledged: nil)
    #expect(queue.receive(client(0), offset: end, count: 1) == .overflow, "there is an end to it")
  }

  @Test func answersToAProgramThatDoesNotReadAreBoundedAndKeepNobodyFromTyping() {
    var queue = InputQueue<ClientID>()
    _ = queue.attach(client(0), acknowledged: nil)
    var answered = 0
    for _ in 0..<10_000 where queue.answer(5) { answered += 5 }
    #expect((1...SessionLimits.unwrittenAnswers).contains(answered))
    #expect(queue.receive(client(0), offset: 0, count: 1) == .accept(fresh: 1))
    // Written in the order in which they came.
    queue.wrote(answered) { _, _ in Issue.record("the key was not written yet") }
    let isAnswered = queue.answer(5)
    #expect(isAnswered, "it has read them")
    var acknowledged: UInt64 = 0
    queue.wrote(6) { acknowledged = $1 }
    #expect(acknowledged == 1)
    #expect(queue.unwrittenBytes == 0)
  }

  @Test func clientsThatComeAndGoCannotFillTheMemory() {
    var queue = InputQueue<ClientID>()
    var accepted = 0
    for number in 0..<1_000 {
      _ = queue.attach(client(number), acknowledged: nil)
      if case .accept(let fresh) = queue.receive(
        client(number), offset: 0, count: WireLimits.inputInFlight)
      {
        accepted += fresh
      }
      queue.detach(client(number))
    }
    #expect(accepted == SessionLimits.unwrittenInput)
    #expect(queue.ledgers.count <= SessionLimits.detachedLedgers)
  }
}

/// Some clients with a stream of their own each; cuts lose frames on the way.
private struct InputSchedule {
  private let seed: UInt64
  private var random: SeededGenerator
  private var queue = InputQueue<ClientID>()
  private var clients: [Client]
  /// What was accepted and is not written yet.
  private var pending: [(client: Int, byte: UInt8)] = []
  private var written: [[UInt8]]

  private struct Client {
    let id: ClientID
    var typed: [UInt8] = []
    var sent = 0
    var acknowledged = 0
    var isAttached = false
    /// Frames on their way to the node, and acknowledgements on their way back.
    var up: [(offset: Int, count: Int)] = []
    var down: [Int] = []
  }

  /// `#expect` takes apart what it checks, which costs more here than the schedule itself.
  private func check(
    _ condition: Bool, _ what: String = "", at location: SourceLocation = #_sourceLocation
  ) {
    if !condition { Issue.record("seed \(seed): \(what)", sourceLocation: location) }
  }

  init(seed: UInt64) {
    self.seed = seed
    random = SeededGenerator(seed: seed)
    clients = (0..<3).map { Client(id: ClientID(unchecked: "c\($0)")) }
    written = [[], [], []]
  }

  mutating func run() {
    for _ in 0..<150 { step(Int.random(in: 0..<clients.count, using: &random)) }
    for index in clients.indices {
      attach(index)
      while clients[index].acknowledged < clients[index].typed.count {
        send(index)
        while !clients[index].up.isEmpty { deliver(index) }
        write(pending.count)
        while !clients[index].down.isEmpty { acknowledge(index) }
      }
      check(written[index] == clients[index].typed)
    }
  }

  private mutating func step(_ index: Int) {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: attach(index)
    case 1:
      let count = Int.random(in: 1...50, using: &random)
      clients[index].typed += (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    case 2, 3: send(index)
    case 4, 5: deliver(index)
    case 6: write(Int.random(in: 0...60, using: &random))
    default: acknowledge(index)
    }
  }

  /// A new connection: whatever was on its way is lost.
  private mutating func attach(_ index: Int) {
    let id = clients[index].id
    if clients[index].isAttached { queue.detach(id) }
    let isFirst = !clients[index].isAttached
    clients[index].isAttached = true
    (clients[index].up, clients[index].down) = ([], [])
    let attachment = queue.attach(
      id, acknowledged: isFirst ? nil : UInt64(clients[index].acknowledged))
    check(!attachment.isInDoubt)
    check(Int(attachment.accepted) >= clients[index].acknowledged)
    clients[index].sent = Int(attachment.accepted)
    clients[index].down.append(Int(attachment.written))
  }

  private mutating func send(_ index: Int) {
    let client = clients[index]
    guard client.isAttached, client.sent < client.typed.count else { return }
    let count = Int.random(in: 1...(client.typed.count - client.sent), using: &random)
    clients[index].up.append((client.sent, count))
    // A network that repeats what it carried is no harm either.
    if random.chance(0.1) { clients[index].up.append((client.sent, count)) }
    clients[index].sent += count
  }

  private mutating func deliver(_ index: Int) {
    guard !clients[index].up.isEmpty else { return }
    let frame = clients[index].up.removeFirst()
    let bytes = clients[index].typed[frame.offset..<(frame.offset + frame.count)]
    switch queue.receive(clients[index].id, offset: UInt64(frame.offset), count: frame.count) {
    case .accept(let fresh): pending += bytes.suffix(fresh).map { (index, $0) }
    case .duplicate: break
    case .gap, .overflow: Issue.record("seed \(seed): refused what was in order")
    }
  }

  private mutating func write(_ most: Int) {
    let count = min(most, pending.count)
    for (index, byte) in pending.prefix(count) { written[index].append(byte) }
    pending.removeFirst(count)
    var told: [(ClientID, UInt64)] = []
    queue.wrote(count) { told.append(($0, $1)) }
    for (id, offset) in told {
      guard let index = clients.firstIndex(where: { $0.id == id }) else { continue }
      check(Int(offset) <= written[index].count, "acknowledged before it was written")
      if clients[index].isAttached { clients[index].down.append(Int(offset)) }
    }
    check(queue.unwrittenBytes == pending.count)
  }

  private mutating func acknowledge(_ index: Int) {
    guard !clients[index].down.isEmpty else { return }
    let offset = clients[index].down.removeFirst()
    clients[index].acknowledged = max(clients[index].acknowledged, offset)
  }
}
