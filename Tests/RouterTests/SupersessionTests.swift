// A node that goes on with what another owns by now is told by the router, and its clients are brought to the owner
// (promise P3).

import APIClient
import Links
import NIOConcurrencyHelpers
import NIOCore
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

@Suite(.timeLimit(.minutes(patience))) struct SupersessionTests {
  let session = SessionID(unchecked: "s")

  @Test func aNodeThatIsCutOffFromTheRegistryOnlyIsToldWhatItHasLost() async throws {
    let time = NIOLockedValueBox(0)
    let registry = MemoryRegistry(now: { time.withLockedValue { $0 } })
    let session = session
    let opened = NIOLockedValueBox<UInt64?>(nil)
    let a = FakeNode("a") { frame, stream, link in
      switch frame {
      case .linkOpen:
        opened.withLockedValue { $0 = stream }
        link.send(ScriptedNode.opened(session), stream: stream)
      case .request(let request) where request.method == .superseded:
        guard request.session == session, let stream = opened.withLockedValue({ $0 }) else {
          return
        }
        link.send(.refused(Refused(.notOwner, "another's", retry: 0)), stream: stream)
        link.send(.response(LinkResponse(id: request.id, isLast: true)), stream: 0)
      default: break
      }
    }
    let b = FakeNode("b") { frame, stream, link in
      if case .linkOpen = frame { link.send(ScriptedNode.opened(session), stream: stream) }
    }
    await a.register(registry, port: try await a.listen())
    let port = try await b.listen()
    let holding = OwnedSession(epoch: Epoch(1))
    _ = await registry.confirm(
      [session: holding], node: a.id, incarnation: ScriptedNode.incarnation)
    try await withRouter(registry) { front in
      let client = try await RawClient.greet(port: front)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      // a counts as dead, and b has made a session of that name.
      time.withLockedValue { $0 = Lease.takeover }
      await b.register(registry, port: port)
      let epoch = Epoch(2)
      _ = await registry.confirm(
        [session: OwnedSession(epoch: epoch)], node: b.id, incarnation: ScriptedNode.incarnation)
      try await eventually("its client is brought to b") { b.opens.count == 1 }
      #expect(b.opens.first?.epoch == epoch)
      #expect(b.opens.first?.open.resume != nil && b.opens.first?.open.create == nil)
      try await eventually("and hears of both") {
        try client.frames(stream: 1).filter { $0.type == .opened }.count == 2
      }
      #expect(try client.frames(stream: 1).contains(.event(.paused)))
    }
    try await a.stop()
    try await b.stop()
  }

  @Test func aNodeThatIsOnlySilentIsLeftAlone() async throws {
    let time = NIOLockedValueBox(0)
    let registry = MemoryRegistry(now: { time.withLockedValue { $0 } })
    let session = session
    let a = FakeNode("a") { frame, stream, link in
      if case .linkOpen = frame { link.send(ScriptedNode.opened(session), stream: stream) }
    }
    await a.register(registry, port: try await a.listen())
    _ = await registry.confirm(
      [session: OwnedSession(epoch: Epoch(1))], node: a.id,
      incarnation: ScriptedNode.incarnation)
    try await withRouter(registry) { front in
      let client = try await RawClient.greet(port: front)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      time.withLockedValue { $0 = Lease.takeover }
      // Two looks.
      try await Task.sleep(for: RouterLimits.ownersInterval * 2)
      #expect(a.heard { $0.type == .request }.isEmpty)
    }
    try await a.stop()
  }

  /// The router remembers one of them, and the registry knows the other.
  @Test func whatTwoNodesHaveIsEndedOnBoth() async throws {
    let registry = MemoryRegistry(now: { 0 })
    let session = session
    let script: FakeNode.Script = { frame, stream, link in
      switch frame {
      case .linkOpen: link.send(ScriptedNode.opened(session), stream: stream)
      case .request(let request):
        link.send(.response(LinkResponse(id: request.id, isLast: true)), stream: 0)
      default: break
      }
    }
    let nodes = [FakeNode("a", script: script), FakeNode("b", script: script)]
    for node in nodes { await node.register(registry, port: try await node.listen()) }
    @Sendable func own(_ node: FakeNode, _ epoch: UInt64) async {
      _ = await registry.confirm(
        [session: OwnedSession(epoch: Epoch(epoch))], node: node.id,
        incarnation: ScriptedNode.incarnation)
    }
    @Sendable func kills(_ node: FakeNode) -> Int {
      node.heard { if case .request(let request) = $0 { request.method == .kill } else { false } }
        .count
    }
    await own(nodes[0], 1)
    try await withRouter(registry) { front in
      let client = try await RawClient.greet(port: front)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      let admin = APIClient(host: "127.0.0.1", port: front)
      try await admin.kill(session)
      #expect(kills(nodes[0]) == 1 && kills(nodes[1]) == 0)
      await own(nodes[1], 2)
      try await admin.kill(session)
      #expect(kills(nodes[0]) == 2 && kills(nodes[1]) == 1)
    }
    for node in nodes { try await node.stop() }
  }
}
