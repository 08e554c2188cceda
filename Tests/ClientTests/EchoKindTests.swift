// A kind of pipes is one folder and one line of a table: a kind of the tests' own is checked, ruled, placed, started,
// typed at and listed as Fairlead's own are, by a router that knows it, and by an older one that does not (promise
// P9).

import Auth
import Client
import Foundation
import Logging
import NIOCore
import NIOPosix
import Node
import Pipes
import Registry
import Router
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct EchoKindTests {
  private let kinds = PipeKinds(PipeKinds.standard.all + [.echo])
  private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func setup(_ options: PipeOptions = PipeOptions()) -> PipeSetup {
    var options = options
    options["holder"] = "off"
    return PipeSetup(
      options: options, environment: ["PATH": "/usr/bin:/bin"], scope: "test", logger: logger)
  }

  /// Runs `body` with the port of a router before one node, which echoes.
  private func withRouter(
    knowing targets: TargetKinds, access: AccessControl = .open,
    _ body: @Sendable @escaping (Int) async throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let registry = MemoryRegistry()
    var options = PipeOptions()
    options["echo"] = "!"
    let node = try await Node(
      NodeConfiguration(
        id: NodeID(unchecked: "test"), pipes: try kinds.starters(setup(options)), logger: logger),
      registry: registry, group: group)
    let router = try await Router(
      RouterConfiguration(
        name: "test", host: "127.0.0.1", port: 0, access: access,
        connectLocally: { eventLoop, loop in node.connect(from: eventLoop, toLoop: loop) },
        targets: targets, logger: logger),
      registry: registry, group: group)
    let (ready, started) = AsyncStream.makeStream(of: Void.self)
    let (ports, listening) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await node.run { _ in started.yield() } }
      _ = await ready.first { _ in true }
      tasks.addTask { try await router.run { listening.yield($0) } }
      try await body(try #require(await ports.first { _ in true }))
      tasks.cancelAll()
    }
  }

  private func open(_ client: TerminalClient, _ target: String) -> TerminalStream {
    client.open(
      Open(session: nil, create: Creation(target: Target(unchecked: target)), size: .standard))
  }

  /// Types at a new session of `target`, and waits for what it says.
  private func echoed(_ client: TerminalClient, _ target: String) async throws -> TerminalStream {
    let terminal = open(client, target)
    try await terminal.type("hello")
    var said = ByteBuffer()
    for await event in terminal.events {
      if case .output(_, let bytes) = event { said.writeImmutableBuffer(bytes) }
      if event.isLast { Issue.record("\(event)") }
      if said.readableBytes >= 9 { break }
    }
    #expect(String(buffer: said) == "one!hello")
    return terminal
  }

  private func refusal(_ client: TerminalClient, _ target: String) async throws -> Refused {
    for await event in open(client, target).events {
      if case .refused(let refused) = event { return refused }
    }
    throw ChildError("\(target) was not refused")
  }

  private func listing(_ port: Int, _ token: String) async throws -> String {
    let client = try await RawClient.connect(port: port)
    client.send(
      "GET /v1/sessions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n"
        + "Connection: close\r\n\r\n")
    try await eventually("the list of sessions") { client.isClosed }
    return String(buffer: client.received)
  }

  @Test func aKindIsCheckedRuledStartedTypedAtAndListed() async throws {
    let key = FileManager.default.temporaryDirectory.appending(path: "key-\(UUID())").path
    try "0123456789abcdef0123456789abcdef".write(toFile: key, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: key) }
    let rule =
      #"{"sessions":["*"],"rights":"write","create":{"targets":["echo:o*"],"commands":["*"]}}"#
    let token = try await TokenSigner(path: key).sign(
      Claims(
        sub: "ann", aud: ["fairlead"], exp: Date().timeIntervalSince1970 + 3_600,
        fl: try JSONDecoder().decode(Grants.self, from: Data(rule.utf8))))
    let access = AccessControl(verifier: try await TokenVerifier(path: key))
    try await withRouter(knowing: kinds.targets, access: access) { port in
      let client = try TerminalClient(url: "http://127.0.0.1:\(port)", token: { token })
      let terminal = try await echoed(client, "echo:one")
      #expect(try await listing(port, token).contains(#""target":"echo:one""#))
      // By the rule; by the kind's form, which says itself.
      #expect(try await refusal(client, "echo:two").code == .forbidden)
      let wrong = try await refusal(client, "echo:o1")
      #expect(wrong.code == .badRequest && wrong.retry == nil)
      #expect(
        wrong.message
          == #"create.target: a word has letters only; a target is "pty", "docker:CONTAINER" or "echo:WORD""#,
        "\(wrong.message)")
      terminal.kill()
      try await client.close()
    }
  }

  /// A node may be newer than the routers before it.
  @Test func aRouterThatDoesNotKnowAKindSendsItToWhoAnnouncesIt() async throws {
    try await withRouter(knowing: PipeKinds.standard.targets) { port in
      let client = try TerminalClient(url: "http://127.0.0.1:\(port)")
      try await echoed(client, "echo:one").kill()
      // The node checks what the router cannot.
      let wrong = try await refusal(client, "echo:o1")
      #expect(wrong.code == .startFailed && wrong.message.contains("echo:o1"))
      // What nobody announces is nobody's, and waiting brings none.
      let unknown = try await refusal(client, "telnet:x")
      #expect(unknown.code == .badRequest && unknown.retry == nil)
      #expect(
        unknown.message.hasSuffix(#"a target is "pty" or "docker:CONTAINER""#),
        "\(unknown.message)")
      let absent = try await refusal(client, "docker:web1")
      #expect(absent.code == .noCapacity && absent.retry == nil)
      #expect(absent.message.contains("Docker engine"), "\(absent.message)")
      let short = try await refusal(client, "docker:x")
      #expect(short.code == .badRequest && short.retry == nil)
      #expect(
        short.message.contains("a container's name has 2 characters or more"), "\(short.message)")
      try await client.close()
    }
  }

  @Test func aKindIsAnnouncedIfItsOptionsAskForIt() throws {
    var options = PipeOptions()
    #expect(try kinds.starters(setup(options)).names == ["pty"])
    options["echo"] = "!"
    let starters = try kinds.starters(setup(options))
    #expect(starters.names == ["pty", "echo"] && !starters.takeTerminalsOnly)
    #expect(starters.labels(beside: ["zone": "a"]) == ["zone": "a", "pty": "true", "echo": "true"])
    #expect(kinds.problem(with: options) == nil)
    options["echo"] = "a\nb"
    #expect(kinds.problem(with: options) == "--echo is of one line")
  }
}
