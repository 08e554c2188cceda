// A session that a holder keeps, seen from a router while its node dies and is started again: its streams wait and go
// on where they stood, and nobody is told that it is lost (promise P11).

import API
import APIClient
import Links
import NIOConcurrencyHelpers
import NIOCore
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

/// What it says of a session is on its way while the session's node comes back: the list of nodes that is asked for next has
/// that already.
private final class OvertakenRegistry: PartialRegistry {
  let memory: MemoryRegistry
  private let session: SessionID
  private let comeBack: @Sendable (MemoryRegistry) async -> Void
  private let isBack = NIOLockedValueBox(false)

  init(
    _ memory: MemoryRegistry, _ session: SessionID,
    comeBack: @escaping @Sendable (MemoryRegistry) async -> Void
  ) {
    self.memory = memory
    self.session = session
    self.comeBack = comeBack
  }

  func lookUp(_ session: SessionID) async throws -> SessionRecord? {
    let record = try await memory.lookUp(session)
    if session == self.session, !isBack.withLockedValue({ $0 }) {
      await comeBack(memory)
      isBack.withLockedValue { $0 = true }
    }
    return record
  }
}

@Suite(.timeLimit(.minutes(patience))) struct HeldSessionTests {
  private let holder = "3f0d2a6c-0b7e-4a57-9c5b-1f6f1c0a7a11/ab12"
  private let session = SessionID(unchecked: "s")
  private let next = Incarnation(rawValue: 2)
  private let time = NIOLockedValueBox(0)

  private func makeRegistry() -> MemoryRegistry {
    let time = time
    return MemoryRegistry(now: { time.withLockedValue { $0 } })
  }

  /// Has what the session printed before, and says what was asked of it.
  private func script(_ epoch: UInt64) -> FakeNode.Script {
    let session = session
    return { frame, stream, link in
      guard case .linkOpen(let request) = frame else { return }
      let from = request.open.resume?.next ?? 0
      link.send(
        .opened(
          Opened(
            session: session, life: Life(rawValue: 9), epoch: Epoch(epoch), created: false,
            resumed: .exact, output: from, input: 0, size: .standard, mode: .driver, mayKill: true)),
        stream: stream)
      link.send(
        .output(offset: from, ByteBuffer(string: from == 0 ? "before" : " after")), stream: stream)
    }
  }

  /// A client that has the session open, and was shown what it had printed.
  private func watcher(at port: Int) async throws -> RawClient {
    let client = try await RawClient.greet(port: port)
    client.send(.open(Open(session: session, size: .standard)), stream: 1)
    try await client.frame("output", stream: 1) { $0.type == .output }
    return client
  }

  /// A node that has the session.
  private func start(
    _ registry: MemoryRegistry, as incarnation: Incarnation = ScriptedNode.incarnation,
    epoch: UInt64 = 1
  ) async throws -> FakeNode {
    let node = FakeNode("a", incarnation: incarnation, script: script(epoch))
    await node.register(registry, port: try await node.listen(), holder: holder)
    return node
  }

  private func holding(_ epoch: UInt64) -> [SessionID: OwnedSession] {
    [session: OwnedSession(epoch: Epoch(epoch), holder: holder)]
  }

  private func ended(_ epoch: UInt64, _ end: Tombstone) -> [SessionID: OwnedSession] {
    [session: OwnedSession(epoch: Epoch(epoch), end: end, holder: holder)]
  }

  @Test(arguments: [false, true])
  func aStreamGoesOnWithTheNextIncarnationOfItsNode(isDeadBefore: Bool) async throws {
    let registry = makeRegistry()
    let node = try await start(registry)
    _ = await registry.confirm(holding(1), node: node.id, incarnation: node.incarnation)
    try await withRouter(registry) { port in
      let client = try await watcher(at: port)
      let living = client.keepAlive()
      defer { living.cancel() }
      try await node.stop()
      try await client.frame("a pause", stream: 1) { $0 == .event(.paused) }
      if isDeadBefore {
        time.withLockedValue { $0 += Lease.takeover + 60_000 }
        try await refusals(at: port, with: "goes on when that node is started again")
      }
      // It registers before it has asked its holder.
      let again = try await start(registry, as: next, epoch: 2)
      try await refusals(at: port, with: "is restoring its sessions")
      #expect(again.opens.isEmpty)
      _ = await registry.announce(holding(2), node: again.id, incarnation: next)
      try await client.frame("what was printed since", stream: 1) {
        $0 == .output(offset: 6, ByteBuffer(string: " after"))
      }
      #expect(
        try client.frames(stream: 1).map(\.type) == [.opened, .output, .event, .opened, .output])
      let opens = again.opens
      #expect(opens.count == 1 && opens.first?.epoch == Epoch(2))
      #expect(opens.first?.open.resume == Resume(life: Life(rawValue: 9), next: 6, input: 0))
      #expect(!client.isClosed)
      try await again.stop()
    }
  }

  /// Whoever comes meanwhile is told to come again, also who would create it, and nobody takes it for lost.
  private func refusals(at port: Int, with words: String) async throws {
    try await eventually("the router has seen it") {
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      client.send(.open(Open(session: session, create: Creation(), size: .standard)), stream: 2)
      var seen = true
      for stream in 1...2 as ClosedRange<UInt64> {
        let answer = try await client.frame("REFUSED", stream: stream) { $0.type == .refused }
        guard case .refused(let refusal) = answer else { return false }
        #expect(refusal.code == .unavailable && refusal.retry != nil, "\(refusal)")
        seen = seen && refusal.message.contains(words)
      }
      client.close()
      return seen
    }
  }

  /// By the old record and the new list it would be lost, and its client was told so while it went on.
  @Test func whoseNodeComesBackWhileItIsLookedUpIsNotLost() async throws {
    let memory = makeRegistry()
    let node = try await start(memory)
    _ = await memory.confirm(holding(1), node: node.id, incarnation: node.incarnation)
    try await node.stop()
    let again = FakeNode("a", incarnation: next, script: script(2))
    let againPort = try await again.listen()
    await again.register(memory, port: againPort, holder: holder)
    let (held, id) = (holding(2), node.id)
    let record = NodeRecord(
      id: id, incarnation: next, loops: [NodeAddress(host: "127.0.0.1", port: againPort)],
      labels: ["pty": "true"], capacity: 1_000, holder: holder, hasRestored: true)
    let registry = OvertakenRegistry(memory, session) { memory in
      _ = await memory.announce(held, node: id, incarnation: record.incarnation)
      _ = await memory.heartbeat(record, isRenewal: true)
    }
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      let seen = Resume(life: Life(rawValue: 9), next: 3, input: 0)
      client.send(.open(Open(session: session, resume: seen, size: .standard)), stream: 1)
      let answer = try await client.frame("an answer", stream: 1) { _ in true }
      #expect(answer.type == .opened, "\(answer)")
      client.close()
    }
    try await again.stop()
  }

  /// A move: who is ready for the session is asked for it.
  @Test(arguments: ["b", "c"]) func whatIsLetGoOfForANodeIsOpenedThere(next: String) async throws {
    let registry = makeRegistry()
    let container = HolderName.Container(engine: "E", name: "web", user: nil).holder
    let session = session
    var nodes: [FakeNode] = []
    for id in ["a", "b", "c"] {
      let node = FakeNode(id) { frame, stream, link in
        if case .linkOpen = frame { link.send(ScriptedNode.opened(session), stream: stream) }
      }
      await node.register(registry, port: try await node.listen())
      nodes.append(node)
    }
    let owned = OwnedSession(epoch: Epoch(1), holder: container)
    let incarnation = nodes[0].incarnation
    _ = await registry.confirm([session: owned], node: nodes[0].id, incarnation: incarnation)
    let records: any Registry = registry
    let isFree = try await records.letGo(
      of: session, node: nodes[0].id, incarnation: incarnation, epoch: Epoch(1),
      next: NodeID(unchecked: next))
    #expect(isFree)
    let asked = nodes
    try await withRouter(registry) { port in
      let admin = APIClient(host: "127.0.0.1", port: port)
      #expect(try await admin.sessionList().sessions.map(\.state) == [.waiting])
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      #expect(asked.map(\.opens.count) == (next == "b" ? [0, 1, 0] : [0, 0, 1]))
      #expect(asked.flatMap(\.opens).allSatisfy { $0.epoch == nil })
    }
    for node in asked { try await node.stop() }
  }

  /// The smallest history of it: it ends, its node is gone for longer than a lease before its watcher comes back, and is
  /// started again. (A judge's clients were told that it is gone.)
  @Test func whoComesBackForTheScreenOfASessionThatHasEndedWaitsForItsNode() async throws {
    let registry = makeRegistry()
    let node = try await start(registry)
    let end = Tombstone(status: .exited(code: 3), reason: .exited)
    let (first, second) = (ended(1, end), ended(2, end))
    _ = await registry.confirm(first, node: node.id, incarnation: node.incarnation)
    try await withRouter(registry) { port in
      let client = try await watcher(at: port)
      let living = client.keepAlive()
      defer { living.cancel() }
      try await node.stop()
      time.withLockedValue { $0 += Lease.takeover + 60_000 }
      try await client.frame("a pause", stream: 1) { $0 == .event(.paused) }
      try await eventually("the router has seen it") {
        let other = try await RawClient.greet(port: port)
        defer { other.close() }
        let seen = Resume(life: Life(rawValue: 9), next: 3, input: 0)
        other.send(.open(Open(session: session, resume: seen, size: .standard)), stream: 1)
        let answer = try await other.frame("REFUSED", stream: 1) { $0.type == .refused }
        guard case .refused(let refusal) = answer else { return false }
        #expect(refusal.code == .unavailable && refusal.retry != nil, "\(refusal)")
        return refusal.message.contains("its last screen is shown when that node is started again")
      }
      // How it ended is known meanwhile, and a new session of its name need not wait.
      let admin = APIClient(host: "127.0.0.1", port: port)
      let error = await #expect(throws: APIError.self) { try await admin.kill(session) }
      #expect(error?.message.contains("has ended") == true, "\(String(describing: error))")
      #expect(try await registry.lookUp(session)?.state == .owned, "it was not forgotten")
      let again = try await start(registry, as: next, epoch: 2)
      _ = await registry.announce(second, node: again.id, incarnation: next)
      try await client.frame("what was printed since", stream: 1) {
        $0 == .output(offset: 6, ByteBuffer(string: " after"))
      }
      try await again.stop()
    }
  }

  @Test func whatIsHeldIsListedAndLocatedWhileItsNodeIsAway() async throws {
    let registry = makeRegistry()
    let node = try await start(registry)
    _ = await registry.confirm(holding(1), node: node.id, incarnation: node.incarnation)
    try await node.stop()
    time.withLockedValue { $0 += Lease.takeover + 40_000 }
    try await withRouter(registry) { port in
      let admin = APIClient(host: "127.0.0.1", port: port)
      try await eventually("the router knows") {
        try await admin.sessionList().sessions.map(\.state) == [.held]
      }
      #expect(try await admin.sessionList().sessions.map(\.holder) == [holder])
      let location = try await admin.locate(session)
      #expect(location.why == .unreachable && location.holder == holder)
      #expect(location.explanation.contains("held on its node's machine by \(holder)"))
      let error = await #expect(throws: APIError.self) { try await admin.kill(session) }
      #expect(error?.message.contains("goes on when that node is started again") == true)
      #expect(try await registry.lookUp(session)?.state == .owned, "it was not forgotten")
      time.withLockedValue { $0 += WireLimits.orphan + 300_000 }
      #expect(try await admin.locate(session).why == .lost)
      #expect(try await admin.sessionList().sessions.map(\.state) == [.lost])
    }
  }
}
