// A session whose holder did not answer when it was taken over is nobody's again, and its node tries again though no
// client asks (promise P11).

import NIOConcurrencyHelpers
import NIOCore
import Pipes
import Registry
import TestSupport
import Testing
import Wire

@testable import Node

@Suite(.timeLimit(.minutes(2 * patience))) struct PutBackTests {
  /// An engine whose holders do not answer, and later have nothing.
  private final class SilentEngine: PipeStarter {
    private let state = NIOLockedValueBox((asked: 0, isSilent: true))

    var asked: Int { state.withLockedValue { $0.asked } }
    func answers() { state.withLockedValue { $0.isSilent = false } }

    let homeName: String? = "boot/h"
    let labels = [HolderName.engineLabel: "e.k"]

    func start(_ request: PipeRequest, on eventLoop: any EventLoop)
      -> EventLoopFuture<NIOLoopBound<any Pipe>>
    { eventLoop.makeFailedFuture(PipeError(.unavailable, "it starts nothing")) }

    func kept(by holder: String, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>? {
      let isSilent = state.withLockedValue {
        $0.asked += 1
        return $0.isSilent
      }
      var kept = KeptEntries()
      kept.silent.areAnywhere = isSilent
      return eventLoop.makeSucceededFuture(kept)
    }
  }

  @Test func itsNodeTriesAgainUnasked() async throws {
    let memory = MemoryRegistry()
    let registry: any Registry = memory
    let (b, incarnation) = (NodeID(unchecked: "b"), Incarnation(rawValue: 1))
    let session = SessionID(unchecked: "s")
    _ = try await registry.heartbeat(
      NodeRecord(id: b, incarnation: incarnation, loops: [], capacity: 10), isRenewal: false)
    let holder = HolderName.Container(engine: "e.k", name: "c0ffee", user: nil).holder
    guard
      case .claimed(let epoch) = try await registry.claim(
        session, node: b, incarnation: incarnation, creator: nil, holder: holder)
    else { throw ChildError("it is not claimed") }
    let isFree = try await registry.letGo(
      of: session, node: b, incarnation: incarnation, epoch: epoch)
    #expect(isFree)
    let engine = SilentEngine()
    try await LinkedNode.run(pty: engine, registry: memory) { node in
      let link = try await node.link()
      link.open("s")
      #expect(try await link.refused().code == .unavailable)
      #expect(engine.asked == 1)
      #expect(try await registry.lookUp(session)?.state == .owned, "it is not told as lost")
      engine.answers()
      try await eventually("its holder is asked again", atMost: .seconds(60)) { engine.asked > 1 }
      try await eventually("that it is lost is known") {
        try await registry.lookUp(session)?.state != .owned
      }
    }
  }
}
