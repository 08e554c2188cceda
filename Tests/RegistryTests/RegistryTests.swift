// The registry's rules (promises P3, P4, P10), the same for both implementations.

import Foundation
import Logging
import Registry
import TestSupport
import Testing
import Wire

enum Kind: String, CaseIterable, Sendable { case memory, redis }

@Suite(.timeLimit(.minutes(2 * patience))) struct RegistryTests {
  private let a = NodeID(unchecked: "a")
  private let b = NodeID(unchecked: "b")
  private let first = Incarnation(rawValue: 1)
  private let second = Incarnation(rawValue: 2)
  private let session = SessionID(unchecked: "s")

  /// - Parameters:
  ///   - grace: milliseconds.
  ///   - tombstones: how many are kept.
  private func with(
    _ kind: Kind, grace: Int = Lease.grace, tombstones: Int = RegistryLimits.tombstones,
    _ body: (any Registry) async throws -> Void
  ) async throws {
    switch kind {
    case .memory: try await body(MemoryRegistry(mostTombstones: tombstones, grace: grace))
    case .redis:
      let server = try await RedisServer.start()
      let registry = try RedisRegistry(
        url: server.url, cluster: "test", mostTombstones: tombstones, grace: grace,
        logger: Logger(label: "test"))
      try await body(registry)
      await registry.shutdown()
      try await server.stop()
    }
  }

  private func record(_ id: NodeID, _ incarnation: Incarnation, sessions: Int = 0) -> NodeRecord {
    NodeRecord(
      id: id, incarnation: incarnation, loops: [NodeAddress(host: "127.0.0.1", port: 1)],
      labels: ["zone": "x"], weight: 2, capacity: 10, sessions: sessions, version: "1")
  }

  /// A claim that nothing stands in the way of.
  private func claim(
    _ session: SessionID, node: NodeID, incarnation: Incarnation, creator: String? = nil,
    in registry: any Registry
  ) async throws -> Epoch {
    let result = try await registry.claim(
      session, node: node, incarnation: incarnation, creator: creator)
    let epoch: Epoch? = if case .claimed(let epoch) = result { epoch } else { nil }
    return try #require(epoch, "\(result)")
  }

  @Test(arguments: Kind.allCases) func aNodeIsListedAsItDescribesItself(_ kind: Kind) async throws {
    try await with(kind) { registry in
      #expect(try await registry.nodes().isEmpty)
      #expect(try await registry.heartbeat(record(b, first)) == .alive(.serve))
      #expect(try await registry.heartbeat(record(a, first)) == .alive(.serve))
      #expect(
        try await registry.heartbeat(record(a, first, sessions: 3)) == .alive(.serve))
      let nodes = try await registry.nodes()
      #expect(nodes.map(\.record) == [record(a, first, sessions: 3), record(b, first)])
      #expect(nodes.allSatisfy { $0.isLive && !$0.isDraining && !$0.isDead })
    }
  }

  @Test(arguments: Kind.allCases) func aLiveNodesNameIsNotTaken(_ kind: Kind) async throws {
    try await with(kind) { registry in
      _ = try await registry.heartbeat(record(a, first))
      guard
        case .refused(let holder, let left) = try await registry.heartbeat(record(a, second))
      else {
        Issue.record("a second process took the name")
        return
      }
      #expect(holder == first)
      #expect((1...Lease.length).contains(left))
      try await registry.leave(a, incarnation: second)
      #expect(try await registry.nodes().count == 1, "only the holder ends its lease")
      try await registry.leave(a, incarnation: first)
      #expect(try await registry.nodes().isEmpty)
      #expect(try await registry.heartbeat(record(a, second)) == .alive(.serve))
    }
  }

  @Test(arguments: Kind.allCases) func drainingOutlivesHeartbeats(_ kind: Kind) async throws {
    try await with(kind) { registry in
      #expect(try await registry.setWish(a, .drain) == false, "no such node")
      _ = try await registry.heartbeat(record(a, first))
      #expect(try await registry.setWish(a, .drain))
      #expect(try await registry.heartbeat(record(a, first)) == .alive(.drain))
      #expect(try await registry.nodes().first?.isDraining == true)
      #expect(try await registry.setWish(a, .serve))
      #expect(try await registry.heartbeat(record(a, first)) == .alive(.serve))
    }
  }

  @Test(arguments: Kind.allCases) func drainingOutlivesARestart(_ kind: Kind) async throws {
    try await with(kind) { registry in
      _ = try await registry.heartbeat(record(a, first))
      #expect(try await registry.setWish(a, .drain))
      try await registry.leave(a, incarnation: first)
      #expect(try await registry.nodes().isEmpty, "what has left is not listed")
      #expect(try await registry.heartbeat(record(a, second)) == .alive(.drain))
      try await registry.leave(a, incarnation: second)
      #expect(try await registry.setWish(a, .serve), "also while it is away")
      #expect(try await registry.heartbeat(record(a, first)) == .alive(.serve))
    }
  }

  @Test(arguments: Kind.allCases) func oneOwnerAtATime(_ kind: Kind) async throws {
    try await with(kind) { registry in
      _ = try await registry.heartbeat(record(a, first))
      _ = try await registry.heartbeat(record(b, second))
      #expect(try await registry.lookUp(session) == nil)
      guard
        case .claimed(let epoch) = try await registry.claim(session, node: a, incarnation: first)
      else {
        Issue.record("a free session could not be claimed")
        return
      }
      let owner = SessionRecord(node: a, incarnation: first, epoch: epoch)
      #expect(
        try await registry.claim(session, node: a, incarnation: first) == .claimed(epoch),
        "a retry after a lost reply is harmless")
      #expect(try await registry.claim(session, node: b, incarnation: second) == .owned(owner))
      #expect(try await registry.lookUp(session) == owner)
      let listed = try await registry.sessions(limit: 10).sessions
      #expect(listed.count == 1 && listed[0].0 == session && listed[0].1 == owner)
    }
  }

  @Test(arguments: Kind.allCases) func onlyTheOwnerReleasesAndEpochsRise(_ kind: Kind) async throws
  {
    try await with(kind) { registry in
      _ = try await registry.heartbeat(record(a, first))
      let epoch = try await claim(session, node: a, incarnation: first, in: registry)
      let tombstone = Tombstone(
        status: .exited(code: 3), reason: .exited, ended: 1_764_453_600_000, creator: "ann")
      for (node, incarnation, wrong) in [
        (b, first, epoch), (a, second, epoch), (a, first, Epoch(epoch.rawValue + 1)),
      ] {
        #expect(
          try await registry.release(
            session, node: node, incarnation: incarnation, epoch: wrong, tombstone: tombstone)
            == false)
      }
      #expect(
        try await registry.release(
          session, node: a, incarnation: first, epoch: epoch, tombstone: tombstone))
      #expect(
        try await registry.lookUp(session)
          == SessionRecord(
            node: a, incarnation: first, epoch: epoch, state: .closed(tombstone), creator: "ann"))
      #expect(
        try await registry.release(
          session, node: a, incarnation: first, epoch: epoch, tombstone: nil) == false)
      guard case .claimed(let next) = try await registry.claim(session, node: a, incarnation: first)
      else {
        Issue.record("a tombstone is no hindrance")
        return
      }
      #expect(next > epoch)
      #expect(
        try await registry.release(
          session, node: a, incarnation: first, epoch: next, tombstone: nil))
      #expect(try await registry.lookUp(session) == nil, "a pipe that never started leaves nothing")
    }
  }

  @Test(arguments: Kind.allCases) func whatADeadNodeOwnedIsLostAndSaidToBe(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      _ = try await registry.heartbeat(record(a, first))
      _ = try await registry.heartbeat(record(b, second))
      let epoch = try await claim(
        session, node: a, incarnation: first, creator: "ann", in: registry)
      try await registry.leave(a, incarnation: first)
      _ = try await registry.heartbeat(record(a, second))
      let lost = SessionRecord(node: a, incarnation: first, epoch: epoch, creator: "ann")
      #expect(try await registry.claim(session, node: b, incarnation: second) == .lost(lost))
      guard case .closed(let tombstone) = try await registry.lookUp(session)?.state else {
        Issue.record("it left no tombstone")
        return
      }
      #expect(tombstone.isLost && tombstone.creator == "ann")
      #expect(tombstone.ended == nil, "its node was started anew, nobody knows when")
      guard
        case .claimed(let next) = try await registry.claim(session, node: b, incarnation: second)
      else {
        Issue.record("lost is said once")
        return
      }
      #expect(next > epoch)
    }
  }

  /// Promise P10: only what nobody knows the end of is lost.
  @Test(arguments: Kind.allCases) func aSessionThatHadEndedIsNotLostWithItsNode(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      let end = Tombstone(status: .exited(code: 9), reason: .exited, ended: 1_000, creator: "ann")
      for id in [session, SessionID(unchecked: "other")] {
        _ = try await registry.heartbeat(record(a, first))
        _ = try await registry.heartbeat(record(b, second))
        guard
          case .claimed(let epoch) = try await registry.claim(
            id, node: a, incarnation: first, creator: "ann")
        else {
          Issue.record("\(id) was not claimed")
          return
        }
        let ended = [id: OwnedSession(epoch: epoch, creator: "ann", end: end)]
        for _ in 0..<2 {
          #expect(
            try await registry.confirm(ended, node: a, incarnation: first) == Announcement())
        }
        #expect(
          try await registry.lookUp(id)
            == SessionRecord(node: a, incarnation: first, epoch: epoch, creator: "ann", end: end))
        if id == session {
          try await registry.leave(a, incarnation: first)
          guard
            case .claimed(let next) = try await registry.claim(id, node: b, incarnation: second)
          else {
            Issue.record("it is said to be lost")
            return
          }
          #expect(next > epoch)
          #expect(try await registry.lookUp(id)?.end == nil, "the new one runs")
          #expect(
            try await registry.confirm(ended, node: a, incarnation: first).superseded == [id])
        } else {
          // As who finds that it is not where its record says.
          #expect(
            try await registry.release(
              id, node: a, incarnation: first, epoch: epoch,
              tombstone: Tombstone(status: nil, reason: .lost)))
          #expect(try await registry.lookUp(id)?.state == .closed(end))
        }
      }
    }
  }

  @Test(arguments: Kind.allCases) func ofManyClaimsOneWins(_ kind: Kind) async throws {
    try await with(kind) { registry in
      let nodes = (0..<8).map { NodeID(unchecked: "n\($0)") }
      for round in 0..<20 {
        // On a busy machine the rounds outlast a lease.
        for node in nodes { _ = try await registry.heartbeat(record(node, first)) }
        let id = SessionID(unchecked: "race\(round)")
        let won = try await withThrowingTaskGroup(of: Bool.self) { tasks in
          for node in nodes {
            tasks.addTask {
              if case .claimed = try await registry.claim(id, node: node, incarnation: first) {
                return true
              }
              return false
            }
          }
          return try await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(won == 1)
      }
    }
  }

  /// Promise P10: what a registry has forgotten is not taken for what never was.
  @Test(arguments: Kind.allCases) func aRegistryThatLostItsDataLearnsItFromTheNodes(_ kind: Kind)
    async throws
  {
    // Longer than any machine takes for the few questions within it.
    try await with(kind, grace: 120_000) { (registry: any Registry) async throws in
      let other = SessionID(unchecked: "other")
      #expect(
        try await registry.heartbeat(record(a, first), isRenewal: true) == .outdated(.lostData))
      #expect(
        try await registry.heartbeat(record(a, first), isRenewal: true) == .outdated(.lostData),
        "a reply that was lost is said again")
      for ask in [
        { _ = try await registry.lookUp(session) },
        { _ = try await registry.claim(other, node: a, incarnation: first) },
      ] as [() async throws -> Void] {
        let error = await #expect(throws: RegistryError.self) { try await ask() }
        #expect(error?.code == .unsettled)
      }
      #expect(
        try await registry.announce(
          [session: OwnedSession(epoch: Epoch(7), creator: "ann")], node: a, incarnation: first)
          == Announcement(repaired: [session]))
      #expect(
        try await registry.lookUp(session)
          == SessionRecord(node: a, incarnation: first, epoch: Epoch(7), creator: "ann"))
      #expect(
        try await registry.heartbeat(record(a, first), isRenewal: true) == .alive(.serve)
      )
    }
  }

  /// Promises P3 and P5: a node that was only silent finds again what was taken for lost, and nothing that
  /// another has made of it since.
  @Test(arguments: Kind.allCases) func aNodeThatWasTakenForDeadSaysWhatItHolds(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      let (kept, gone) = (SessionID(unchecked: "kept"), SessionID(unchecked: "gone"))
      let exited = Tombstone(status: nil, reason: .exited)
      func claim(_ session: SessionID, _ node: NodeID, _ incarnation: Incarnation) async throws
        -> ClaimResult
      { try await registry.claim(session, node: node, incarnation: incarnation) }
      _ = try await registry.heartbeat(record(a, first))
      var held: [SessionID: OwnedSession] = [:]
      for id in [session, kept, gone] {
        if case .claimed(let epoch) = try await claim(id, a, first) {
          held[id] = OwnedSession(epoch: epoch)
        }
      }
      let epoch = try #require(held[gone]).epoch
      #expect(
        try await registry.release(
          gone, node: a, incarnation: first, epoch: epoch, tombstone: exited))
      try await eventually("the silent node counts as dead") {
        _ = try await registry.heartbeat(record(b, second))
        return try await registry.nodes().contains { $0.record.id == a && $0.isDead }
      }
      for id in [session, kept] {
        guard case .lost = try await claim(id, b, second) else {
          Issue.record("\(id) is not lost")
          return
        }
      }
      guard case .closed(let tombstone) = try await registry.lookUp(kept)?.state else {
        Issue.record("it left no tombstone")
        return
      }
      let now = UInt64(Date().timeIntervalSince1970 * 1_000)
      #expect(
        try #require(tombstone.ended) <= now - 5_000,
        "when its lease ended, not when it was asked for")
      guard case .claimed(let next) = try await claim(session, b, second) else {
        Issue.record("lost is said once")
        return
      }
      for _ in 0..<2 {
        #expect(
          try await registry.heartbeat(record(a, first), isRenewal: true)
            == .outdated(.takenForDead))
      }
      #expect(
        try await registry.announce(held, node: a, incarnation: first)
          == Announcement(superseded: [session], repaired: [kept]), "the larger epoch wins")
      #expect(
        try await registry.lookUp(session)
          == SessionRecord(node: b, incarnation: second, epoch: next))
      #expect(try await registry.lookUp(kept)?.state == .owned, "it was never lost")
      #expect(try await registry.lookUp(gone)?.state == .closed(exited), "and this had ended")
      #expect(
        try await registry.heartbeat(record(a, first), isRenewal: true) == .alive(.serve)
      )
    }
  }

  @Test(arguments: Kind.allCases) func whenTheNodesHaveAnnouncedWhatIsUnknownDoesNotExist(
    _ kind: Kind
  ) async throws {
    try await with(kind, grace: 50) { registry in
      #expect(
        try await registry.heartbeat(record(a, first), isRenewal: true) == .outdated(.lostData))
      _ = try await registry.announce([:], node: a, incarnation: first)
      try await eventually("the grace is over") {
        (try? await registry.claim(session, node: a, incarnation: first)) != nil
      }
    }
  }

  @Test(arguments: Kind.allCases) func ofTwoThatAnnounceASessionTheLargerEpochWins(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      _ = try await registry.heartbeat(record(a, first))
      _ = try await registry.heartbeat(record(b, second))
      let (five, nine) = (OwnedSession(epoch: Epoch(5)), OwnedSession(epoch: Epoch(9)))
      let won = Announcement(repaired: [session])
      let lost = Announcement(superseded: [session])
      #expect(
        try await registry.announce([session: five], node: a, incarnation: first) == won)
      #expect(
        try await registry.announce([session: nine], node: b, incarnation: second) == won)
      #expect(
        try await registry.announce([session: five], node: a, incarnation: first) == lost)
      #expect(
        try await registry.announce([session: nine], node: a, incarnation: first) == lost)
      #expect(
        try await registry.lookUp(session)
          == SessionRecord(node: b, incarnation: second, epoch: Epoch(9)))
      #expect(
        try await registry.release(
          session, node: b, incarnation: second, epoch: Epoch(9),
          tombstone: Tombstone(status: nil, reason: .exited)))
      guard case .claimed(let next) = try await registry.claim(session, node: a, incarnation: first)
      else {
        Issue.record("a closed session could not be claimed")
        return
      }
      #expect(next > Epoch(9))
    }
  }

  @Test(arguments: Kind.allCases) func epochsRiseEvenWhereTheLastIsForgotten(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      _ = try await registry.heartbeat(record(a, first))
      var last = Epoch(0)
      for _ in 0..<50 {
        let epoch = try await claim(session, node: a, incarnation: first, in: registry)
        #expect(epoch > last)
        last = epoch
        _ = try await registry.release(
          session, node: a, incarnation: first, epoch: epoch, tombstone: nil)
      }
    }
  }

  /// Promise P6: however many sessions end.
  @Test(arguments: Kind.allCases) func onlyTheLatestTombstonesAreKept(_ kind: Kind) async throws {
    try await with(kind, tombstones: 3) { registry in
      _ = try await registry.heartbeat(record(a, first))
      let ids = (0..<6).map { SessionID(unchecked: "s\($0)") }
      // The first lives again in the end.
      for (index, id) in (ids + [ids[0]]).enumerated() {
        guard
          case .claimed(let epoch) = try await registry.claim(id, node: a, incarnation: first)
        else {
          Issue.record("\(id) could not be claimed")
          return
        }
        guard index < ids.count else { break }
        #expect(
          try await registry.release(
            id, node: a, incarnation: first, epoch: epoch,
            tombstone: Tombstone(status: nil, reason: .exited)))
      }
      var left: [SessionID] = []
      for id in ids where try await registry.lookUp(id) != nil { left.append(id) }
      #expect(left == [ids[0], ids[3], ids[4], ids[5]])
    }
  }

  /// Promise P4.
  @Test(arguments: Kind.allCases) func aNodeFindsWhichOfItsRecordsAreMissing(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      _ = try await registry.heartbeat(record(a, first))
      let epoch = try await claim(
        session, node: a, incarnation: first, creator: "ann", in: registry)
      let holding = OwnedSession(epoch: epoch, creator: "ann")
      let there = [session: holding]
      let missing = SessionID(unchecked: "missing")
      #expect(
        try await registry.confirm(there, node: a, incarnation: first) == Announcement())
      #expect(
        try await registry.confirm(
          [session: holding, missing: holding], node: a, incarnation: first)
          == Announcement(repaired: [missing]))
      for id in [session, missing] {
        #expect(
          try await registry.lookUp(id)
            == SessionRecord(node: a, incarnation: first, epoch: epoch, creator: "ann"))
      }
      #expect(
        try await registry.confirm(
          [session: OwnedSession(epoch: Epoch(1))], node: a, incarnation: second)
          == Announcement(superseded: [session]))
    }
  }

  @Test(arguments: Kind.allCases) func aRegistryKnowsItself(_ kind: Kind) async throws {
    var names: Set<RegistryIdentity> = []
    for _ in 0..<2 {
      try await with(kind) { registry in
        let name = try await registry.identity()
        #expect(try await registry.identity() == name)
        names.insert(name)
      }
    }
    #expect(names.count == 2, "and is told from another")
  }

  /// Promise P10: what a dead node had is still listed.
  @Test(arguments: Kind.allCases) func whatNoNodeTellsOfIsListedByItsRecord(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      let other = SessionID(unchecked: "other")
      _ = try await registry.heartbeat(record(a, first))
      _ = try await registry.heartbeat(record(b, second))
      let epoch = try await claim(
        session, node: a, incarnation: first, creator: "ann", in: registry)
      _ = try await claim(other, node: b, incarnation: second, in: registry)
      func listed(_ nodes: [NodeID: Incarnation]) async throws -> [SessionID] {
        try await registry.sessions(notOn: nodes, limit: 10).sessions.map(\.0)
      }
      #expect(try await listed([a: first, b: second]) == [])
      #expect(try await listed([b: second]) == [session], "its node is dead")
      #expect(try await listed([a: second, b: second]) == [session], "or was started anew")
      #expect(try await registry.sessions(notOn: [:], limit: 1).sessions.count == 1)
      #expect(
        try await registry.sessions(notOn: [b: second], limit: 10).sessions[0].1.creator == "ann")
      #expect(
        try await registry.release(
          session, node: a, incarnation: first, epoch: epoch,
          tombstone: Tombstone(status: nil, reason: .exited)))
      #expect(try await listed([:]) == [other])
      #expect(try await registry.sessions(limit: 10).sessions.map(\.0) == [other, session])
      #expect(
        try await registry.sessions(limit: 1).sessions.map(\.0) == [other], "those that live first")
    }
  }
}
