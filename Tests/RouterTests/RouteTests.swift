// What a loop of a router knows of the cluster: enough to route, never more than its bound (promises P4 and P6).

import Logging
import NIOCore
import NIOPosix
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

@Suite struct RouteTests {
  private func entry(
    _ id: String, incarnation: UInt64 = 1, loops: Int = 2, lease: Int = 10_000,
    holder: String? = nil
  ) -> NodeEntry {
    NodeEntry(
      record: NodeRecord(
        id: NodeID(unchecked: id), incarnation: Incarnation(rawValue: incarnation),
        loops: (0..<loops).map { NodeAddress(host: id, port: 7_000 + $0) }, capacity: 10,
        holder: holder),
      leaseMilliseconds: lease)
  }

  private func record(
    _ node: String, incarnation: UInt64 = 1, _ state: SessionRecord.State = .owned
  )
    -> SessionRecord
  {
    SessionRecord(
      node: NodeID(unchecked: node), incarnation: Incarnation(rawValue: incarnation),
      epoch: Epoch(1), state: state)
  }

  @Test func aSessionAlwaysGoesToTheSameLoop() {
    let directory = NodeDirectory([entry("a", loops: 3)])
    for _ in 0..<50 {
      let session = SessionID.random()
      let routes = (0..<2).map { _ in
        directory.route(session, node: NodeID(unchecked: "a"), incarnation: nil, epoch: nil)
      }
      #expect(routes[0] == routes[1])
      #expect(routes[0].map { $0.address.port == 7_000 + $0.loop } == true)
    }
  }

  @Test func whatTheAPIAsksIsSpreadOverAllLoopsAndStaysWhereItWas() async throws {
    let router = try await Router(
      RouterConfiguration(
        name: "test", host: "", port: 0,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
      registry: MemoryRegistry(), group: MultiThreadedEventLoopGroup.singleton)
    func loop(for key: String) async throws -> ObjectIdentifier {
      try await router.loops.onLoop(for: key) {
        $0.eventLoop.makeSucceededFuture(ObjectIdentifier($0.eventLoop))
      }
    }
    var loops: Set<ObjectIdentifier> = []
    for _ in 0..<(100 * router.loops.eventLoops.count) {
      loops.insert(try await loop(for: SessionID.random().rawValue))
    }
    #expect(loops.count == router.loops.eventLoops.count)
    #expect(try await loop(for: "s") == loop(for: "s"))
  }

  @Test func anUnknownNodeOrAnotherStartOfItIsNoRoute() {
    let directory = NodeDirectory([entry("a"), entry("b", loops: 0)])
    let session = SessionID.random()
    func route(_ node: String, _ incarnation: UInt64?) -> Route? {
      directory.route(
        session, node: NodeID(unchecked: node), incarnation: incarnation.map(Incarnation.init),
        epoch: Epoch(1))
    }
    #expect(route("a", 1) != nil)
    #expect(route("a", nil)?.incarnation == Incarnation(rawValue: 1))
    #expect(route("a", 2) == nil)
    #expect(route("b", nil) == nil)
    #expect(route("c", nil) == nil)
  }

  @Test func theListSettlesWhatItKnowsAlive() {
    let directory = NodeDirectory([entry("a"), entry("late", lease: -1)])
    let ended = SessionRecord.State.closed(Tombstone(status: nil, reason: .exited))
    #expect(directory.settles(record("a")))
    #expect(!directory.settles(record("a", incarnation: 2)))
    #expect(!directory.settles(record("late")))
    #expect(!directory.settles(record("new")))
    #expect(directory.settles(nil))
    #expect(directory.settles(record("gone", ended)))
    #expect(!NodeDirectory([entry("late", lease: -1)]).settles(nil))
    #expect(!NodeDirectory().settles(nil))
  }

  /// For an hour, by all of their streams: none of them reads the list for itself.
  @Test func theListSettlesWhatIsHeldAndNotWhatHasComeBack() {
    let directory = NodeDirectory([entry("a", lease: -60_000, holder: "boot/h")])
    var held = record("a")
    #expect(!directory.settles(held))
    held.holder = "boot/h"
    #expect(directory.settles(held))
    held.incarnation = Incarnation(rawValue: 2)
    #expect(!directory.settles(held))
  }

  @Test func whatIsRememberedIsBounded() throws {
    let router = try EmbeddedRouter()
    let loop = router.routerLoop
    let first = SessionID(unchecked: "first")
    router.know(first)
    #expect(loop.context.rememberedRoutes == 1)
    for number in 1..<RouterLimits.cachedRoutes { router.know(SessionID(unchecked: "s\(number)")) }
    #expect(loop.context.rememberedRoutes == RouterLimits.cachedRoutes)
    // Asked for, it is no longer the one that was not used for the longest.
    #expect(loop.context.owner(of: first) != nil)
    router.know(SessionID(unchecked: "one-more"))
    #expect(loop.context.rememberedRoutes == RouterLimits.cachedRoutes)
    #expect(loop.context.owner(of: first) != nil)
    #expect(loop.context.owner(of: SessionID(unchecked: "s1")) == nil)
    #expect(loop.context.owner(of: SessionID(unchecked: "s2")) != nil)
    loop.context.forget(SessionID(unchecked: "one-more"))
    #expect(loop.context.rememberedRoutes == RouterLimits.cachedRoutes - 1)
  }

  @Test func theLeastRecentlyUsedMakesRoom() {
    var generator = SeededGenerator.announced()
    var cache = RouteCache<Int, Int>(capacity: 8)
    // The same, kept as a list in the order of use.
    var model: [(key: Int, value: Int)] = []
    for step in 0..<20_000 {
      let key = Int.random(in: 0..<20, using: &generator)
      let place = model.firstIndex { $0.key == key }
      switch Int.random(in: 0..<4, using: &generator) {
      case 0:
        cache.set(key, nil)
        if let place { model.remove(at: place) }
      case 1, 2:
        cache.set(key, step)
        if let place { model.remove(at: place) } else if model.count == 8 { model.removeFirst() }
        model.append((key, step))
      default:
        #expect(cache.use(key) == place.map { model[$0].value })
        if let place { model.append(model.remove(at: place)) }
      }
      #expect(cache.count == model.count)
    }
    for (key, value) in model { #expect(cache.use(key) == value) }
  }
}
