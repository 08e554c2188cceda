// The records in Redis, letter by letter: nodes and routers of other versions read them (promise P4).

import Foundation
import Logging
import Redis
import TestSupport
import Testing
import Wire

@testable import Registry

@Suite(.timeLimit(.minutes(2 * patience))) struct RecordKeyTests {
  private let node = NodeID(unchecked: "a")
  private let incarnation = Incarnation(rawValue: 1)
  private let session = SessionID(unchecked: "s")

  private func withRegistry(_ body: (RedisRegistry) async throws -> Void) async throws {
    let server = try await RedisServer.start()
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let registry = try RedisRegistry(url: server.url, cluster: "test", logger: quiet)
    try await body(registry)
    await registry.shutdown()
    try await server.stop()
  }

  /// What Redis has of the session, a `field value` each.
  private func fields(in registry: RedisRegistry) async throws -> Set<String> {
    let answer = try await registry.send(["HGETALL", registry.key(session)])
    let words = try #require(answer.array).map { $0.string ?? "?" }
    return Set(stride(from: 0, to: words.count, by: 2).map { "\(words[$0]) \(words[$0 + 1])" })
  }

  @Test func aSessionIsWrittenAsOtherVersionsReadIt() async throws {
    try await withRegistry { registry in
      let tenures = [
        Tenure(epoch: Epoch(6), node: "b", since: 1, why: .started),
        Tenure(epoch: Epoch(7), node: "a", since: nil, why: .moved),
      ]
      let end = Tombstone(
        status: .exited(code: 3), reason: .exited, ended: 5, creator: "ann")
      let owned = OwnedSession(
        epoch: Epoch(7), creator: "ann", end: end, holder: "boot/h", history: tenures)
      _ = try await registry.announce([session: owned], node: node, incarnation: incarnation)
      #expect(
        try await registry.letGo(
          of: session, node: node, incarnation: incarnation, epoch: Epoch(7)))
      #expect(
        try await fields(in: registry) == [
          "node a", "incarnation 0000000000000001", "epoch 7", "state owned", "owner ann",
          "holder boot/h",
          "free 1", #"tombstone {"ended":5,"reason":"exited","status":{"code":3}}"#,
          #"history [{"epoch":6,"node":"b","since":1,"why":"started"},"#
            + #"{"epoch":7,"node":"a","why":"moved"}]"#,
        ])
      #expect(
        try await registry.lookUp(session)
          == SessionRecord(
            node: node, incarnation: incarnation, epoch: Epoch(7), creator: "ann", end: end,
            holder: "boot/h", isFree: true, history: tenures))
    }
  }

  @Test func aTombstoneIsWrittenAsOtherVersionsReadIt() async throws {
    try await withRegistry { registry in
      let owned = OwnedSession(epoch: Epoch(7))
      _ = try await registry.announce([session: owned], node: node, incarnation: incarnation)
      let tombstone = Tombstone(
        status: .signalled(number: 9), reason: .killed, ended: 5, creator: "ann")
      #expect(
        try await registry.release(
          session, node: node, incarnation: incarnation, epoch: Epoch(7), tombstone: tombstone))
      #expect(
        try await fields(in: registry) == [
          "node a", "incarnation 0000000000000001", "epoch 7", "state closed", "owner ann",
          #"tombstone {"ended":5,"reason":"killed","status":{"signal":9}}"#,
        ])
    }
  }

  @Test func aNodeIsWrittenAsOtherVersionsReadIt() async throws {
    try await withRegistry { registry in
      let record = NodeRecord(
        id: node, incarnation: incarnation, loops: [NodeAddress(host: "::1", port: 7_071)],
        labels: ["zone": "x"], weight: 2, capacity: 10, sessions: 3, version: "1", holder: "boot/h",
        hasRestored: true)
      let written = try registry.encode(record)
      #expect(
        written
          == #"{"capacity":10,"hasRestored":true,"holder":"boot/h","id":"a","#
          + #""incarnation":"0000000000000001","labels":{"zone":"x"},"#
          + #""loops":[{"host":"::1","port":7071}],"sessions":3,"version":"1","weight":2}"#)
    }
  }
}
