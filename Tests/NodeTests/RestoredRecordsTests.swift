// A node that was started anew says of all that its last run had that it has it, or that it is lost (promises P10, P11).

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Pipes
import Registry
import TestSupport
import Testing
import Wire

@testable import Node

@Suite(.timeLimit(.minutes(2 * patience))) struct RestoredRecordsTests {
  enum Kind: CaseIterable { case memory, redis }

  private let a = NodeID(unchecked: "a")
  private let b = NodeID(unchecked: "b")
  private let first = Incarnation(rawValue: 1)
  private let second = Incarnation(rawValue: 2)
  private let holder = "boot/h"
  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func with(_ kind: Kind, _ body: (any Registry) async throws -> Void) async throws {
    switch kind {
    case .memory: try await body(MemoryRegistry())
    case .redis:
      let server = try await RedisServer.start()
      let registry = try RedisRegistry(url: server.url, cluster: "test", logger: quiet)
      try await body(registry)
      await registry.shutdown()
      try await server.stop()
    }
  }

  private func register(
    _ node: NodeID, _ incarnation: Incarnation, in registry: any Registry
  ) async throws {
    _ = try await registry.heartbeat(
      NodeRecord(id: node, incarnation: incarnation, loops: [], capacity: 10, holder: holder))
  }

  /// More than are released at a time.
  private let lost = (0..<NodeLimits.lostAtOnce + 20).map { SessionID(unchecked: "lost\($0)") }
  private let kept = SessionID(unchecked: "kept")
  private let elsewhere = SessionID(unchecked: "elsewhere")

  /// What the last run of a, and b, have.
  private func fill(_ registry: any Registry) async throws -> [SessionID: OwnedSession] {
    try await register(a, first, in: registry)
    try await register(b, first, in: registry)
    var held: [SessionID: OwnedSession] = [:]
    for (index, id) in (lost + [kept]).enumerated() {
      held[id] = OwnedSession(
        epoch: Epoch(5), creator: "ann", holder: index % 2 == 0 || id == kept ? holder : nil)
    }
    held[lost[0]]?.end = Tombstone(status: .exited(code: 3), reason: .exited, creator: "ann")
    _ = try await registry.announce(held, node: a, incarnation: first)
    _ = try await registry.announce(
      [elsewhere: OwnedSession(epoch: Epoch(5))], node: b, incarnation: first)
    try await register(a, second, in: registry)
    return held
  }

  @Test(arguments: Kind.allCases) func whatItDoesNotHaveIsLost(_ kind: Kind) async throws {
    try await with(kind) { registry in
      let held = try await fill(registry)
      let records = SessionRecords(registry, node: a, incarnation: second, logger: quiet)
      var restored = try #require(held[kept])
      restored.epoch = Epoch(6)
      _ = try await registry.announce([kept: restored], node: a, incarnation: second)
      #expect(!records.hasRestored)
      await records.releaseLost { [kept] }
      #expect(records.hasRestored)
      for id in lost {
        guard case .closed(let tombstone) = try await registry.lookUp(id)?.state else {
          Issue.record("\(id) is not closed")
          continue
        }
        #expect(tombstone.creator == "ann")
        #expect(
          tombstone.reason == (id == lost[0] ? .exited : .lost), "what is known of its end stays")
      }
      let record = try await registry.lookUp(kept)
      #expect(record?.state == .owned && record?.incarnation == second && record?.holder == holder)
      #expect(try await registry.lookUp(elsewhere)?.state == .owned)
    }
  }

  /// A node goes on with what was kept while the registry is away, and a session ends. Once Redis is back the node has yet
  /// to register when that is noted: a client of it was told that it is gone.
  @Test(arguments: Kind.allCases) func nothingIsSaidOfASessionBeforeItsNodeIsKnown(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      try await register(a, first, in: registry)
      let held = OwnedSession(epoch: Epoch(5), holder: holder)
      _ = try await registry.announce([kept: held], node: a, incarnation: first)
      _ = try await registry.heartbeat(
        NodeRecord(
          id: a, incarnation: first, loops: [], capacity: 10, holder: holder, hasRestored: true),
        isRenewal: true)
      let records = SessionRecords(registry, node: a, incarnation: second, logger: quiet)
      let ended = OwnedSession(
        epoch: Epoch(6), end: Tombstone(status: .exited(code: 3), reason: .exited), holder: holder)
      await #expect(throws: RegistryError.self) { try await records.confirm(kept, ended) }
      await #expect(throws: RegistryError.self) {
        try await records.claim(elsewhere, creator: nil, holder: holder)
      }
      let record = try #require(try await registry.lookUp(kept))
      #expect(record.incarnation == first && record.end == nil)
      #expect(record.ownerState(among: try await registry.nodes()) == .alive)
      // Once it has registered, that is known, and told.
      try await register(a, second, in: registry)
      records.nodeHasRegistered()
      #expect(try await records.confirm(kept, ended).repaired == [kept])
      let told = try #require(try await registry.lookUp(kept))
      #expect(told.ownerState(among: try await registry.nodes()) == .alive && told.end != nil)
    }
  }

  /// A container that is paused says nothing of its sessions; that is no reason to wait with all others.
  @Test(arguments: Kind.allCases) func onlyWhatASilentHolderMayHaveIsWaitedFor(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      let (silent, other) = (String(repeating: "a", count: 64), String(repeating: "b", count: 64))
      func holder(_ container: String) -> String {
        HolderName.Container(engine: "e.k", name: container, user: nil).holder
      }
      var held: [SessionID: OwnedSession] = [:]
      // More than are looked at together.
      for id in lost { held[id] = OwnedSession(epoch: Epoch(5), holder: holder(silent)) }
      let named = SessionID(unchecked: "named")
      held[named] = OwnedSession(epoch: Epoch(5), holder: holder("by-its-name"))
      let told = ["told1", "told2", "told3"].map(SessionID.init(unchecked:))
      held[told[0]] = OwnedSession(epoch: Epoch(5), holder: holder(other))
      held[told[1]] = OwnedSession(epoch: Epoch(5), holder: self.holder)
      held[told[2]] = OwnedSession(epoch: Epoch(5))
      try await register(a, first, in: registry)
      _ = try await registry.announce(held, node: a, incarnation: first)
      try await register(a, second, in: registry)
      let records = SessionRecords(registry, node: a, incarnation: second, logger: quiet)

      await records.releaseLost(without: SilentHolders(containers: [silent])) { [] }
      #expect(!records.hasRestored)
      for id in told { #expect(try await registry.lookUp(id)?.state != .owned) }
      for id in lost + [named] { #expect(try await registry.lookUp(id)?.state == .owned) }

      await records.releaseLost { [] }
      #expect(records.hasRestored)
      for id in lost + [named] { #expect(try await registry.lookUp(id)?.state != .owned) }
    }
  }

  /// Its processes ended with that one, whatever containers have yet to say.
  @Test(arguments: Kind.allCases) func whatAnEarlierStartOfTheMachineHeldIsLost(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      var record = NodeRecord(
        id: a, incarnation: first, loops: [], capacity: 10, holder: "earlier/h")
      _ = try await registry.heartbeat(record)
      let held = OwnedSession(epoch: Epoch(5), holder: "earlier/h")
      _ = try await registry.announce([kept: held], node: a, incarnation: first)
      (record.incarnation, record.holder) = (second, "later/h")
      guard case .refused = try await registry.heartbeat(record) else {
        Issue.record("it is believed to have what the other one had")
        return
      }
      try await registry.leave(a, incarnation: first)
      _ = try await registry.heartbeat(record)
      let records = SessionRecords(registry, node: a, incarnation: second, logger: quiet)
      await records.releaseLost(without: SilentHolders(areAnywhere: true)) { [] }
      guard case .closed(let tombstone) = try await registry.lookUp(kept)?.state else {
        Issue.record("it is not told as lost")
        return
      }
      #expect(tombstone.isLost)
    }
  }

  /// It would be taken for lost on that word.
  @Test(arguments: Kind.allCases) func whatItHasAndTheRegistryDoesNotKnowYetIsNotLost(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      _ = try await fill(registry)
      let records = SessionRecords(registry, node: a, incarnation: second, logger: quiet)
      let all = Set(lost + [kept])
      let asked = NIOLockedValueBox(0)
      let releasing = Task {
        await records.releaseLost {
          asked.withLockedValue { $0 += 1 }
          return all
        }
      }
      try await eventually("it has looked") { asked.withLockedValue { $0 } > 1 }
      #expect(!records.hasRestored)
      #expect(try await registry.lookUp(kept)?.state == .owned)
      #expect(try await registry.lookUp(lost[1])?.state == .owned)
      let held = Dictionary(
        uniqueKeysWithValues: all.map { ($0, OwnedSession(epoch: Epoch(6), holder: holder)) })
      _ = try await registry.announce(held, node: a, incarnation: second)
      await releasing.value
      #expect(records.hasRestored)
    }
  }

  /// It was an earlier start's by its record, and this one had it from the holder.
  @Test(arguments: Kind.allCases) func howItEndedBeforeTheRegistryHeardOfItIsKnown(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      _ = try await fill(registry)
      let records = SessionRecords(registry, node: a, incarnation: second, logger: quiet)
      records.nodeHasRegistered()
      let end = Tombstone(status: .exited(code: 7), reason: .exited, creator: "ann")
      records.release(kept, epoch: Epoch(6), tombstone: end)
      records.disown(lost[1], epoch: Epoch(6))
      await records.waitForReleases(atMost: .seconds(10) * patience)
      #expect(try await registry.lookUp(kept)?.state == .closed(end))
      #expect(
        try await registry.lookUp(lost[1])?.state == .owned, "only of that epoch it is disowned")
      // What another has by now is that one's.
      let other = OwnedSession(epoch: Epoch(9))
      _ = try await registry.announce([lost[2]: other], node: b, incarnation: first)
      records.release(lost[2], epoch: Epoch(6), tombstone: end)
      await records.waitForReleases(atMost: .seconds(10) * patience)
      #expect(try await registry.lookUp(lost[2])?.state == .owned)
    }
  }
}
