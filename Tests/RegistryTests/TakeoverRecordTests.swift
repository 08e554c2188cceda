// A session that its holder keeps goes from one node to another by its record (promises P3 and P11): the registry's rules,
// the same for both implementations.

import Logging
import Redis
import TestSupport
import Testing
import Wire

@testable import Registry

@Suite(.timeLimit(.minutes(2 * patience))) struct TakeoverRecordTests {
  private let a = NodeID(unchecked: "a")
  private let b = NodeID(unchecked: "b")
  private let first = Incarnation(rawValue: 1)
  private let second = Incarnation(rawValue: 2)
  private let session = SessionID(unchecked: "s")
  private let holder = HolderName.Container(engine: "E.1", name: "web", user: nil).holder

  private func with(_ kind: Kind, _ body: (any Registry) async throws -> Void) async throws {
    switch kind {
    case .memory: try await body(MemoryRegistry())
    case .redis:
      let server = try await RedisServer.start()
      let registry = try RedisRegistry(
        url: server.url, cluster: "test",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      try await body(registry)
      await registry.shutdown()
      try await server.stop()
    }
  }

  /// Owned by a.
  private func owned(_ registry: any Registry) async throws -> SessionRecord {
    for (node, incarnation) in [(a, first), (b, second)] {
      _ = try await registry.heartbeat(
        NodeRecord(
          id: node, incarnation: incarnation, loops: [], capacity: 1, holder: "boot/\(node)"))
    }
    _ = try await registry.claim(
      session, node: a, incarnation: first, creator: "ann", holder: holder)
    return try #require(try await registry.lookUp(session))
  }

  @Test(arguments: Kind.allCases) func oneOfTwoTakesItOverUnderAHigherEpoch(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      let before = try await owned(registry)
      let epoch = try #require(
        try await registry.takeOver(session, from: before, node: b, incarnation: second))
      #expect(epoch > before.epoch)
      // Who saw the same record comes too late.
      let late = try await registry.takeOver(
        session, from: before, node: a, incarnation: Incarnation(rawValue: 3))
      #expect(late == nil)
      let after = try #require(try await registry.lookUp(session))
      #expect(after.node == b && after.incarnation == second && after.epoch == epoch)
      #expect(after.creator == "ann" && after.holder == holder && !after.isFree)
      // The node that had it is told so when it announces it.
      let told = try await registry.confirm(
        [session: OwnedSession(epoch: before.epoch, creator: "ann", holder: holder)], node: a,
        incarnation: first)
      #expect(told.superseded == [session])
      #expect(try await registry.sessions(notOn: [a: first], limit: 10).sessions.count == 1)
    }
  }

  @Test(arguments: Kind.allCases) func whatANodeHasLetGoOfIsNobodysAndNotLost(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      let before = try await owned(registry)
      #expect(
        try await !registry.letGo(of: session, node: b, incarnation: second, epoch: before.epoch))
      #expect(
        try await registry.letGo(of: session, node: a, incarnation: first, epoch: before.epoch))
      let free = try #require(try await registry.lookUp(session))
      let nodes = try await registry.nodes()
      #expect(free.isFree && free.ownerState(among: nodes) == .free)
      // Its node has it no more; that does not close it.
      let closed = try await registry.release(
        session, node: a, incarnation: first, epoch: before.epoch,
        tombstone: Tombstone(status: nil, reason: .lost))
      #expect(!closed)
      // A claim for its name starts no second process.
      let claim = try await registry.claim(
        session, node: b, incarnation: second, creator: "bob", holder: nil)
      #expect(claim == .owned(free))
      #expect(
        try await registry.takeOver(session, from: free, node: b, incarnation: second) != nil)
      #expect(try await registry.lookUp(session)?.isFree == false)
    }
  }

  /// A move: the next node is named by the record, and nobody loses sight of the session meanwhile.
  @Test(arguments: Kind.allCases) func whatIsLetGoOfForANodeNamesIt(_ kind: Kind) async throws {
    try await with(kind) { registry in
      let before = try await owned(registry)
      func letGo(_ next: NodeID?) async throws -> Bool {
        try await registry.letGo(
          of: session, node: a, incarnation: first, epoch: before.epoch, next: next)
      }
      let living = [a: first, b: second]
      #expect(try await registry.sessions(notOn: living, limit: 10).sessions.isEmpty)
      #expect(try await letGo(b))
      let free = try #require(try await registry.lookUp(session))
      #expect(free.isFree && free.next == b)
      let listed = try await registry.sessions(notOn: living, limit: 10).sessions
      #expect(listed.map(\.0) == [session] && listed.map(\.1) == [free])
      let left = try await registry.sessions(of: a, notIncarnation: second, limit: 10).sessions
      #expect(left.map(\.0) == [session], "each list has it")
      // Who is ready has it, unless that node is not to be had any more.
      let nodes = try await registry.nodes().map { entry in
        var entry = entry
        entry.record.labels[HolderName.engineLabel] = "E.1"
        entry.record.loops = [NodeAddress(host: "127.0.0.1", port: 1)]
        return entry
      }
      #expect(Placement.successor(of: session, free, among: nodes) == b)
      let others = nodes.filter { $0.record.id == a }
      #expect(Placement.successor(of: session, free, among: others) == a)
      // It could not be attached there.
      #expect(try await letGo(nil))
      let again = try #require(try await registry.lookUp(session))
      #expect(again.isFree && again.next == nil)
      #expect(try await letGo(b))
      _ = try await registry.takeOver(session, from: free, node: b, incarnation: second)
      let taken = try await registry.lookUp(session)
      #expect(taken?.isFree == false && taken?.next == nil)
      #expect(try await registry.sessions(notOn: living, limit: 10).sessions.isEmpty)
    }
  }

  @Test(arguments: Kind.allCases) func offersAreReadAsTheyWereMadeUntilTheyAreRemoved(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      let other = SessionID(unchecked: "other")
      let asked = MoveOffer(.asked, holder: holder)
      try await registry.setOffers([session: asked, other: asked], to: b)
      #expect(try await registry.offers(to: a).isEmpty)
      #expect(try await registry.offers(to: b) == [session: asked, other: asked])
      let ready = MoveOffer(.ready, holder: holder)
      try await registry.setOffers([session: ready], to: b)
      try await registry.setOffers([:], to: b)
      #expect(try await registry.offers(to: b) == [session: ready, other: asked])
      try await registry.removeOffers([other], to: b)
      try await registry.removeOffers([], to: b)
      #expect(try await registry.offers(to: b) == [session: ready])
    }
  }

  @Test func anOfferIsReadAsItWasWritten() {
    for state in [MoveOffer.State.asked, .ready, .refused, .free] {
      let offer = MoveOffer(state, holder: holder)
      #expect(MoveOffer(offer.text) == offer)
    }
    for text in ["", "asked", "asked ", "later x", "asked two words"] {
      #expect(MoveOffer(text) == nil, "\(text)")
    }
  }

  @Test(arguments: Kind.allCases) func whatHasEndedIsNotTakenOver(_ kind: Kind) async throws {
    try await with(kind) { registry in
      let before = try await owned(registry)
      _ = try await registry.release(
        session, node: a, incarnation: first, epoch: before.epoch,
        tombstone: Tombstone(status: .exited(code: 0), reason: .exited))
      let taken = try await registry.takeOver(
        session, from: before, node: b, incarnation: second)
      #expect(taken == nil)
    }
  }

  /// Any node that reaches its engine may have what one that is dead, gone or started anew without it had.
  @Test func whatIsHeldInAContainerIsFreeOnceItsNodeIsDead() {
    func node(_ incarnation: UInt64 = 1, lease: Int = 9_000, hasRestored: Bool = true) -> NodeEntry
    {
      NodeEntry(
        record: NodeRecord(
          id: a, incarnation: Incarnation(rawValue: incarnation), loops: [], capacity: 1,
          holder: "boot/h", hasRestored: hasRestored), leaseMilliseconds: lease)
    }
    var record = SessionRecord(node: a, incarnation: first, epoch: Epoch(1), holder: holder)
    #expect(record.engine == "E.1")
    for (nodes, state) in [
      ([node()], OwnerState.alive), ([node(lease: -2_000)], .silent(milliseconds: 2_000)),
      ([node(lease: -40_000)], .free), ([], .free), ([node(2)], .free),
      ([node(2, hasRestored: false)], .restarted(as: second)),
    ] {
      #expect(record.ownerState(among: nodes) == state)
      #expect(!record.isLost(among: nodes))
    }
    record.end = Tombstone(status: .exited(code: 0), reason: .exited)
    #expect(record.isLost(among: []))
  }

  /// Of a machine's holder only nodes that live can say that they reach it.
  @Test func whatIsHeldOnAMachineIsFreeIfAnotherNodeThereLives() {
    let name = "boot/h"
    func node(_ id: NodeID, lease: Int = 9_000, reaches label: String? = "boot") -> NodeEntry {
      NodeEntry(
        record: NodeRecord(
          id: id, incarnation: id == a ? first : second, loops: [],
          labels: label.map { ["holder.h": $0] } ?? [:], capacity: 1, holder: "boot/\(id)",
          hasRestored: true), leaseMilliseconds: lease)
    }
    let dead = node(a, lease: -40_000)
    var record = SessionRecord(node: a, incarnation: first, epoch: Epoch(1), holder: name)
    #expect(record.reach == ["holder.h": "boot"] && record.engine == nil)
    for (nodes, state) in [
      ([node(a), node(b)], OwnerState.alive),
      ([node(a, lease: -2_000), node(b)], .silent(milliseconds: 2_000)), ([dead, node(b)], .free),
      ([node(b)], .free), ([dead, node(b, lease: -1)], .held(milliseconds: 40_000)),
      ([dead, node(b, reaches: nil)], .held(milliseconds: 40_000)),
      // The same directory, on another start of the machine, or on another one.
      ([dead, node(b, reaches: "other")], .held(milliseconds: 40_000)), ([], .gone),
    ] {
      #expect(record.ownerState(among: nodes) == state)
    }
    #expect(Placement.successor(of: session, record, among: [node(b, reaches: nil)]) == nil)
    // Its node has let go of it.
    record.isFree = true
    #expect(record.ownerState(among: [node(a)]) == .free)
    #expect(record.ownerState(among: [dead]) == .held(milliseconds: 40_000))
    #expect(record.isLost(among: []))
    record.isFree = false
    record.end = Tombstone(status: .exited(code: 0), reason: .exited)
    #expect(record.ownerState(among: [dead, node(b)]) == .ended(milliseconds: 40_000))
  }

  /// Its node had let go of it for others of its machine, which are gone for good: its name is free, and said to be lost once.
  @Test(arguments: Kind.allCases) func whatIsFreeOnAMachineThatIsGoneIsLost(_ kind: Kind)
    async throws
  {
    try await with(kind) { registry in
      _ = try await owned(registry)
      let other = SessionID(unchecked: "other")
      guard
        case .claimed(let epoch) = try await registry.claim(
          other, node: a, incarnation: first, creator: nil, holder: "boot/h")
      else { throw ChildError("it is not claimed") }
      #expect(try await registry.letGo(of: other, node: a, incarnation: first, epoch: epoch))
      func claim() async throws -> ClaimResult {
        try await registry.claim(
          other, node: b, incarnation: second, creator: nil, holder: "boot/b")
      }
      guard case .owned = try await claim() else { throw ChildError("its node has not left") }
      try await registry.leave(a, incarnation: first)
      guard case .lost = try await claim() else { throw ChildError("it is not lost") }
      guard case .claimed = try await claim() else { throw ChildError("it is not to be had") }
    }
  }

  @Test func aHoldersNameSaysWhoReachesIt() {
    #expect(HolderName.isReached("boot/h", by: ["holder.h": "boot", "pty": "true"]))
    #expect(!HolderName.isReached("later/h", by: ["holder.h": "boot"]))
    #expect(HolderName.isReached(holder, by: ["engine": "E.1"]))
    #expect(!HolderName.isReached(holder, by: ["engine": "E.2"]))
    #expect(!HolderName.isReached("", by: ["holder.": ""]))
  }

  @Test func aHoldersNameInAContainerIsReadAsItWasWritten() {
    for user in [nil, "www-data", "1000:1000"] {
      let name = HolderName.Container(engine: "ABCD:EF.12ab", name: "web_1", user: user)
      #expect(HolderName.Container(name.holder) == name)
      #expect(HolderName.isValid(name.holder))
    }
    for other in ["3f0d2a6c-0b7e-4a57-9c5b-1f6f1c0a7a11/ab12", "container:", "container:E", ""] {
      #expect(HolderName.Container(other) == nil)
    }
  }
}
