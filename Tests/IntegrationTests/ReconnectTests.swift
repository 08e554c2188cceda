// Two routers, three nodes, Redis and HAProxy, all real processes: whoever is cut, however often, finds
// its own live process again through any router, and has every byte once (promises P1, P2, P4).

import API
import APIClient
import Client
import NIOCore
import Registry
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(5 * patience))) struct ReconnectTests {
  private static let rounds = 3
  private static let lines = 120

  @Test(.serialized, arguments: [Transport.plain, .passthrough])
  func manySessionsOnThreeNodesSurviveCutsThroughAnyRouter(
    transport: Transport
  ) async throws {
    let cluster = try await RunningCluster.start(transport, routers: 2, nodes: ["a", "b", "c"])
    var generator = SeededGenerator.announced()
    // All begin at once, and with TLS each attempt costs a debug build tens of milliseconds.
    let count = transport.isEncrypted ? 80 : 200
    let seeds = (0..<count).map { _ in UInt64.random(in: 0...UInt64.max, using: &generator) }
    let progress = Progress()
    let front = cluster.front
    let admin = try front.admin
    try await withThrowingTaskGroup(of: Int.self) { tasks in
      for (number, seed) in seeds.enumerated() {
        tasks.addTask {
          try await Self.use(session: number, of: front, seed: seed, progress: progress)
        }
      }
      // A fourth node joins under load.
      try await eventually("half of the sessions have begun", atMost: .seconds(120)) {
        await progress.begun >= count / 2
      }
      let before = try await admin.sessions()
      let fourth = try await cluster.join("d")
      try await eventually("the fourth node is known") {
        try await admin.nodes().contains { $0.id.rawValue == "d" && $0.state == .live }
      }
      let newcomers = try await Self.createUntilOneReaches("d", admin)
      let after = try await admin.sessions()
      for session in before {
        let now = after.first { $0.session == session.session }
        #expect(now?.node == session.node, "an existing session stays where it is")
        #expect(now?.life == session.life)
      }
      for id in newcomers { try await admin.kill(id) }
      let cuts = try await tasks.reduce(0, +)
      #expect(cuts >= count, "every client was to be cut; there were \(cuts) cuts")
      #expect(fourth.process.isRunning)
    }
    let perNode = Dictionary(grouping: await progress.nodes.values) { $0 }.mapValues(\.count)
    #expect(Set(["a", "b", "c"]).isSubset(of: perNode.keys), "\(perNode)")
  }

  /// One client with one session, cut at random moments. Returns how often.
  private static func use(
    session number: Int, of front: Front, seed: UInt64, progress: Progress
  ) async throws -> Int {
    var generator = SeededGenerator(seed: seed)
    let client = try front.client
    let terminal = client.open(
      Open(session: SessionID("s\(number)"), create: LiveTerminal.shell, size: .standard))
    var reader = ExactReader(terminal)
    try await reader.read(upTo: "ready\r\n")
    await progress.began(number)
    let secret = "secret-\(seed)"
    try await terminal.type("X=\(secret)\n")
    var cuts = 0
    for round in 0..<rounds {
      try await terminal.type("for i in $(seq \(lines)); do echo \"$X \(round) $i\"; done\n")
      let pause = Int.random(in: 0...40, using: &generator)
      let cutting = Task {
        try await Task.sleep(for: .milliseconds(pause))
        try await client.cut()
      }
      let expected = (1...lines).map { "\(secret) \(round) \($0)\r\n" }.joined()
      try await reader.read(exactly: expected)
      _ = try? await cutting.value
      cuts += 1
      if round == 0 { await progress.landed(number, on: front) }
    }
    terminal.kill()
    try await reader.readToEnd()
    try await client.close()
    return cuts
  }

  private static func createUntilOneReaches(_ node: String, _ admin: APIClient) async throws
    -> [SessionID]
  {
    var created: [SessionID] = []
    for number in 0..<200 {
      let id = SessionID(unchecked: "new\(number)")
      _ = try await admin.create(Open(session: id, create: LiveTerminal.shell, size: .standard))
      created.append(id)
      if try await admin.session(id).node == node { return created }
    }
    throw ChildError("none of \(created.count) new sessions reached node \(node)")
  }

  actor Progress {
    private(set) var begun = 0
    private(set) var nodes: [Int: String] = [:]
    func began(_ number: Int) { begun += 1 }
    func landed(_ number: Int, on front: Front) async {
      nodes[number] = try? await front.admin.session(SessionID(unchecked: "s\(number)")).node
    }
  }
}
