// A holder obeys the node of the highest epoch alone, and keeps what the next one needs (promises P3, P11).

import TestSupport
import Testing

@testable import Holder

@Suite("A session as its holder has it") struct HeldSessionTests {
  private func session(log: UInt32 = 1 << 20, orphanAfter: UInt32 = 3_600) -> HeldSession {
    var request = CodecTests.start
    request.epoch = 1
    request.logLimit = log
    request.orphanAfter = orphanAfter
    return HeldSession(handle: 1, request: request, process: 77, group: nil, peer: 1)
  }

  private func frames(of session: inout HeldSession) -> [HolderFrame] {
    var writer = FrameWriter()
    while session.writeNext(to: &writer) {}
    var splitter = FrameSplitter()
    splitter.append(writer.bytes[...])
    var frames: [HolderFrame] = []
    while case .frame(let type, let body) = splitter.next() {
      if let frame = HolderFrame(type: type, body: body) { frames.append(frame) }
    }
    return frames
  }

  @Test("obeys no epoch but one above all it has seen") func epochs() {
    var session = session()
    #expect(session.attach(peer: 2, epoch: 1, next: nil, now: 0) == .refused(1))
    #expect(session.isServed(by: 1, epoch: 1))
    #expect(session.attach(peer: 2, epoch: 5, next: nil, now: 0) == .attached(former: 1))
    #expect(!session.isServed(by: 1, epoch: 1))
    #expect(!session.isServed(by: 2, epoch: 1))
    #expect(session.isServed(by: 2, epoch: 5))
    #expect(session.attach(peer: 1, epoch: 4, next: nil, now: 0) == .refused(5))
    session.detach()
    #expect(!session.isServed(by: 2, epoch: 5))
    #expect(
      session.attach(peer: 3, epoch: 5, next: nil, now: 0) == .refused(5),
      "also when nobody serves it")
    #expect(session.attach(peer: 3, epoch: 6, next: nil, now: 0) == .attached(former: nil))
  }

  @Test("gives a node the checkpoint, and then the output from there with its sizes") func attach()
  {
    var session = session()
    session.grant(upTo: 1_000)
    session.didRead([1, 2, 3], now: 0)
    session.log.resize(columns: 100, rows: 30)
    session.didRead([4, 5], now: 0)
    var sent = frames(of: &session)
    #expect(
      sent == [
        .output(handle: 1, offset: 0, bytes: [1, 2, 3]),
        .resized(handle: 1, offset: 3, columns: 100, rows: 30),
        .output(handle: 1, offset: 3, bytes: [4, 5]),
      ])
    #expect(
      session.keepCheckpoint(
        .scrollback, isFirst: true, isLast: false, offset: 3, drop: 0, [8, 8]) == .part)
    #expect(
      session.keepCheckpoint(
        .screen, isFirst: false, isLast: true, offset: 3, drop: 0, [9]) == .whole)
    #expect(session.attach(peer: 2, epoch: 2, next: nil, now: 0) == .attached(former: 1))
    let found = session.found
    #expect(found.checkpoint == 3)
    #expect(found.next == 3)
    #expect(found.columns == 100)
    session.grant(upTo: 1_000)
    sent = frames(of: &session)
    #expect(
      sent == [
        .checkpoint(handle: 1, part: .scrollback, isLast: false, bytes: [8, 8]),
        .checkpoint(handle: 1, part: .screen, isLast: true, bytes: [9]),
        .output(handle: 1, offset: 3, bytes: [4, 5]),
      ])
    // A node that still has what came before goes on where it stood.
    #expect(session.attach(peer: 2, epoch: 3, next: 4, now: 0) == .attached(former: nil))
    session.grant(upTo: 1_000)
    sent = frames(of: &session)
    #expect(sent == [.output(handle: 1, offset: 4, bytes: [5])])
  }

  @Test("takes no checkpoint that is not whole, and none that shows what its node was not sent")
  func checkpoints() {
    var checkpoint = Checkpoint()
    #expect(
      checkpoint.receive(.screen, isFirst: true, isLast: true, offset: 5, drop: 0, [1], end: 4)
        == .wrong)
    #expect(
      checkpoint.receive(.screen, isFirst: false, isLast: true, offset: 2, drop: 0, [1], end: 4)
        == .wrong)
    #expect(
      checkpoint.receive(.screen, isFirst: true, isLast: false, offset: 2, drop: 0, [1], end: 4)
        == .part)
    checkpoint.abandon()
    #expect(checkpoint.offset == 0)
    #expect(checkpoint.screen.isEmpty)
    #expect(
      checkpoint.receive(.screen, isFirst: false, isLast: true, offset: 2, drop: 0, [1], end: 4)
        == .wrong)
    #expect(
      checkpoint.receive(.screen, isFirst: true, isLast: true, offset: 2, drop: 1, [1], end: 4)
        == .wrong)
    #expect(
      checkpoint.receive(.screen, isFirst: true, isLast: true, offset: 2, drop: 0, [1], end: 4)
        == .whole)
    #expect(
      checkpoint.receive(.screen, isFirst: true, isLast: true, offset: 1, drop: 0, [1], end: 4)
        == .wrong)
  }

  @Test("is read for its node only as far as that one takes, and without one until the log is full")
  func reading() {
    var session = session(log: 4_096)
    #expect(!session.isReading)
    session.grant(upTo: 10)
    #expect(session.isReading)
    session.didRead([UInt8](repeating: 1, count: 10)[...], now: 0)
    #expect(!session.isReading)
    session.detach()
    #expect(session.isReading)
    session.didRead([UInt8](repeating: 1, count: 4_086)[...], now: 0)
    #expect(!session.isReading)
    #expect(session.log.end == 4_096)
  }

  @Test("A query that nobody answered in time is never answered: a shell would read it as typed")
  func oldQueries() {
    var session = session()
    session.didRead([1], now: 10_000)
    #expect(session.settled(now: 10_500) == 0)
    #expect(session.settled(now: 12_000) == 1)
    // Output that goes on makes what came before no younger.
    for time in stride(from: UInt64(12_000), to: 20_000, by: 100) {
      session.didRead([1], now: time)
    }
    let settled = session.settled(now: 20_000)
    #expect(settled < session.log.end)
    #expect(settled >= session.log.end - 31, "not much more than three seconds of it are young")
    #expect(session.attach(peer: 2, epoch: 2, next: nil, now: 80_000) == .attached(former: 1))
    #expect(session.found.answered == session.log.end)
  }

  @Test("Of the time without a node a machine's sleep is no part") func orphans() {
    var session = session(orphanAfter: 180)
    func isOrphaned(after milliseconds: UInt64) -> Bool { session.isOrphaned(for: milliseconds) }
    #expect(!isOrphaned(after: 1_000_000_000), "a node serves it")
    session.detach()
    #expect(!isOrphaned(after: 1_000_000_000))
    #expect(!isOrphaned(after: 60_000))
    #expect(session.attach(peer: 2, epoch: 2, next: nil, now: 0) == .attached(former: nil))
    session.detach()
    #expect(!isOrphaned(after: 60_000))
    #expect(!isOrphaned(after: 60_000))
    #expect(isOrphaned(after: 60_000))
  }

  @Test("Its end follows its last byte, also to the node that comes after") func end() {
    var session = session()
    session.didRead([1, 2], now: 0)
    session.leaderDidExit(.exited(3))
    session.leaderDidExit(.exited(4))
    #expect(session.isReading, "the rest is read without leave")
    var sent = frames(of: &session)
    #expect(sent.isEmpty)
    session.terminalDidClose()
    let end: [HolderFrame] = [
      .output(handle: 1, offset: 0, bytes: [1, 2]), .exited(handle: 1, exit: .exited(3), end: 2),
    ]
    sent = frames(of: &session)
    #expect(sent == end)
    sent = frames(of: &session)
    #expect(sent.isEmpty)
    #expect(session.attach(peer: 2, epoch: 2, next: 0, now: 0) == .attached(former: 1))
    #expect(session.found.exit == .exited(3))
    sent = frames(of: &session)
    #expect(sent == end)
  }

  @Test("Who attaches what has ended hears of its end once it takes output, and not before")
  func endBeforeLeave() {
    var session = session()
    session.didRead([1, 2], now: 0)
    session.leaderDidExit(.exited(3))
    session.terminalDidClose()
    #expect(session.attach(peer: 2, epoch: 2, next: nil, now: 0) == .attached(former: 1))
    var sent = frames(of: &session)
    #expect(sent == [.checkpoint(handle: 1, part: .screen, isLast: true, bytes: [])])
    // It reads what is older than the checkpoint meanwhile.
    sent = frames(of: &session)
    #expect(sent.isEmpty)
    session.grant(upTo: 1)
    sent = frames(of: &session)
    #expect(
      sent == [
        .output(handle: 1, offset: 0, bytes: [1, 2]), .exited(handle: 1, exit: .exited(3), end: 2),
      ])
  }

  @Test("Any frames of any node in any order break nothing") func anyFrames() {
    var random = SeededGenerator.announced()
    for _ in 0..<300 {
      var session = session(log: UInt32.random(in: 0...20_000, using: &random))
      var writer = FrameWriter()
      var now: UInt64 = 0
      for _ in 0..<200 {
        now += UInt64.random(in: 0...900, using: &random)
        let number = UInt64.random(in: 0...30_000, using: &random)
        switch Int.random(in: 0..<9, using: &random) {
        case 0:
          _ = session.attach(
            peer: 2, epoch: number % 40, next: random.chance(0.5) ? number : nil, now: now)
        case 1: session.grant(upTo: random.chance(0.1) ? .max : number)
        case 2:
          _ = session.keepCheckpoint(
            random.chance(0.5) ? .screen : .scrollback, isFirst: random.chance(0.5),
            isLast: random.chance(0.5),
            offset: number % (session.cursor + 2), drop: UInt32(number % 3), [1])
        case 3: session.log.resize(columns: UInt16(1 + number % 500), rows: 3)
        case 4:
          _ = session.input.take(ClientKey(high: 0, low: number % 100), offset: number % 9, [1, 2])
        case 5: session.detach()
        default:
          let room = min(session.log.room, Int(number % 4_096))
          session.didRead([UInt8](repeating: 3, count: room)[...], now: now)
        }
        #expect(session.log.start <= session.checkpoint.offset)
        #expect(session.cursor <= session.log.end)
        for _ in 0..<Int(number % 4) { _ = session.writeNext(to: &writer) }
        writer.bytes.removeAll()
      }
    }
  }
}
