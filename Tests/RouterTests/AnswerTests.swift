// Answers of a node to a router's questions: in many parts, and bounded (promise P6).

import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Registry
import Testing
import Wire

@testable import Router

@Suite struct AnswerTests {
  /// What becomes of a question that the node answers in so many parts.
  private func ask(parts: Int, ends: Bool) throws -> Result<NodeAnswer, any Error>? {
    let router = try EmbeddedRouter()
    router.node.onFrame = { node, frame, _ in
      guard case .request(let request) = frame else { return }
      for part in 1...parts {
        node.send(
          .response(
            LinkResponse(id: request.id, isLast: ends && part == parts, text: "x")), stream: 0)
      }
    }
    let route = Route(
      node: ScriptedNode.id, incarnation: ScriptedNode.incarnation, epoch: nil, loop: 0,
      address: ScriptedNode.entry().record.loops[0])
    let outcome = NIOLockedValueBox<Result<NodeAnswer, any Error>?>(nil)
    router.routerLoop.ask(route, LinkRequest(method: .sessions)).whenComplete { result in
      outcome.withLockedValue { $0 = result }
    }
    router.loop.run()
    return outcome.withLockedValue { $0 }
  }

  @Test func aLongAnswerIsTakenAndOneWithoutEndIsGivenUp() throws {
    let whole = try #require(try ask(parts: RouterLimits.answerParts, ends: true)).get()
    #expect(whole.text.utf8.count == RouterLimits.answerParts)
    let endless = try #require(
      try ask(parts: RouterLimits.answerParts + 1, ends: false), "it waits for the end")
    #expect(throws: WireError.self) { try endless.get() }
  }
}
