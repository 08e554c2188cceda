// A session's record that is deleted while the session lives: nobody gets a second process for it, nobody is told that
// it is gone, and the record is there again (promise P4).

import Client
import Foundation
import Logging
import NIOPosix
import Redis
import Registry
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(3 * patience))) struct LostRecordTests {
  private let session = SessionID(unchecked: "s")

  /// Two nodes, the first of which has the session and takes no more, so that a second life would be on the other.
  private func withSession(
    _ body: (_ redis: RedisServer, _ client: RedisClient, _ nodes: [TestNode], LiveTerminal)
      async throws -> Void
  ) async throws {
    let redis = try await RedisServer.start()
    let first = try await TestNode.start("a", redis: redis.url)
    let router = try await TestRouter.start("r", redis: redis.url)
    let terminal = try await LiveTerminal.create(session, at: Front(router.url, nil))
    let second = try await TestNode.start("b", redis: redis.url)
    _ = try await Fairlead.run(["drain", "a", "--api", router.url])
    let client = RedisClient(
      try RedisEndpoint(redis.url), on: MultiThreadedEventLoopGroup.singleton.next(),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await body(redis, client, [first, second], terminal)
    await client.shutdown()
    withExtendedLifetime(router) {}
  }

  private func deleteRecord(_ client: RedisClient) async throws {
    #expect(try await client.send(["DEL", "{fl}:s:s"]).integer == 1)
  }

  private func hasRecord(_ client: RedisClient) async throws -> Bool {
    try await client.send(["EXISTS", "{fl}:s:s"]).integer == 1
  }

  private func opened(_ open: Open, at router: TestRouter) async throws -> Opened {
    let client = try Front(router.url, nil).client
    for await event in client.open(open).events {
      if case .opened(let opened) = event { return opened }
      if case .refused(let refused) = event { throw ChildError("\(refused)") }
    }
    throw ChildError("neither opened nor refused")
  }

  @Test func whoseRecordWasDeletedIsFoundByAskingTheNodes() async throws {
    try await withSession { redis, client, nodes, terminal in
      var terminal = terminal
      let creating = Open(session: session, create: LiveTerminal.shell, size: .standard)
      let life = try #require(terminal.reader.opened.first?.life)
      // Of routers that have not seen the session: one that creates, one that attaches, one that asks.
      for open in [creating, Open(session: session, size: .standard)] {
        try await deleteRecord(client)
        let router = try await TestRouter.start("other", redis: redis.url)
        #expect(try await opened(open, at: router).life == life)
        try await eventually("it has its record again") { try await hasRecord(client) }
      }
      try await deleteRecord(client)
      let router = try await TestRouter.start("other", redis: redis.url)
      let located = try await Fairlead.run(["where", "s", "--api", router.url])
      #expect(located.output.contains("owned by a"), "\(located.output)")
      try await eventually("it has its record again") { try await hasRecord(client) }
      try await terminal.echo("on")
      #expect(nodes[0].process.output.contains("is there again"))
    }
  }

  @Test func itIsWaitedForWhileTheNodeThatHadItDoesNotAnswer() async throws {
    try await withSession { redis, client, nodes, terminal in
      let life = try #require(terminal.reader.opened.first?.life)
      let router = try await TestRouter.start("other", redis: redis.url)
      try await deleteRecord(client)
      nodes[0].process.signal(SIGSTOP)
      defer { nodes[0].process.signal(SIGCONT) }
      let new = try await Fairlead.run([
        "new", "--session", "s", "--detached", "--wait", "0", "--api", router.url, "--", "cat",
      ])
      #expect(new.code == 255 && new.output.contains("may be on node a"), "\(new.output)")
      let other = try await Fairlead.run([
        "new", "--session", "t", "--detached", "--api", router.url, "--", "cat",
      ])
      #expect(other.code == 0, "nobody waits for a node that had nothing to do with it")
      nodes[0].process.signal(SIGCONT)
      let creating = Open(session: session, create: LiveTerminal.shell, size: .standard)
      #expect(try await opened(creating, at: router).life == life)
    }
  }
}
