// Where a router can have no link to a node until somebody changes keys or certificates, waiting is no answer: a client
// is told so at once and for good, unless another node can take what it wants (promise P10).

import Links
import NIOCore
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

@Suite(.timeLimit(.minutes(patience))) struct MismatchTests {
  /// Its time stands still, so that no lease ends however slow the machine is.
  private let registry = MemoryRegistry(now: { 0 })
  private static let words = "this node asks for the cluster's key (--cluster-key-file)"

  /// Turns every router away by its key.
  private func stranger(_ id: String) async throws -> FakeNode {
    let node = FakeNode(id, greets: false) { frame, _, link in
      guard case .hello = frame else { return }
      link.send(.goAway(GoAway(reason: Self.words, within: 0, spread: 0)), stream: 0)
      link.close()
    }
    await node.register(registry, port: try await node.listen())
    return node
  }

  private func answer(to open: Open, at port: Int) async throws -> Frame {
    let client = try await RawClient.greet(port: port)
    client.send(.open(open), stream: 1)
    return try await client.frame("an answer", stream: 1) { _ in true }
  }

  private var new: Open { Open(session: .random(), create: Creation(), size: .standard) }

  private func refusal(of open: Open, at port: Int) async throws -> Refused {
    guard case .refused(let refusal) = try await answer(to: open, at: port) else {
      throw ChildError("it was opened")
    }
    return refusal
  }

  @Test func whereEveryNodeIsAStrangerNobodyIsToldToTryAgain() async throws {
    let nodes = [try await stranger("a"), try await stranger("b")]
    let (registry, new) = (registry, new)
    try await withRouter(registry) { port in
      var last = try await refusal(of: new, at: port)
      // The router may not have met both yet.
      for _ in 0..<100 where last.retry != nil {
        try await Task.sleep(for: .milliseconds(50))
        last = try await refusal(of: new, at: port)
      }
      #expect(last.code == .unavailable && last.retry == nil)
      for part in ["waiting does not help", "node a refuses", "node b refuses", Self.words] {
        #expect(last.message.contains(part), "\(last.message)")
      }
    }
    for node in nodes { try await node.stop() }
  }

  @Test func anotherNodeTakesIt() async throws {
    let strange = try await stranger("a")
    let alive = FakeNode("b") { frame, stream, link in
      guard case .linkOpen(let request) = frame, let session = request.open.session else { return }
      link.send(ScriptedNode.opened(session, resumed: .new), stream: stream)
    }
    await alive.register(registry, port: try await alive.listen())
    try await withRouter(registry) { port in
      for _ in 0..<10 {
        let answer = try await answer(to: new, at: port)
        #expect(answer.type == .opened)
      }
    }
    try await strange.stop()
    try await alive.stop()
  }

  @Test func oneThatMayComeBackIsWaitedFor() async throws {
    let strange = try await stranger("a")
    await FakeNode("b") { _, _, _ in }.register(registry, port: try freePort())
    try await withRouter(registry) { port in
      for _ in 0..<5 {
        let refusal = try await refusal(of: new, at: port)
        #expect(refusal.retry != nil, "\(refusal.message)")
      }
    }
    try await strange.stop()
  }

  @Test func aSessionThereIsOutOfReachForWhoNeverHadIt() {
    for resume in [nil, Resume(life: StreamUnderTest.life, next: 0, input: 0)] {
      var test = StreamUnderTest(resume: resume)
      var told: Refused?
      for _ in 0..<RouterLimits.attempts {
        test.handle(.found(StreamUnderTest.route()))
        told = test.handle(.linkBroke(because: Self.words, isFinal: true)).refusal
        test.handle(.timeToRetry)
      }
      #expect(told?.message == Self.words)
      #expect((told?.retry == nil) == (resume == nil), "what was had is waited for")
    }
  }
}
