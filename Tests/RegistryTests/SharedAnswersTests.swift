// Many who ask Redis the same at once: how few commands that takes, and that nobody has an answer that is older than its
// question (promises P4 and P8).

import Logging
import NIOConcurrencyHelpers
import NIOPosix
import Redis
import TestSupport
import Testing
import Wire

@testable import Registry

@Suite(.timeLimit(.minutes(2 * patience))) struct SharedAnswersTests {
  /// Who waits until it is opened.
  private final class Gate: Sendable {
    private let waiting = NIOLockedValueBox<[CheckedContinuation<Void, Never>]>([])
    var count: Int { waiting.withLockedValue { $0.count } }

    func pass() async {
      await withCheckedContinuation { continuation in
        waiting.withLockedValue { $0.append(continuation) }
      }
    }

    func open() {
      let all = waiting.withLockedValue { waiting in
        defer { waiting = [] }
        return waiting
      }
      for continuation in all { continuation.resume() }
    }
  }

  @Test func noAnswerIsOlderThanItsQuestion() async throws {
    let answers = SharedAnswers<String, Int>()
    let asked = NIOLockedValueBox(0)
    let gate = Gate()
    let ask: @Sendable () async throws -> Int = {
      let number = asked.withLockedValue { asked in
        asked += 1
        return asked
      }
      await gate.pass()
      return number
    }
    async let first = answers.answer("q", ask)
    try await eventually("the first is under way") { gate.count == 1 }
    let come = NIOLockedValueBox(0)
    let later = (0..<20).map { _ in
      Task {
        come.withLockedValue { $0 += 1 }
        return try await answers.answer("q", ask)
      }
    }
    let other = Task { try await answers.answer("other", ask) }
    try await eventually("another question does not wait") { gate.count == 2 }
    try await eventually("all have come") { come.withLockedValue { $0 } == later.count }
    gate.open()
    #expect(try await first == 1)
    #expect(try await other.value == 2)
    let opening = Task {
      while !Task.isCancelled {
        gate.open()
        try? await Task.sleep(for: .milliseconds(1))
      }
    }
    for task in later { #expect(try await task.value > 2, "asked after they came") }
    opening.cancel()
    #expect(asked.withLockedValue { $0 } < 10, "not one for each")
  }

  @Test func afterAFailureItIsAskedAgain() async throws {
    struct Trouble: Error {}
    let answers = SharedAnswers<Int, Int>()
    await #expect(throws: Trouble.self) { try await answers.answer(1) { throw Trouble() } }
    #expect(try await answers.answer(1) { 2 } == 2)
  }

  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// How often each command was carried out.
  private func counts(_ server: RedisServer) async throws -> [String: Int] {
    let text = try await redisCLI(server.port, ["INFO", "commandstats"])
    var counts: [String: Int] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: ":")
      guard parts.count == 2, parts[0].hasPrefix("cmdstat_"),
        let calls = parts[1].split(separator: ",").first?.split(separator: "=").last
      else { continue }
      counts[String(parts[0].dropFirst(8))] = Int(calls)
    }
    return counts
  }

  /// All clients of a router come back at once, to a router that knows none of their sessions: a command for each
  /// session, and not one for each client; what does not exist takes a few questions about Redis itself, for all.
  @Test func aStormOfReconnectsTakesACommandForEachSession() async throws {
    let server = try await RedisServer.start()
    let registry = try RedisRegistry(url: server.url, cluster: "test", logger: quiet)
    let node = NodeID(unchecked: "a")
    let incarnation = Incarnation(rawValue: 1)
    let record = NodeRecord(
      id: node, incarnation: incarnation, loops: [NodeAddress(host: "127.0.0.1", port: 1)],
      labels: [:], weight: 1, capacity: 10, sessions: 0, version: "1")
    _ = try await registry.heartbeat(record)
    _ = try await registry.announce([:], node: node, incarnation: incarnation)
    let known = (0..<50).map { SessionID(unchecked: "s\($0)") }
    var owned: [SessionID: OwnedSession] = [:]
    for id in known { owned[id] = OwnedSession(epoch: Epoch(7)) }
    _ = try await registry.confirm(owned, node: node, incarnation: incarnation)

    func storm(_ ids: [SessionID], of askers: Int) async throws -> [String: Int] {
      let before = try await counts(server)
      try await withThrowingTaskGroup(of: Bool.self) { tasks in
        for number in 0..<askers {
          tasks.addTask {
            let found = try await registry.lookUp(ids[number % ids.count])
            _ = try await registry.nodes()
            return found != nil
          }
        }
        for try await isFound in tasks { #expect(isFound == (ids == known)) }
      }
      return try await counts(server).merging(before) { $0 - $1 }
    }

    let found = try await storm(known, of: 2_000)
    let unknown = try await storm((0..<50).map { SessionID(unchecked: "u\($0)") }, of: 2_000)
    let words = ["hmget", "info", "evalsha"]
    print(
      "2,000 look-ups of 50 sessions: \(words.map { "\($0) \(found[$0] ?? 0)" }); unknown: "
        + "\(words.map { "\($0) \(unknown[$0] ?? 0)" })")
    // Scripts read hashes as well; each session is asked for a few times, as its askers come in a few waves.
    #expect((found["hmget"] ?? 0) < 1_000)
    #expect((found["evalsha"] ?? 0) < 200)
    #expect((unknown["info"] ?? 0) < 200)
    await registry.shutdown()
    try await server.stop()
  }
}
