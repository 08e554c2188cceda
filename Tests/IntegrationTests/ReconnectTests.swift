// Two routers, three nodes, Redis and HAProxy, all real processes: whoever is cut, however often, finds
// its own live process again through any router, and has every byte once (promises P1, P2, P4).

import Admin
import Client
import Cluster
import NIOCore
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(5))) struct ReconnectTests {
  private static let rounds = 3
  private static let lines = 120

  @Test func twoHundredSessionsOnThreeNodesSurviveCutsThroughAnyRouter() async throws {
    let cluster = try await RunningCluster.start(routers: 2, nodes: ["a", "b", "c"])
    var generator = SeededGenerator.announced()
    let seeds = (0..<200).map { _ in UInt64.random(in: 0...UInt64.max, using: &generator) }
    let progress = Progress()
    let url = cluster.url
    try await withThrowingTaskGroup(of: Int.self) { tasks in
      for (number, seed) in seeds.enumerated() {
        tasks.addTask {
          try await Self.use(session: number, of: url, seed: seed, progress: progress)
        }
      }
      // A fourth node joins under load.
      try await eventually("half of the sessions have begun") { await progress.begun >= 100 }
      let before = try await cluster.admin.sessions()
      let fourth = try await TestNode.start("d", redis: cluster.redis)
      try await eventually("the fourth node is known") {
        try await cluster.admin.nodes().contains { $0.id.rawValue == "d" && $0.state == .live }
      }
      let newcomers = try await Self.createUntilOneReaches("d", cluster.admin)
      let after = try await cluster.admin.sessions()
      for session in before {
        let now = after.first { $0.session == session.session }
        #expect(now?.node == session.node, "an existing session stays where it is")
        #expect(now?.life == session.life)
      }
      for id in newcomers { try await cluster.admin.kill(id) }
      let cuts = try await tasks.reduce(0, +)
      #expect(cuts >= 200, "every client was to be cut; there were \(cuts) cuts")
      #expect(fourth.process.isRunning)
    }
    let perNode = Dictionary(grouping: await progress.nodes.values) { $0 }.mapValues(\.count)
    #expect(Set(["a", "b", "c"]).isSubset(of: perNode.keys), "\(perNode)")
  }

  /// One client with one session, cut at random moments. Returns how often.
  private static func use(
    session number: Int, of url: String, seed: UInt64, progress: Progress
  ) async throws -> Int {
    var generator = SeededGenerator(seed: seed)
    let client = try TerminalClient(url: url)
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
      if round == 0 { await progress.landed(number, on: url) }
    }
    terminal.kill()
    try await reader.readToEnd()
    try await client.close()
    return cuts
  }

  private static func createUntilOneReaches(_ node: String, _ admin: AdminClient) async throws
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
    func landed(_ number: Int, on url: String) async {
      guard let colon = url.lastIndex(of: ":"), let port = Int(url[url.index(after: colon)...])
      else { return }
      let admin = AdminClient(host: "127.0.0.1", port: port)
      nodes[number] = try? await admin.session(SessionID(unchecked: "s\(number)")).node
    }
  }
}
