// A cluster whose routers and nodes prove a key to each other: who does not know it gets no link, and
// no client can pass for a router (promise P9).

import Foundation
import Links
import NIOCore
import TestSupport
import Testing
import Wire

@testable import Auth

@Suite(.timeLimit(.minutes(5 * patience))) struct ClusterKeyTests {
  @Test func onlyRoutersAndNodesWithTheKeyWorkTogether() async throws {
    let folder = try Folder()
    let redis = try await RedisServer.start()
    let key = try folder.write("cluster.key", Sample.secret)
    let other = try folder.write("other.key", String(Sample.secret.reversed()))
    let node = try await TestNode.start("a", redis: redis.url, ["--cluster-key-file", key])
    let good = try await router("good", redis.url, ["--cluster-key-file", key])
    let wrong = try await router("wrong", redis.url, ["--cluster-key-file", other])
    let without = try await router("without", redis.url, [])
    let body = #"{"session":"s","create":{"command":["cat"]}}"#
    #expect(try await ask("POST", "/v1/sessions", port: good.port, body: body).status == 201)
    for router in [wrong, without] {
      #expect(try await ask("POST", "/v1/sessions", port: router.port, body: body).status == 503)
      #expect(try await ask("DELETE", "/v1/sessions/s", port: router.port).status == 503)
    }
    #expect(node.process.output.contains("a link was refused"))
    // Said once the list of nodes shows that the node has not only left.
    try await eventually("the router says why") {
      wrong.process.output.contains("it does not know this cluster's key")
    }

    // A router with the key does not trust a node without it.
    let open = try await TestNode.start("b", redis: redis.url)
    node.process.signal(SIGTERM)
    try await node.process.waitForExit()
    try await eventually("the key's router refuses node b") {
      let answer = try await ask(
        "POST", "/v1/sessions", port: good.port, body: #"{"create":{"command":["cat"]}}"#)
      #expect(answer.status == 503)
      return good.process.output.contains(
        "node=b reason=\"it does not know this cluster's key")
    }
    #expect(open.process.isRunning)
  }

  /// On a node's port: what a client, or a router that guesses, can send.
  @Test func aStrangerOnTheLinksPortGetsNowhere() async throws {
    let folder = try Folder()
    let redis = try await RedisServer.start()
    let key = try folder.write("cluster.key", Sample.secret)
    let node = try await TestNode.start("a", redis: redis.url, ["--cluster-key-file", key])
    let port = try TestSupport.port(in: try await node.process.line(with: "takes links on"))
    let opening = Frame.linkOpen(
      LinkOpen(
        client: .random(), access: .open, from: "x",
        open: Open(
          session: SessionID("s"), create: Creation(command: ["touch", folder.path + "/owned"]),
          size: .standard)))
    let hello = Hello(router: "r", cluster: "fl", nonce: ClusterKey.nonce())
    let attempts: [[Frame]] = [
      [opening], [.hello(Hello(client: .random()))],
      [.hello(Hello(router: "r", cluster: "fl")), opening],
      [.hello(hello), opening],
      [.hello(hello), .hello(Hello(proof: "x")), opening],
      [.hello(hello), .hello(Hello(proof: String(repeating: "A", count: 43))), opening],
      [.hello(Hello(router: "r", cluster: "fl", nonce: "")), opening],
    ]
    for frames in attempts {
      let stranger = try await RawClient.connect(port: port)
      for frame in frames { stranger.send(frame.bytes(stream: frame == opening ? 1 : 0)) }
      try await eventually("the node hangs up") { stranger.isClosed }
      #expect(!String(buffer: stranger.received).contains("\"life\""))
    }
    // The node's own proof, sent back to it, proves nothing.
    let mirror = try await RawClient.connect(port: port)
    mirror.send(Frame.hello(hello).bytes(stream: 0))
    try await eventually("WELCOME") { mirror.received.readableBytes > 0 }
    var decoder = FrameDecoder()
    decoder.append(mirror.received)
    guard case .welcome(let welcome) = try decoder.next()?.frame else {
      Issue.record("no WELCOME")
      return
    }
    mirror.send(Frame.hello(Hello(proof: welcome.proof)).bytes(stream: 0))
    mirror.send(opening.bytes(stream: 1))
    try await eventually("the node hangs up") { mirror.isClosed }
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/owned"))
  }

  private func router(
    _ id: String, _ redis: String, _ more: [String]
  ) async throws -> (port: Int, process: ChildProcess) {
    let process = try Fairlead.start(
      ["router", "--id", id, "--redis", redis, "--listen", "127.0.0.1:0"] + more)
    return (try TestSupport.port(in: try await process.line(with: "serves on")), process)
  }
}
