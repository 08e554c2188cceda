// What a router's log tells of nodes that do not answer it: neither of one that left in order, nor an end
// alone (promise P10).

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Registry
import Testing
import Wire

@testable import Router

@Suite struct NodeHealthTests {
  private final class Lines: LogHandler, @unchecked Sendable {
    // Sendable: `said` has a lock; the rest is never changed.
    let said = NIOLockedValueBox<[String]>([])
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { nil }
      set {}
    }
    func log(event: LogEvent) { said.withLockedValue { $0.append("\(event.message)") } }
  }

  private let lines = Lines()
  private let health: NodeHealth
  private let route = Route(
    node: NodeID(unchecked: "a"), incarnation: Incarnation(rawValue: 1), loop: 0,
    address: NodeAddress(host: "127.0.0.1", port: 1))
  private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

  init() {
    let lines = lines
    health = NodeHealth(logger: Logger(label: "test") { _ in lines })
  }

  private var said: [String] { lines.said.withLockedValue { $0 } }

  private func fail(_ reason: String = "gone", after seconds: Int64) {
    health.failed(route, .silence, reason: reason, at: start + .seconds(seconds))
  }

  /// The list has it still, since it was asked for before.
  @Test func aNodeThatLeavesWhileAListIsReadIsNoTrouble() {
    fail(after: 1)
    health.sayTroubles(metBefore: start)
    #expect(said.isEmpty)
    health.keep(only: [])
    health.sayTroubles(metBefore: start + .seconds(3))
    #expect(said.isEmpty)
  }

  @Test func troubleIsSaidOnceAMinuteAndWhatIsNewAtOnce() {
    fail(after: 1)
    health.sayTroubles(metBefore: start + .seconds(2), at: start + .seconds(2))
    fail(after: 3)
    health.sayTroubles(metBefore: start + .seconds(4), at: start + .seconds(4))
    #expect(said == ["a node does not answer"])
    fail("another", after: 5)
    health.sayTroubles(metBefore: start + .seconds(6), at: start + .seconds(6))
    #expect(said.count == 2)
    fail("another", after: 70)
    health.sayTroubles(metBefore: start + .seconds(71), at: start + .seconds(71))
    #expect(said.count == 3)
  }

  @Test func anEndIsSaidOfWhatWasSaid() {
    fail(after: 1)
    health.answered(route, heard: start + .seconds(2))
    #expect(said.isEmpty)
    fail(after: 3)
    health.sayTroubles(metBefore: start + .seconds(4), at: start + .seconds(4))
    fail("another", after: 5)
    health.answered(route, heard: start + .seconds(6))
    #expect(said == ["a node does not answer", "a node answers again"])
  }
}
