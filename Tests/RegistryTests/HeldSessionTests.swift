// Sessions whose terminals a holder keeps outlive their node (promise P11): the registry's rules, the same for both
// implementations.

import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import Redis
import TestSupport
import Testing
import Wire

@testable import Registry

@Suite(.timeLimit(.minutes(2 * patience))) struct HeldSessionTests {
  private let a = NodeID(unchecked: "a")
  private let b = NodeID(unchecked: "b")
  private let first = Incarnation(rawValue: 1)
  private let second = Incarnation(rawValue: 2)
  private let third = Incarnation(rawValue: 3)
  private let session = SessionID(unchecked: "s")
  private let holder = "3f0d2a6c-0b7e-4a57-9c5b-1f6f1c0a7a11/ab12"
  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func with(
    _ kind: Kind, _ body: (any Registry) async throws -> Void
  ) async throws {
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

  private func record(
    _ id: NodeID, _ incarnation: Incarnation, holder: String? = nil, hasRestored: Bool? = nil
  ) -> NodeRecord {
    NodeRecord(
      id: id, incarnation: incarnation, loops: [NodeAddress(host: "127.0.0.1", port: 1)],
      capacity: 10, holder: holder, hasRestored: hasRestored)
  }

  private func claim(
    _ session: SessionID, node: NodeID, _ incarnation: Incarnation, holder: String?,
    in registry: any Registry
  ) async throws -> Epoch {
    let result = try await registry.claim(
      session, node: node, incarnation: incarnation, creator: "ann", holder: holder)
    let epoch: Epoch? = if case .claimed(let epoch) = result { epoch } else { nil }
    return try #require(epoch, "\(result)")
  }

  @Test(arguments: Kind.allCases) func whoHadItIsKnownUntilTheSessionIsClosed(_ kind: Kind)
    async throws
  {
    try await with(kind) { (registry: any Registry) async throws in
      _ = try await registry.heartbeat(record(a, first, holder: holder))
      let epoch = try await claim(session, node: a, first, holder: holder, in: registry)
      let started = try #require(try await registry.lookUp(session)?.tenures.first)
      #expect(started.epoch == epoch && started.node == "a" && started.why == .started)
      #expect((started.since != nil) == (kind == .redis), "an epoch is a time there")
      let next = Epoch(epoch.rawValue + 1)
      func hold(_ history: [Tenure]) async throws {
        let holding = OwnedSession(epoch: next, creator: "ann", holder: holder, history: history)
        _ = try await registry.announce([session: holding], node: a, incarnation: second)
      }
      var history = (0..<40).map {
        Tenure(
          epoch: Epoch(UInt64($0)), node: String(repeating: "n", count: 64), since: .max,
          why: .takenOver)
      }
      try await hold([])
      try await hold(history)
      history = history.suffix(WireLimits.tenures)
      #expect(try await registry.lookUp(session)?.history == history, "what came late is taken")
      #expect(try await registry.sessions(limit: 1).sessions.first?.1.tenures == history)
      _ = try await registry.release(
        session, node: a, incarnation: second, epoch: next,
        tombstone: Tombstone(status: nil, reason: .killed))
      #expect(try await registry.lookUp(session)?.history == [])
    }
  }

  @Test(arguments: Kind.allCases) func aHolderIsNamedByTheRecordUntilTheSessionIsClosed(
    _ kind: Kind
  )
    async throws
  {
    try await with(kind) { (registry: any Registry) async throws in
      func found() async throws -> String? { try await registry.lookUp(session)?.holder }
      _ = try await registry.heartbeat(record(a, first, holder: holder))
      #expect(try await registry.nodes().map(\.record.holder) == [holder])
      let epoch = try await claim(session, node: a, first, holder: holder, in: registry)
      #expect(try await found() == holder)
      #expect(try await registry.sessions(limit: 1).sessions.first?.1.holder == holder)
      let silent = [session: OwnedSession(epoch: epoch, creator: "ann")]
      _ = try await registry.confirm(silent, node: a, incarnation: first)
      #expect(try await found() == holder, "a node that does not say it takes nothing back")
      let next = Epoch(epoch.rawValue + 1)
      let taken = [session: OwnedSession(epoch: next, creator: "ann", holder: holder)]
      #expect(
        try await registry.announce(taken, node: a, incarnation: second)
          == Announcement(repaired: [session]))
      #expect(
        try await registry.lookUp(session)
          == SessionRecord(
            node: a, incarnation: second, epoch: next, creator: "ann", holder: holder))
      #expect(
        try await registry.release(
          session, node: a, incarnation: second, epoch: next,
          tombstone: Tombstone(status: nil, reason: .exited)))
      #expect(try await found() == nil)
      _ = try await claim(session, node: a, first, holder: nil, in: registry)
      #expect(try await found() == nil, "another session")
      _ = try await claim(session, node: a, first, holder: "other/holder", in: registry)
      #expect(try await found() == "other/holder")
    }
  }

  /// What would make a record unreadable is not written.
  @Test(arguments: Kind.allCases) func aNameThatIsNoneIsAsNone(_ kind: Kind) async throws {
    try await with(kind) { (registry: any Registry) async throws in
      for (index, name) in ["", "two words", "é", String(repeating: "x", count: 301)].enumerated() {
        _ = try await registry.heartbeat(record(a, first, holder: name))
        let id = SessionID(unchecked: "s\(index)")
        let epoch = try await claim(id, node: a, first, holder: name, in: registry)
        #expect(try await registry.lookUp(id)?.holder == nil)
        let holding = [id: OwnedSession(epoch: epoch, holder: name)]
        _ = try await registry.confirm(holding, node: a, incarnation: first)
        #expect(try await registry.lookUp(id)?.holder == nil)
      }
      let longest = String(repeating: "x", count: 300)
      let epoch = try await claim(session, node: a, first, holder: longest, in: registry)
      #expect(try await registry.lookUp(session)?.holder == longest)
      #expect(epoch > Epoch(0))
    }
  }

  @Test func aRecordWithABadHolderIsUnreadable() async throws {
    try await with(.redis) { registry in
      let registry = try #require(registry as? RedisRegistry)
      _ = try await registry.heartbeat(record(a, first))
      _ = try await claim(session, node: a, first, holder: holder, in: registry)
      _ = try await registry.send(["HSET", registry.key(session), "holder", "two words"])
      let error = await #expect(throws: RegistryError.self) { try await registry.lookUp(session) }
      #expect(error?.code == .corrupt)
      #expect(try await registry.sessions(limit: 10).unread == [session])
    }
  }

  /// Who has a holder has its directory's lock.
  @Test(arguments: Kind.allCases) func aNodeThatKeptItsHolderNeedNotWaitForItsOwnLease(_ kind: Kind)
    async throws
  {
    try await with(kind) { (registry: any Registry) async throws in
      func beat(
        _ incarnation: Incarnation, holder: String?, isRenewal: Bool = false
      ) async throws -> Incarnation? {
        let result = try await registry.heartbeat(
          record(a, incarnation, holder: holder), isRenewal: isRenewal)
        return if case .refused(let other, _) = result { other } else { nil }
      }
      #expect(try await beat(first, holder: nil) == nil)
      #expect(try await beat(second, holder: holder) == first, "it had none")
      #expect(try await beat(first, holder: holder, isRenewal: true) == nil)
      #expect(try await beat(second, holder: nil) == first)
      #expect(try await beat(second, holder: "another/one") == first)
      #expect(try await beat(second, holder: holder, isRenewal: true) == first)
      #expect(try await beat(second, holder: holder) == nil)
      #expect(try await registry.nodes().map(\.record.incarnation) == [second])
      #expect(
        try await beat(first, holder: holder, isRenewal: true) == second,
        "it is told that it is over")
      #expect(try await beat(second, holder: holder, isRenewal: true) == nil)
    }
  }

  @Test(arguments: Kind.allCases) func aNodeThatWasStartedAnewSaysWhatBecameOfWhatItHeld(
    _ kind: Kind
  )
    async throws
  {
    try await with(kind) { (registry: any Registry) async throws in
      _ = try await registry.heartbeat(record(a, first, holder: holder))
      _ = try await registry.heartbeat(record(b, third))
      let other = SessionID(unchecked: "other")
      for id in [session, other] {
        _ = try await claim(id, node: a, first, holder: holder, in: registry)
      }
      let held = try #require(try await registry.lookUp(session))
      let rest = try #require(try await registry.lookUp(other))
      #expect(
        try await registry.heartbeat(record(a, second, holder: holder)) == .alive(.serve)
      )
      #expect(
        try await registry.claim(session, node: b, incarnation: third) == .owned(held),
        "no second process")
      let next = OwnedSession(epoch: Epoch(held.epoch.rawValue + 1), creator: "ann", holder: holder)
      _ = try await registry.announce([session: next], node: a, incarnation: second)
      _ = try await registry.heartbeat(
        record(a, second, holder: holder, hasRestored: true), isRenewal: true)
      #expect(try await registry.claim(other, node: b, incarnation: third) == .lost(rest))
      guard case .owned(let taken) = try await registry.claim(session, node: b, incarnation: third)
      else {
        Issue.record("what was taken up is lost")
        return
      }
      #expect(taken.epoch == next.epoch && taken.incarnation == second && taken.holder == holder)
    }
  }

  @Test func whatIsHeldIsLostOnceItsHolderHasEndedIt() async throws {
    let time = NIOLockedValueBox(0)
    let registry = MemoryRegistry(now: { time.withLockedValue { $0 } })
    _ = await registry.heartbeat(record(a, first, holder: holder), isRenewal: false)
    _ = try await claim(session, node: a, first, holder: holder, in: registry)
    let plain = SessionID(unchecked: "plain")
    _ = try await claim(plain, node: a, first, holder: nil, in: registry)
    func result(_ session: SessionID, after milliseconds: Int) async throws -> ClaimResult {
      time.withLockedValue { $0 = Lease.length + milliseconds }
      _ = await registry.heartbeat(record(b, third), isRenewal: false)
      return try await registry.claim(session, node: b, incarnation: third)
    }
    let held = try #require(try await registry.lookUp(session))
    let unheld = try #require(try await registry.lookUp(plain))
    #expect(try await result(plain, after: Lease.patience) == .lost(unheld))
    for time in [Lease.patience, WireLimits.orphan, Lease.orphanPatience - 1] {
      #expect(try await result(session, after: time) == .owned(held))
    }
    #expect(try await result(session, after: Lease.orphanPatience) == .lost(held))
    guard case .closed(let tombstone) = try await registry.lookUp(session)?.state else {
      Issue.record("it left no tombstone")
      return
    }
    #expect(tombstone.isLost && tombstone.creator == "ann")
  }

  @Test(arguments: Kind.allCases) func whatEarlierIncarnationsHadIsListed(_ kind: Kind) async throws
  {
    try await with(kind) { (registry: any Registry) async throws in
      var epochs: [SessionID: Epoch] = [:]
      for (id, node, incarnation) in [
        ("1", a, first), ("2", a, second), ("3", a, third), ("4", b, first),
      ] {
        epochs[SessionID(unchecked: id)] = try await {
          // A claim wants its node to be registered, which the next one of its name replaces.
          _ = try await registry.heartbeat(record(node, incarnation, holder: holder))
          return try await claim(
            SessionID(unchecked: id), node: node, incarnation, holder: id == "1" ? nil : holder,
            in: registry)
        }()
      }
      func listed(_ limit: Int) async throws -> [String] {
        try await registry.sessions(of: a, notIncarnation: third, limit: limit).sessions
          .map(\.0.rawValue)
      }
      #expect(try await listed(10) == ["1", "2"])
      #expect(try await listed(1).count == 1)
      let one = SessionID(unchecked: "1")
      #expect(
        try await registry.release(
          one, node: a, incarnation: first, epoch: try #require(epochs[one]),
          tombstone: Tombstone(status: nil, reason: .lost)))
      #expect(try await listed(10) == ["2"])
    }
  }
}

@Suite struct HeldOwnerStateTests {
  private func record(holder: String?) -> SessionRecord {
    SessionRecord(
      node: NodeID(unchecked: "a"), incarnation: Incarnation(rawValue: 1), epoch: Epoch(1),
      holder: holder)
  }

  private func node(
    _ incarnation: UInt64 = 1, lease: Int = 9_000, holder: String? = "boot/h",
    hasRestored: Bool? = nil
  ) -> NodeEntry {
    NodeEntry(
      record: NodeRecord(
        id: NodeID(unchecked: "a"), incarnation: Incarnation(rawValue: incarnation), loops: [],
        capacity: 1, holder: holder, hasRestored: hasRestored),
      leaseMilliseconds: lease)
  }

  /// Promises P10 and P11.
  @Test func whatIsHeldIsLostOnlyWhenNobodyCanComeBackForIt() {
    let held = record(holder: "boot/h")
    let other = Incarnation(rawValue: 2)
    let late = Lease.orphanPatience
    for (nodes, state, isLost, words) in [
      ([node()], OwnerState.alive, false, "owned by a"),
      (
        [node(lease: -2_000)], .silent(milliseconds: 2_000), false,
        "held on its node's machine by boot/h"
      ),
      ([node(lease: -40_000)], .held(milliseconds: 40_000), false, "40 s ago: the session goes on"),
      ([node(lease: 1 - late)], .held(milliseconds: late - 1), false, "within the hour"),
      ([node(lease: -late)], .dead(milliseconds: late), true, "lost, unless"),
      ([node(2)], .restarted(as: other), false, "has yet to say"),
      ([node(2, lease: -40_000)], .restarted(as: other), false, "has yet to say"),
      ([node(2, lease: -late)], .replaced(by: other), true, "lost"),
      ([node(2, hasRestored: true)], .replaced(by: other), true, "lost"),
      ([node(2, holder: nil)], .replaced(by: other), true, "lost"),
      ([node(2, holder: "boot/next")], .restarted(as: other), false, "has yet to say"),
      ([], .gone, true, "has left"),
    ] {
      #expect(held.ownerState(among: nodes) == state)
      #expect(held.isLost(among: nodes) == isLost)
      #expect(held.explanation(state).contains(words), "\(held.explanation(state))")
    }
    #expect(held.ownerState(among: [node(lease: .min)]).isLost)
    #expect(record(holder: nil).isLost(among: [node(lease: -40_000)]))
    #expect(record(holder: nil).isLost(among: [node(2)]))
  }

  @Test func howItEndedIsSaidWhileItsNodeIsAway() {
    var record = record(holder: "boot/h")
    let end = Tombstone(status: .exited(code: 1), reason: .exited)
    record.end = end
    #expect(record.tombstone(among: [node()]) == nil)
    #expect(record.tombstone(among: [node(2)]) == nil, "its last screen is about to be there again")
    #expect(record.tombstone(among: [node(lease: -40_000)]) == end)
    #expect(record.tombstone(among: [node(2, lease: -40_000)]) == end)
    #expect(record.tombstone(among: [node(2, hasRestored: true)]) == end)
    #expect(record.tombstone(among: []) == end)
  }

  /// Its last screen may be shown again: who asks for it waits, and who wants a new session of its name need not.
  @Test func whoAsksForAScreenThatIsKeptWaitsForItsNode() {
    var record = record(holder: "boot/h")
    record.end = Tombstone(status: .exited(code: 1), reason: .exited)
    let late = Lease.orphanPatience
    for (nodes, state, isLost, mayBeClaimed) in [
      ([node()], OwnerState.alive, false, false),
      ([node(lease: -2_000)], .silent(milliseconds: 2_000), false, false),
      ([node(lease: -40_000)], .ended(milliseconds: 40_000), false, true),
      ([node(2)], .restarted(as: Incarnation(rawValue: 2)), false, false),
      ([node(2, lease: -2_000)], .ended(milliseconds: 2_000), false, true),
      ([node(2, lease: -40_000)], .ended(milliseconds: 40_000), false, true),
      ([node(lease: -late)], .dead(milliseconds: late), true, true),
      ([node(2, lease: -late)], .replaced(by: Incarnation(rawValue: 2)), true, true),
      ([node(2, hasRestored: true)], .replaced(by: Incarnation(rawValue: 2)), true, true),
      ([], .gone, true, true),
    ] {
      #expect(record.ownerState(among: nodes) == state)
      #expect(state.isLost == isLost && state.mayBeClaimed == mayBeClaimed)
    }
    record.holder = nil
    #expect(record.ownerState(among: [node(lease: -40_000)]) == .dead(milliseconds: 40_000))
  }
}
