// A registry that does not answer holds back only what asks it (promises P5, P7).

import Links
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOPosix
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

/// Knows its nodes, and while it is silent says of no session where it is.
private final class SilentRegistry: PartialRegistry {
  let memory = MemoryRegistry()
  /// Runs until it speaks.
  private let silence = NIOLockedValueBox<Task<Void, any Error>?>(nil)
  private let asked = NIOLockedValueBox(0)

  /// Look-ups that wait for its answer.
  var waiting: Int { asked.withLockedValue { $0 } }

  func fallSilent() {
    silence.withLockedValue { $0 = Task { try await Task.sleep(for: .seconds(86_400)) } }
  }

  func speak() { silence.withLockedValue { $0 }?.cancel() }

  func lookUp(_ session: SessionID) async throws -> SessionRecord? {
    asked.withLockedValue { $0 += 1 }
    defer { asked.withLockedValue { $0 -= 1 } }
    _ = await silence.withLockedValue { $0 }?.result
    return try await memory.lookUp(session)
  }
}

@Suite struct SlowRegistryTests {
  /// It never speaks: what it said would come from another thread than the embedded loop's.
  private func silent() -> SilentRegistry {
    let registry = SilentRegistry()
    registry.fallSilent()
    return registry
  }

  @Test func terminalsGoOnWhileOthersAreLookedUp() throws {
    let router = try EmbeddedRouter(registry: silent())
    try router.greet()
    try router.open(SessionID(unchecked: "live"))
    let streams = UInt64(RouterLimits.lookUps + 10)
    for stream in 2...streams {
      try router.send(.open(Open(session: .random(), size: .standard)), stream: stream)
    }
    try router.send(.ping(7), stream: 0)
    #expect(try router.frames(stream: 0).contains(.pong(7)))
    try router.send(.input(offset: 0, ByteBuffer(string: "x")), stream: 1)
    #expect(router.nodeHeard(1).contains(.input(offset: 0, ByteBuffer(string: "x"))))
    // Another whose owner is known asks nobody.
    try router.send(.close(.done), stream: 2)
    try router.open(SessionID(unchecked: "known"), stream: streams + 1)
    #expect(router.channel.isActive)
  }

  /// Every stream of a link that breaks wants to know whether its owner has changed.
  @Test(.timeLimit(.minutes(2 * patience)))
  func terminalsGoOnWhileThoseOfABrokenLinkAreLookedUp() async throws {
    let registry = SilentRegistry()
    let script: FakeNode.Script = { frame, stream, link in
      switch frame {
      case .linkOpen(let request):
        if let session = request.open.session {
          link.send(ScriptedNode.opened(session), stream: stream)
        }
      case .input(let offset, let bytes):
        link.send(.inputAck(offset: offset + UInt64(bytes.readableBytes)), stream: stream)
      default: break
      }
    }
    let (broken, healthy) = (FakeNode("a", script: script), FakeNode("b", script: script))
    let (port, other) = (try await broken.listen(port: try freePort()), try await healthy.listen())
    @Sendable func register() async {
      await broken.register(registry.memory, port: port)
      await healthy.register(registry.memory, port: other)
    }
    await register()
    // Their leases are real.
    let renewing = Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .seconds(1))
        await register()
      }
    }
    defer { renewing.cancel() }
    let reopened = 1...UInt64(RouterLimits.lookUps + 4)
    let live = reopened.upperBound + 1
    for stream in 1...live {
      _ = try await registry.memory.claim(
        SessionID(unchecked: "s\(stream)"), node: stream == live ? healthy.id : broken.id,
        incarnation: ScriptedNode.incarnation)
    }
    try await withRouter(registry) { routerPort in
      let client = try await RawClient.greet(port: routerPort)
      let living = client.keepAlive()
      defer { living.cancel() }
      for stream in 1...live {
        client.send(
          .open(Open(session: SessionID(unchecked: "s\(stream)"), size: .standard)),
          stream: stream)
      }
      for stream in 1...live {
        try await client.frame("OPENED", stream: stream) { $0.type == .opened }
      }
      registry.fallSilent()
      defer { registry.speak() }
      try await broken.stop()
      try await eventually("as many as may ask at a time do") {
        registry.waiting >= RouterLimits.lookUps
      }
      client.send(.input(offset: 0, ByteBuffer(string: "x")), stream: live)
      client.send(.ping(7), stream: 0)
      try await client.frame("PONG", stream: 0) { $0 == .pong(7) }
      try await client.frame("INPUT_ACK", stream: live) { $0 == .inputAck(offset: 1) }
      #expect(registry.waiting >= RouterLimits.lookUps, "nobody was answered meanwhile")
      _ = try await broken.listen(port: port)
      registry.speak()
      for stream in reopened {
        try await eventually("stream \(stream) is open again") {
          try client.frames(stream: stream).filter { $0.type == .opened }.count == 2
        }
      }
      #expect(try client.frames(stream: live).map(\.type) == [.opened, .inputAck])
    }
    try await broken.stop()
    try await healthy.stop()
  }

  /// It is told to stop while it still asks for the list of nodes.
  @Test(.timeLimit(.minutes(patience))) func aShutdownBeforeItListensIsNotLost() async throws {
    let router = try await Router(
      RouterConfiguration(
        name: "test", host: "127.0.0.1", port: 0,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
      registry: MemoryRegistry(), group: MultiThreadedEventLoopGroup.singleton)
    await router.drain(atMost: .zero)
    try await router.run { _ in Issue.record("it listens") }
  }

  /// What is closed while it waits costs nothing, and what was closed while it was looked up frees nothing early.
  @Test func openingAndClosingBuysNoMoreLookUps() throws {
    let router = try EmbeddedRouter(registry: silent())
    try router.greet()
    for stream in 1...500 as ClosedRange<UInt64> {
      try router.send(.open(Open(session: .random(), size: .standard)), stream: stream)
      try router.send(.close(.done), stream: stream)
    }
    try router.send(.ping(9), stream: 0)
    #expect(try router.frames(stream: 0).contains(.pong(9)))
  }
}
