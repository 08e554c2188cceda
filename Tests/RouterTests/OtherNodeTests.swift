// A new session goes to a node that takes it: one that does not answer, or has no room, is not the end of it
// while another one lives (promises P7 and P10).

import Links
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

@Suite(.timeLimit(.minutes(patience))) struct OtherNodeTests {
  /// Its time stands still, so that no lease ends however slow the machine is.
  private let registry = MemoryRegistry(now: { 0 })
  private static let takes: FakeNode.Script = { frame, stream, link in
    guard case .linkOpen(let request) = frame, let session = request.open.session else { return }
    link.send(ScriptedNode.opened(session, resumed: .new), stream: stream)
  }

  private func node(_ id: String, greets: Bool = true, _ script: @escaping FakeNode.Script)
    async throws -> FakeNode
  {
    let node = FakeNode(id, greets: greets, script: script)
    await node.register(registry, port: try await node.listen())
    return node
  }

  /// The answers to so many OPENs that create, one after the other.
  private func create(
    _ count: Int, _ creation: Creation = Creation(), at port: Int
  ) async throws -> [Frame] {
    let client = try await RawClient.greet(port: port)
    var answers: [Frame] = []
    for stream in 1...UInt64(count) {
      client.send(
        .open(Open(session: .random(), create: creation, size: .standard)), stream: stream)
      answers.append(try await client.frame("an answer", stream: stream) { _ in true })
    }
    return answers
  }

  @Test func aNodeThatIsGoneIsSkippedAtOnce() async throws {
    let alive = try await node("alive", Self.takes)
    await FakeNode("gone", script: Self.takes).register(registry, port: try freePort())
    try await withRouter(registry) { port in
      let answers = try await create(20, at: port)
      #expect(answers.allSatisfy { $0.type == .opened }, "\(answers)")
    }
    try await alive.stop()
  }

  /// It would pass that key over, and start the process as who it is itself.
  @Test func aNodeOfAnEarlierVersionIsAskedForNoOtherUser() async throws {
    let earlier = FakeNode("earlier", isEarlier: true, script: Self.takes)
    await earlier.register(registry, port: try await earlier.listen())
    let creation = Creation(user: UserName("nobody"))
    try await withRouter(registry) { port in
      guard case .refused(let refusal) = try await create(1, creation, at: port)[0] else {
        Issue.record("it was opened")
        return
      }
      #expect(refusal.message.contains("node earlier is of an earlier version"), "\(refusal)")
    }
    let present = try await node("present", Self.takes)
    try await withRouter(registry) { port in
      let answers = try await create(20, creation, at: port)
      #expect(answers.allSatisfy { $0.type == .opened }, "\(answers)")
    }
    #expect(earlier.opens.isEmpty && present.opens.count == 20)
    try await earlier.stop()
    try await present.stop()
  }

  @Test func aNodeThatHangsIsSkippedAtOnce() async throws {
    let alive = try await node("alive", Self.takes)
    let hanging = try await node("hanging", greets: false) { _, _, _ in }
    try await withRouter(registry) { port in
      let answers = try await create(20, at: port)
      #expect(answers.allSatisfy { $0.type == .opened }, "\(answers)")
    }
    try await alive.stop()
    try await hanging.stop()
  }

  /// And it is tried again, without anybody's session.
  @Test func aNodeThatComesBackIsUsedAgain() async throws {
    let port = try freePort()
    let back = FakeNode("back", script: Self.takes)
    await back.register(registry, port: port)
    let registry = registry
    try await withRouter(registry) { router in
      guard case .refused(let refusal) = try await create(1, at: router)[0] else {
        Issue.record("nobody is there")
        return
      }
      #expect(refusal.code == .unavailable && refusal.retry != nil)
      #expect(refusal.message.contains("node back does not answer: "), "\(refusal.message)")
      _ = try await back.listen(port: port)
      try await eventually("it is tried") { back.connections.withLockedValue { $0 } > 0 }
      #expect(try await create(1, at: router)[0].type == .opened)
    }
    try await back.stop()
  }

  /// What was heard before a node hung does not make it well.
  @Test func aNodeThatHangsIsWellOnceItIsHeardAgain() throws {
    let router = try EmbeddedRouter()
    let entry = ScriptedNode.entry()
    let health = router.routerLoop.context.health
    router.routerLoop.tend([entry])
    router.loop.run()
    #expect(health.view(of: entry.record) == "ok")
    let route = try #require(
      router.routerLoop.directory.route(
        .random(), node: ScriptedNode.id, incarnation: nil, epoch: nil))
    health.failed(route, .silence, reason: "it hangs", at: router.loop.now)
    router.routerLoop.tend([entry])
    #expect(health.trouble(of: entry.record)?.reason == "it hangs")
    router.loop.advanceTime(by: LinkLimits.pingInterval + .seconds(1))
    router.routerLoop.tend([entry])
    #expect(health.trouble(of: entry.record) == nil)
  }

  @Test func aNodeWithoutRoomIsNotTheLastOneAsked() async throws {
    let free = try await node("free", Self.takes)
    let full = try await node("full") { frame, stream, link in
      guard case .linkOpen = frame else { return }
      link.send(.refused(Refused(.noCapacity, "no files left", retry: 2_000)), stream: stream)
    }
    let registry = registry
    try await withRouter(registry) { port in
      let answers = try await create(20, at: port)
      #expect(answers.allSatisfy { $0.type == .opened }, "\(answers)")
      #expect(!full.opens.isEmpty, "some were to go there first")
      try await free.stop()
      guard case .refused(let refusal) = try await create(1, at: port)[0] else {
        Issue.record("nobody has room")
        return
      }
      #expect(refusal.retry != nil)
    }
    try await full.stop()
  }

  @Test func whenNobodyHasRoomTheNodesOwnWordsAreTheAnswer() async throws {
    let full = try await node("full") { frame, stream, link in
      guard case .linkOpen = frame else { return }
      link.send(.refused(Refused(.noCapacity, "no files left", retry: 2_000)), stream: stream)
    }
    try await withRouter(registry) { port in
      guard case .refused(let refusal) = try await create(1, at: port)[0] else {
        Issue.record("nobody has room")
        return
      }
      #expect(refusal == Refused(.noCapacity, "no files left", retry: 2_000))
      #expect(full.opens.count == 1)
    }
    try await full.stop()
  }
}
