// A session whose record was deleted while its node is away may yet be kept by that node's holder: nobody gets a second
// process for it (promises P4, P11).

import Links
import NIOConcurrencyHelpers
import NIOCore
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

/// Has lost the record of every session, and knows only who is listed as the owner.
private struct ForgetfulRegistry: PartialRegistry {
  let memory: MemoryRegistry
  let listed: ListedOwner
  let mayLoseRecords = true

  func listedOwner(of session: SessionID) async throws -> ListedOwner? { listed }
  func lookUp(_ session: SessionID) async throws -> SessionRecord? { nil }
}

@Suite(.timeLimit(.minutes(patience))) struct LostRecordTests {
  private let session = SessionID(unchecked: "s")
  private let holder = "boot/h"
  private static let script: FakeNode.Script = { frame, stream, link in
    switch frame {
    case .linkOpen(let request):
      guard let session = request.open.session else { return }
      link.send(ScriptedNode.opened(session, resumed: .new), stream: stream)
    case .request(let request):
      // It has no session, or none yet.
      link.send(.response(LinkResponse(id: request.id, isLast: true)), stream: 0)
    default: break
    }
  }

  @Test func whatAHolderMayKeepIsNotCreatedBesideIt() async throws {
    let time = NIOLockedValueBox(0)
    let memory = MemoryRegistry(now: { time.withLockedValue { $0 } })
    let first = FakeNode("a", script: Self.script)
    await first.register(memory, port: try freePort(), holder: holder)
    let registry = ForgetfulRegistry(
      memory: memory, listed: ListedOwner(node: first.id, incarnation: first.incarnation))
    time.withLockedValue { $0 = Lease.takeover + 60_000 }
    let other = FakeNode("b", script: Self.script)
    await other.register(memory, port: try await other.listen())
    try await withRouter(registry) { port in
      func answer(_ session: SessionID) async throws -> Frame {
        let client = try await RawClient.greet(port: port)
        defer { client.close() }
        client.send(.open(Open(session: session, create: Creation(), size: .standard)), stream: 1)
        return try await client.frame("an answer", stream: 1) { _ in true }
      }
      guard case .refused(let refusal) = try await answer(session) else {
        Issue.record("it was created")
        return
      }
      #expect(refusal.code == .unavailable && refusal.retry != nil)
      #expect(refusal.message.contains("may be on node a"), "\(refusal.message)")
      // Started again, it answers, and has not asked its holder.
      let next = FakeNode("a", incarnation: Incarnation(rawValue: 2), script: Self.script)
      let again = try await next.listen()
      await next.register(memory, port: again, holder: holder)
      #expect(try await answer(session).type == .refused)
      _ = await memory.heartbeat(
        NodeRecord(
          id: next.id, incarnation: next.incarnation,
          loops: [NodeAddress(host: "127.0.0.1", port: again)], labels: ["pty": "true"],
          capacity: 1_000, holder: holder, hasRestored: true), isRenewal: true)
      try await eventually("it has said that it has no such session") {
        try await answer(session).type == .opened
      }
      try await next.stop()
      #expect(other.opens.count + next.opens.count >= 1)
    }
    try await other.stop()
  }
}
