// What fails, and what its users see: each row of the table in docs/design.md, section 8, with real
// processes that are really killed (promises P3, P4, P5, P10).

import API
import APIClient
import Chaos
import Client
import Foundation
import Logging
import NIOPosix
import Redis
import Registry
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(3 * patience))) struct FailureTests {
  /// Creates sessions until each of the nodes has as many as wanted.
  private func sessions(
    _ wanted: Int, onEach nodes: [String], of cluster: RunningCluster
  ) async throws -> [String: [SessionID]] {
    var found: [String: [SessionID]] = [:]
    func isShort(_ node: String) -> Bool { found[node, default: []].count < wanted }
    for number in 0..<200 where nodes.contains(where: isShort) {
      let id = SessionID(unchecked: "s\(number)")
      _ = try await cluster.admin.create(
        Open(session: id, create: LiveTerminal.shell, size: .standard))
      let node = try await cluster.admin.session(id).node
      found[node, default: []].append(id)
    }
    for node in nodes { try #require(!isShort(node), "too few sessions reached \(node)") }
    return found
  }

  /// Promise P10.
  @Test(arguments: [Transport.plain, .passthrough])
  func aNodeThatDiesTakesItsSessionsAndTheyAreSaidToBeLost(transport: Transport) async throws {
    let cluster = try await RunningCluster.start(transport, routers: 2, nodes: ["a", "b"])
    let sessions = try await sessions(2, onEach: ["a", "b"], of: cluster)
    let lost = try #require(sessions["a"]?.first)
    let unwanted = try #require(sessions["a"]?.last)
    let kept = try #require(sessions["b"]?.first)
    var victim = try LiveTerminal.attach(lost, at: cluster.front)
    var neighbour = try LiveTerminal.attach(kept, at: cluster.front)
    try await victim.echo("here")
    try await neighbour.echo("here")
    cluster.nodes[0].process.signal(SIGKILL)
    guard case .refused(let refusal) = try await victim.end() else {
      Issue.record("a session whose node died ended in another way")
      return
    }
    #expect(refusal.code == .lost)
    var late = try LiveTerminal.attach(lost, at: cluster.front)
    guard case .refused(let said) = try await late.end() else {
      Issue.record("a lost session was opened")
      return
    }
    #expect(said.code == .lost)
    let listed = try await cluster.admin.sessions()
    #expect(listed.first { $0.session == lost }?.state == .lost, "it does not only vanish")
    #expect(listed.first { $0.session == kept }?.state == .running)
    let place = try await cluster.admin.locate(lost)
    #expect(place.why == .lost && place.explanation.contains("was on a"), "\(place)")
    let error = await #expect(throws: APIError.self) {
      try await cluster.admin.create(
        Open(session: lost, create: LiveTerminal.shell, size: .standard))
    }
    #expect(
      error?.message.contains("lost") == true, "a fresh shell is no answer")
    // What nobody wants any more is removed, and then its name is free without a word.
    let removal = try await Fairlead.run(["kill", "\(unwanted)"] + cluster.front.options)
    #expect(removal.code == 0 && removal.output.contains("removed from the list"), "\(removal)")
    #expect(try await !cluster.admin.sessions().contains { $0.session == unwanted })
    _ = try await cluster.admin.create(
      Open(session: unwanted, create: LiveTerminal.shell, size: .standard))
    try await eventually("each router's log has it") {
      cluster.routers.allSatisfy { router in
        router.process.output.split(separator: "\n").contains {
          $0.contains(" warning ") && $0.contains("a node has died") && $0.contains("node=a ")
            && $0.contains("sessions=") && $0.contains("first_noticed=")
        }
      }
    }
    // Having been told, the user may have a new one, elsewhere.
    _ = try await cluster.admin.create(
      Open(session: lost, create: LiveTerminal.shell, size: .standard))
    #expect(try await cluster.admin.session(lost).node == "b")
    try await neighbour.echo("still here")
  }

  /// Promises P3 and P10: a machine that sleeps past its lease, and wakes.
  @Test func aNodeThatWakesUpFindsWhatIsStillIts() async throws {
    let cluster = try await RunningCluster.start(.plain, routers: 1, nodes: ["a", "b"])
    let onA = try #require(try await sessions(2, onEach: ["a"], of: cluster)["a"])
    let (taken, kept) = (onA[0], onA[1])
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-pid-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    var old = try LiveTerminal.attach(taken, at: cluster.front)
    try await old.run("echo $$ > \(file)")
    try await old.echo("here")
    let shell = try #require(
      pid_t(String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)))
    var patient = try LiveTerminal.attach(kept, at: cluster.front)
    try await patient.run("X=kept")
    try await patient.echo("here")
    try await patient.client.close()

    cluster.nodes[0].process.signal(SIGSTOP)
    guard case .refused(let refusal) = try await old.end() else {
      Issue.record("a session whose node sleeps on and on was not refused")
      return
    }
    #expect(refusal.code == .lost)
    let error = await #expect(throws: APIError.self) {
      try await cluster.admin.create(
        Open(session: taken, create: LiveTerminal.shell, size: .standard))
    }
    #expect(error?.message.contains("lost") == true)
    var new = try await LiveTerminal.create(taken, at: cluster.front)
    try await new.run("X=new")

    cluster.nodes[0].process.signal(SIGCONT)
    var again = try LiveTerminal.attach(kept, at: cluster.front)
    try await again.echo("$X still", prints: "kept still")
    try await eventually("the session that was made anew has one process") {
      kill(shell, 0) != 0
    }
    try await new.echo("$X goes on", prints: "new goes on")
    #expect(try await cluster.admin.session(taken).node == "b")
  }

  /// Promise P5.
  @Test func aNodeThatIsCutOffFromRedisKeepsItsClients() async throws {
    let redis = try await RedisServer.start()
    func proxy(port: Int = 0) async throws -> ChaosProxy {
      try await ChaosProxy.start(
        before: ("127.0.0.1", redis.port), port: port, framing: .lines, profile: .faithful, seed: 0)
    }
    let between = try await proxy()
    let node = try await TestNode.start("a", redis: "redis://127.0.0.1:\(between.port)/0")
    let routers = [
      try await TestRouter.start("r0", redis: redis.url),
      try await TestRouter.start("r1", redis: redis.url),
    ]
    let fronts = routers.map { Front($0.url, nil) }
    let id = SessionID(unchecked: "kept")
    var terminal = try await LiveTerminal.create(id, at: fronts[0])
    try await terminal.run("X=secret")
    try await between.stop()
    func state() async throws -> NodeView.State? { try await fronts[1].admin.nodes().first?.state }
    try await eventually("the node counts as dead") {
      try await state() == .dead
    }

    // This router has never heard of the session.
    var other = try LiveTerminal.attach(id, at: fronts[1])
    try await other.echo("$X from elsewhere", prints: "secret from elsewhere")
    #expect(try await fronts[1].admin.session(id).node == "a")
    try await terminal.client.cut()
    try await terminal.echo("$X after a cut", prints: "secret after a cut")

    let again = try await proxy(port: between.port)
    try await eventually("the node is back") { try await state() == .live }
    for word in ["the node's lease has ended", "the node has its lease again"] {
      _ = try await node.process.line(with: word)
    }
    try await terminal.echo("$X in the end", prints: "secret in the end")
    try await again.stop()
    node.process.signal(SIGTERM)
    #expect(try await node.process.waitForExit() == 0)
  }

  @Test(arguments: Transport.allCases)
  func aRouterThatDiesCostsAPause(transport: Transport) async throws {
    let cluster = try await RunningCluster.start(transport, routers: 2, nodes: ["a"])
    var terminals: [LiveTerminal] = []
    for number in 0..<6 {
      var terminal = try await LiveTerminal.create(
        SessionID(unchecked: "s\(number)"), at: cluster.front)
      try await terminal.run("X=\(number)")
      terminals.append(terminal)
    }
    cluster.routers[0].process.signal(SIGKILL)
    for number in terminals.indices {
      try await terminals[number].echo("$X goes on", prints: "\(number) goes on")
    }
  }

  /// Promises P5 and P10: a Redis that comes back empty included.
  @Test(arguments: [Transport.plain, .passthrough])
  func aRedisThatGoesAndComesBackEmptyEndsNothingAndLosesNothing(transport: Transport) async throws
  {
    let cluster = try await RunningCluster.start(transport, routers: 2, nodes: ["a", "b"])
    let direct = cluster.front(of: 0)
    let id = SessionID(unchecked: "kept")
    var terminal = try await LiveTerminal.create(id, at: direct)
    try await terminal.run("X=secret")
    try await cluster.server.stop()

    try await terminal.echo("$X without Redis", prints: "secret without Redis")
    try await terminal.client.cut()
    try await terminal.echo("$X after a cut", prints: "secret after a cut")
    for router in cluster.routers.indices { #expect(await cluster.front(of: router).isReady()) }
    let error = await #expect(throws: APIError.self) {
      try await cluster.admin.create(
        Open(session: .random(), create: LiveTerminal.shell, size: .standard))
    }
    #expect(error?.message.contains("registry") == true, "a new session has to wait")

    // The other router has never heard of the session. It must not say that there is none.
    var other = try LiveTerminal.attach(id, at: cluster.front(of: 1))
    let again = try await cluster.server.restart()
    try await other.echo("$X from elsewhere", prints: "secret from elsewhere")
    #expect(other.reader.opened.last?.session == id)
    #expect(other.reader.opened.last?.created == false)
    try await terminal.echo("$X in the end", prints: "secret in the end")
    try await eventually("sessions can be created again") {
      (try? await cluster.admin.create(
        Open(session: .random(), create: LiveTerminal.shell, size: .standard))) != nil
    }
    try await eventually("both nodes are known again") {
      try await cluster.admin.nodes().map(\.id.rawValue) == ["a", "b"]
    }
    try await again.stop()
  }

  /// How a Redis loses a session's record, and keeps its node's.
  enum Loss: String, CaseIterable, Sendable { case restored, evicted, deleted }

  /// Promise P4: what Redis has lost is never answered with a second process.
  @Test(arguments: Loss.allCases)
  func aRecordThatRedisLostIsAnnouncedAgain(loss: Loss) async throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-redis-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var server = try await RedisServer.start(["--dir", folder])
    let nodes = [
      try await TestNode.start("a", redis: server.url),
      try await TestNode.start("b", redis: server.url),
    ]
    let routers = [
      try await TestRouter.start("r0", redis: server.url),
      try await TestRouter.start("r1", redis: server.url),
    ]
    let fronts = routers.map { Front($0.url, nil) }
    let redis = RedisClient(
      try RedisEndpoint(server.url), on: MultiThreadedEventLoopGroup.singleton.next(),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    _ = try await redis.send(["SAVE"])
    let id = SessionID(unchecked: "kept")
    let key = "{fl}:s:kept"
    var terminal = try await LiveTerminal.create(id, at: fronts[0])
    try await terminal.run("X=secret")
    func isThere() async -> Bool { (try? await redis.send(["EXISTS", key]))?.integer == 1 }

    switch loss {
    case .restored:
      server.process.signal(SIGKILL)
      try await server.process.waitForExit()
      server = try await RedisServer.start(port: server.port, ["--dir", folder])
    case .evicted:
      for node in ["a", "b"] { _ = try await redis.send(["PERSIST", "{fl}:node:\(node)"]) }
      _ = try await redis.send(["CONFIG", "SET", "maxmemory-policy", "volatile-lru"])
      _ = try await redis.send(["CONFIG", "SET", "maxmemory", "1"])
      try await eventually("it is evicted") { await !isThere() }
      _ = try await redis.send(["CONFIG", "SET", "maxmemory", "0"])
    case .deleted:
      _ = try await redis.send(["DEL", key])
      // Nothing tells of this, but that the node looks.
      try await eventually("its node writes it again") { await isThere() }
    }

    // This router has never heard of the session, and either node would start another.
    var created: Bool?
    try await eventually("the registry is settled") {
      created = try? await fronts[1].admin.create(
        Open(session: id, create: LiveTerminal.shell, size: .standard), attach: true
      ).created
      return created != nil
    }
    #expect(created == false)
    var other = try LiveTerminal.attach(id, at: fronts[1])
    try await other.echo("$X from elsewhere", prints: "secret from elsewhere")
    try await terminal.echo("$X in the end", prints: "secret in the end")
    #expect(await isThere())
    await redis.shutdown()
    withExtendedLifetime((nodes, server)) {}
  }

  /// Promise P3: another process has become this node while it slept.
  @Test func aNodeThatWasReplacedLetsGo() async throws {
    let cluster = try await RunningCluster.start(.plain, routers: 1, nodes: ["a"])
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-pid-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    var terminal = try await LiveTerminal.create(SessionID(unchecked: "s"), at: cluster.front)
    try await terminal.run("echo $$ > \(file)")
    try await terminal.echo("here")
    let shell = try #require(
      pid_t(String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)))
    let old = cluster.nodes[0].process
    old.signal(SIGSTOP)
    let new = try await cluster.join("a")
    #expect(new.process.output.contains("waiting for it"))
    old.signal(SIGCONT)
    #expect(try await old.waitForExit() == 1)
    #expect(old.output.contains("has become node a"), "\(old.output)")
    try await eventually("its process has gone") { kill(shell, 0) != 0 }
    switch try await terminal.end() {
    case .ended(let ended): #expect(ended.reason == .lost)
    case .refused(let refusal): #expect(refusal.code == .lost)
    case .closed: Issue.record("its client was not told")
    }
    var fresh = try await LiveTerminal.create(SessionID(unchecked: "t"), at: cluster.front)
    try await fresh.echo("there")
    #expect(new.process.isRunning)
  }

  /// Promise P3: its record says that another owns it.
  @Test func aSessionThatAnotherOwnsIsLetGo() async throws {
    let cluster = try await RunningCluster.start(.plain, routers: 1, nodes: ["a"])
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-pid-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    let id = SessionID(unchecked: "s")
    var terminal = try await LiveTerminal.create(id, at: cluster.front)
    try await terminal.run("echo $$ > \(file)")
    try await terminal.echo("here")
    let shell = try #require(
      pid_t(String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)))
    let registry = try RedisRegistry(
      url: cluster.server.url, cluster: "fl",
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let owned = try #require(try await registry.lookUp(id))
    let (b, incarnation) = (NodeID(unchecked: "b"), Incarnation.random())
    let epoch = Epoch(owned.epoch.rawValue + 1)
    _ = try await registry.confirm(
      [id: OwnedSession(epoch: epoch)], node: b, incarnation: incarnation)
    try await eventually("its process has gone") { kill(shell, 0) != 0 }
    // Nobody answers as that owner: the client, which was sent there, is told so.
    guard case .refused(let refusal) = try await terminal.end() else {
      Issue.record("its client was not sent to the new owner")
      return
    }
    #expect(refusal.code == .lost)
    #expect(try await registry.lookUp(id)?.node == b, "whose record is as it was")
    await registry.shutdown()
  }

  @Test(arguments: [Transport.plain, .passthrough])
  func aDrainingNodeKeepsItsSessionsAndGetsNoNewOnes(transport: Transport) async throws {
    let cluster = try await RunningCluster.start(transport, routers: 1, nodes: ["a", "b"])
    let sessions = try await sessions(1, onEach: ["a", "b"], of: cluster)
    var terminal = try LiveTerminal.attach(try #require(sessions["a"]?.first), at: cluster.front)
    try await terminal.echo("before")
    let before = try await cluster.admin.sessions(node: NodeID(unchecked: "a")).map(\.session)

    let drained = try await Fairlead.run(["drain", "a"] + cluster.front.options)
    #expect(drained.code == 0, "\(drained.output)")
    try await eventually("the router knows") {
      try await cluster.admin.nodes().first { $0.id.rawValue == "a" }?.state == .draining
    }
    _ = try await cluster.nodes[0].process.line(with: "the node is drained")
    try await eventually("and places by it") {
      try await !cluster.admin.locate(.random()).explanation.contains(
        "rendezvous hash, in the order a,")
    }
    for _ in 0..<12 {
      let id = SessionID.random()
      _ = try await cluster.admin.create(
        Open(session: id, create: LiveTerminal.shell, size: .standard))
      #expect(try await cluster.admin.session(id).node == "b")
    }
    let after = try await cluster.admin.sessions(node: NodeID(unchecked: "a")).map(\.session)
    #expect(after == before)
    try await terminal.echo("after")
    let undone = try await Fairlead.run(["drain", "a", "--undo"] + cluster.front.options)
    #expect(undone.code == 0, "\(undone.output)")
    try await eventually("it takes new ones again") {
      let id = SessionID.random()
      _ = try await cluster.admin.create(
        Open(session: id, create: LiveTerminal.shell, size: .standard))
      return try await cluster.admin.session(id).node == "a"
    }
  }

  @Test(arguments: [Transport.plain, .passthrough])
  func aNodeThatIsToldToStopSaysSoAndLeavesInOrder(transport: Transport) async throws {
    let cluster = try await RunningCluster.start(transport, routers: 1, nodes: ["a"])
    let id = SessionID(unchecked: "s")
    var terminal = try await LiveTerminal.create(id, at: cluster.front)
    cluster.nodes[0].process.signal(SIGTERM)
    let end = try await terminal.end()
    guard case .ended(let ended) = end else {
      Issue.record("its client was not told the end, but \(end)")
      return
    }
    #expect(ended.reason == .stopped)
    #expect(try await cluster.nodes[0].process.waitForExit() == 0)
    #expect(try await cluster.admin.nodes().isEmpty, "its lease has ended")
    let error = await #expect(throws: APIError.self) { try await cluster.admin.locate(id) }
    #expect(error?.message.contains("stopped") == true, "it left a tombstone")
  }

  @Test(arguments: Transport.allCases)
  func aRouterThatIsToldToStopSendsItsClientsOn(transport: Transport) async throws {
    let cluster = try await RunningCluster.start(transport, routers: 2, nodes: ["a"])
    var terminals: [LiveTerminal] = []
    for number in 0..<4 {
      terminals.append(
        try await LiveTerminal.create(SessionID(unchecked: "s\(number)"), at: cluster.front))
    }
    cluster.routers[0].process.signal(SIGTERM)
    #expect(try await cluster.routers[0].process.waitForExit() == 0)
    for number in terminals.indices { try await terminals[number].echo("on \(number)") }
  }
}
