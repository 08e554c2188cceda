// A holder turn by turn, on a system that is played: what it does at a time is bounded, and what did not go is tried
// again (promises P6, P7).

import CHolder
import Testing

@testable import Holder

@Suite("A holder's turns") struct HolderTurnTests {
  private static let key = [UInt8](repeating: 9, count: 32)
  private let system = SimulatedSystem()
  private let holder: Holder<SimulatedSystem>

  init() throws {
    var kept: Int32 = -1
    holder = try Holder(
      system, identity: [UInt8](repeating: 1, count: 16), key: Self.key, path: [], keeping: &kept)
  }

  private func connect() -> SimulatedPeer {
    let peer = SimulatedPeer(holder)
    peer.keepsFrames = true
    system.backlog.append(peer.socket)
    turn(peer)
    peer.prove(key: Self.key)
    turn(peer)
    return peer
  }

  private func turn(_ peers: SimulatedPeer..., times: Int = 1) {
    for _ in 0..<times {
      holder.turn()
      for peer in peers { peer.read() }
    }
  }

  /// A session of the peer's, that runs.
  private func start(_ peer: SimulatedPeer, mark: String = "mark=1") throws -> Held {
    var request = CodecTests.start
    (request.epoch, request.mark, request.names) = (1, Array(mark.utf8), [])
    peer.send(.start(request))
    turn(peer)
    for descriptor in system.answers.keys { system.answers[descriptor]?.isDone = true }
    turn(peer)
    return try #require(holder.sessions.values.first)
  }

  @Test("take in some connections, some children and some writes, and the others in the next")
  func boundedTurns() throws {
    let peer = connect()
    for _ in 0..<40 { system.backlog.append(SimulatedPeer(holder).socket) }
    turn(peer)
    #expect(system.backlog.count == 40 - HolderLimits.accepts)
    for process in 0..<1_000 { system.exit(50_000 + Int32(process), 1, 0) }
    turn(peer)
    #expect(system.exits.count == 1_000 - HolderLimits.reaps)
    turn(peer, times: 4)
    #expect(system.exits.isEmpty, "what was left is reaped without another signal")
    let held = try start(peer)
    let terminal = try #require(system.terminals[held.master])
    peer.send(.credit(handle: held.handle, epoch: 1, upTo: 1 << 30))
    terminal.printed = 60_000
    turn(peer, times: 40)
    peer.socket.capacity = 10
    for offset in 1...3 {
      peer.send(.read(handle: held.handle, from: UInt64(offset), upTo: 60_000))
    }
    turn(peer, times: 2)
    peer.socket.capacity = .max
    holder.turn()
    #expect(peer.socket.fromHolder.count <= HolderLimits.writes * HolderLimits.outbox)
  }

  @Test("What a slow node has read is not kept for as long as there is more") func slowPeer() throws
  {
    let peer = connect()
    let held = try start(peer)
    let terminal = try #require(system.terminals[held.master])
    peer.socket.capacity = 3_000
    peer.send(.credit(handle: held.handle, epoch: 1, upTo: 1 << 40))
    for _ in 0..<4_000 {
      terminal.printed += 4_000
      peer.send(
        .checkpoint(
          handle: held.handle, epoch: 1, part: .screen, isFirst: true, isLast: true,
          offset: held.rules.cursor, drop: 0, bytes: []))
      turn(peer)
      let waiting = try #require(holder.peers.values.first).outgoing.bytes.count
      try #require(waiting <= 2 * HolderLimits.outbox + HolderLimits.payload)
    }
    #expect(held.rules.log.end > 8 << 20)
  }

  @Test("A checkpoint may follow one of any length") func largeCheckpoints() {
    var checkpoint = Checkpoint()
    let large = [UInt8](repeating: 1, count: HolderLimits.checkpoint)
    for offset in 1...3 as ClosedRange<UInt64> {
      #expect(
        checkpoint.receive(
          .screen, isFirst: true, isLast: true, offset: offset, drop: 0, large, end: 9) == .whole)
    }
    #expect(
      checkpoint.receive(
        .screen, isFirst: true, isLast: true, offset: 4, drop: 0, large + [1], end: 9) == .wrong)
    // Pieces that it goes on with count.
    #expect(
      checkpoint.receive(
        .scrollback, isFirst: true, isLast: true, offset: 5, drop: 0, [1], end: 9) == .whole)
    #expect(
      checkpoint.receive(
        .screen, isFirst: true, isLast: true, offset: 6, drop: 0, large, end: 9) == .wrong)
    #expect(
      checkpoint.receive(
        .screen, isFirst: true, isLast: true, offset: 6, drop: 1, large, end: 9) == .whole)
  }

  @Test("Who leaves a checkpoint while it is being sent the last one has lost its way")
  func checkpointMeanwhile() throws {
    let peer = connect()
    let held = try start(peer)
    peer.send(
      .checkpoint(
        handle: held.handle, epoch: 1, part: .screen, isFirst: true, isLast: true, offset: 0,
        drop: 0, bytes: [UInt8](repeating: 1, count: 600_000)))
    turn(peer, times: 50)
    peer.socket.capacity = 100
    peer.send(.attach(handle: held.handle, epoch: 2, next: nil))
    turn(peer, times: 4)
    peer.send(
      .checkpoint(
        handle: held.handle, epoch: 2, part: .screen, isFirst: true, isLast: true, offset: 0,
        drop: 0, bytes: [1]))
    turn(peer, times: 30)
    #expect(peer.isGone)
    #expect(held.rules.checkpoint.screen.count == 600_000)
  }

  @Test("A session whose turn a slow node let pass has it with the node that comes next")
  func turnOfTheNext() throws {
    let slow = connect()
    let held = try start(slow)
    slow.send(
      .checkpoint(
        handle: held.handle, epoch: 1, part: .screen, isFirst: true, isLast: true, offset: 0,
        drop: 0, bytes: [UInt8](repeating: 1, count: 600_000)))
    turn(slow, times: 50)
    slow.socket.capacity = 0
    slow.send(.attach(handle: held.handle, epoch: 2, next: nil))
    holder.turn()
    slow.send(.detach(handle: held.handle, epoch: 2))
    holder.turn()
    let next = connect()
    next.send(.attach(handle: held.handle, epoch: 3, next: nil))
    turn(next, times: 10)
    #expect(next.attachments[held.handle]?.checkpoint.count == 600_000)
  }

  @Test("A control group goes once it is empty, however long that takes") func groups() throws {
    system.groupError = 0
    let peer = connect()
    let held = try start(peer)
    #expect(system.groups.count == 1)
    system.groupRemovalError = EBUSY
    system.exit(held.rules.process, 1, 0)
    turn(peer)
    system.now += 1_000
    turn(peer, times: 3)
    peer.send(.forget(handle: held.handle, epoch: 1))
    turn(peer)
    #expect(holder.sessions.isEmpty)
    for _ in 0..<20 {
      system.now += 60_000
      turn(peer)
    }
    #expect(system.groupsTried > 10)
    system.groupRemovalError = 0
    system.now += 60_000
    turn(peer)
    #expect(system.groups.isEmpty)
    let tries = system.groupsTried
    system.now += 120_000
    turn(peer)
    #expect(system.groupsTried == tries)
  }

  @Test("One that is never empty is given up") func groupForGood() throws {
    system.groupError = 0
    system.startError = EAGAIN
    system.groupRemovalError = EBUSY
    let peer = connect()
    var request = CodecTests.start
    request.names = []
    peer.send(.start(request))
    for _ in 0..<200 {
      system.now += 60_000
      turn(peer)
    }
    #expect(system.groupsTried == HolderLimits.groupRemovals + 1)
  }

  @Test("Where no process is to be had to kill with, it is tried again at once, and not for ever")
  func killingWithoutProcesses() throws {
    let peer = connect()
    let held = try start(peer)
    system.killError = EAGAIN
    peer.send(.end(handle: held.handle, epoch: 1, grace: 0))
    let began = system.now
    turn(peer)
    system.now += 1
    turn(peer)
    // More often than it is killed: these tries are not counted with those.
    for _ in 0..<2 * HolderLimits.ends {
      system.now += HolderLimits.endSoon
      turn(peer)
    }
    system.now += HolderLimits.endSoon
    system.killError = 0
    turn(peer)
    #expect(system.killers.count == 1)
    #expect(system.now < began + 1_000)
    // One that kills goes on alone, however often its node says it.
    for _ in 0..<5 {
      peer.send(.end(handle: held.handle, epoch: 1, grace: 0))
      system.now += 10
      turn(peer)
    }
    #expect(system.marksKilled.count == 1)
    for _ in 0...HolderLimits.ends {
      guard let killer = system.killers.first else { break }
      system.exit(killer, 1, 1)
      turn(peer)
      system.now += HolderLimits.endAgain
      turn(peer)
    }
    #expect(system.killers.isEmpty)
    #expect(system.marksKilled.count == HolderLimits.ends)
    #expect(peer.frames.contains(.survivors(handle: held.handle)))
  }

  @Test("What a session left is signalled so often, and then its node is told that it survives")
  func killingForNothing() throws {
    let peer = connect()
    let held = try start(peer)
    peer.send(.end(handle: held.handle, epoch: 1, grace: 0))
    turn(peer)
    for times in 1...HolderLimits.ends {
      system.now += HolderLimits.endAgain
      turn(peer)
      #expect(system.marksKilled.count == times)
      #expect(!peer.frames.contains(.survivors(handle: held.handle)))
      // It found somebody to the last.
      system.exit(try #require(system.killers.first), 1, 1)
      turn(peer)
    }
    #expect(peer.frames.contains(.survivors(handle: held.handle)))
    system.now += 10 * HolderLimits.endAgain
    turn(peer)
    #expect(system.marksKilled.count == HolderLimits.ends)
  }

  /// The next node would take the session for lost, and it would be there later.
  @Test(
    "A listing waits for the starts of a node that has died", arguments: [0, ENOENT, ETIMEDOUT])
  func startOfTheDead(error: Int32) throws {
    let dead = connect()
    var request = CodecTests.start
    (request.epoch, request.names) = (1, [])
    dead.send(.start(request))
    turn(dead)
    dead.socket.isClosedByPeer = true
    turn(dead)
    let next = connect()
    next.send(.list)
    turn(next, times: 3)
    #expect(!next.frames.contains { if case .listed = $0 { true } else { false } })
    // What is asked for after it is not waited for.
    next.send(.start(request))
    turn(next)
    let descriptor = try #require(system.answers.keys.min())
    if error == ETIMEDOUT {
      system.now += HolderLimits.start
    } else {
      if error != 0 {
        system.answers[descriptor]?.step = 120
        system.answers[descriptor]?.error = error
      }
      system.answers[descriptor]?.isDone = true
    }
    turn(next, times: 2)
    #expect(next.frames.contains(.listed(count: error == 0 ? 1 : 0)))
    #expect(holder.sessions.count == (error == 0 ? 1 : 0))
    next.send(.list)
    for descriptor in system.answers.keys { system.answers[descriptor]?.isDone = true }
    turn(next, times: 2)
    let counts = next.frames.compactMap { if case .listed(let count) = $0 { count } else { nil } }
    #expect(counts.count == 2)
  }

  @Test("A start that comes out once the holder is to end is ended, too") func startAtTheEnd()
    throws
  {
    let peer = connect()
    var request = CodecTests.start
    request.names = []
    peer.send(.start(request))
    turn(peer)
    system.pendingSignals |= 2
    turn(peer)
    for descriptor in system.answers.keys { system.answers[descriptor]?.isDone = true }
    turn(peer)
    let held = try #require(holder.sessions.values.first)
    #expect(held.isEnding)
    system.exit(held.rules.process, 2, 1)
    peer.socket.isClosedByPeer = true
    turn(peer)
    system.now += 1_000
    turn(peer)
    #expect(holder.isOver)
  }
}
