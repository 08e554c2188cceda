// A registry that does not answer holds back only what asks it (promises P5, P7).

import Cluster
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import TestSupport
import Testing
import Wire

@testable import Router

/// Knows its nodes, and never says where a session is.
private final class SilentRegistry: Registry {
  private let memory = MemoryRegistry()

  func lookUp(_ session: SessionID) async throws -> SessionRecord? {
    try await Task.sleep(for: .seconds(86_400))
    return nil
  }

  func heartbeat(_ record: NodeRecord, isRenewal: Bool) async throws -> HeartbeatResult {
    await memory.heartbeat(record, isRenewal: isRenewal)
  }
  func announce(
    _ sessions: [SessionID: Holding], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement {
    await memory.announce(sessions, node: node, incarnation: incarnation)
  }
  func confirm(
    _ sessions: [SessionID: Holding], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement {
    await memory.confirm(sessions, node: node, incarnation: incarnation)
  }
  func leave(_ node: NodeID, incarnation: Incarnation) async throws {}
  func nodes() async throws -> [NodeEntry] { await memory.nodes() }
  func setDraining(_ node: NodeID, _ isDraining: Bool) async throws -> Bool { false }
  func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, owner: String?
  ) async throws -> ClaimResult { throw RegistryError(.timedOut, "silent") }
  func release(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, epoch: Epoch,
    tombstone: Tombstone?
  ) async throws -> Bool { false }
  func sessions(limit: Int) async throws -> [(SessionID, SessionRecord)] { [] }
  func sessions(notOn nodes: [NodeID: Incarnation], limit: Int) async throws
    -> [(SessionID, SessionRecord)]
  { [] }
  func identity() async throws -> RegistryIdentity { await memory.identity() }
  func warnings() async throws -> [String] { [] }
  func shutdown() async {}
}

@Suite struct SlowRegistryTests {
  @Test func terminalsGoOnWhileOthersAreLookedUp() throws {
    let router = try EmbeddedRouter(registry: SilentRegistry())
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
    let router = try EmbeddedRouter(registry: SilentRegistry())
    try router.greet()
    for stream in 1...500 as ClosedRange<UInt64> {
      try router.send(.open(Open(session: .random(), size: .standard)), stream: stream)
      try router.send(.close(.done), stream: stream)
    }
    try router.send(.ping(9), stream: 0)
    #expect(try router.frames(stream: 0).contains(.pong(9)))
  }
}
