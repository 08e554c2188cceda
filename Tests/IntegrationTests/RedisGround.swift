// A cluster of real processes on a Redis of any kind, with sessions in it, for the tests of what becomes of them.

import APIClient
import Client
import Foundation
import TestSupport
import Testing
import Wire

/// Two nodes and a router.
struct RedisGround {
  let redis: String
  let nodes: [TestNode]
  let router: TestRouter
  private let certificates: ClusterCertificates?
  private let home: TemporaryFolder

  var front: Front { Front(router.url, certificates) }

  /// What all of them said is shown if `body` fails.
  static func with(
    _ redis: String, certificates: ClusterCertificates? = nil,
    _ body: (RedisGround) async throws -> Void
  ) async throws {
    var nodes: [TestNode] = []
    for id in ["a", "b"] {
      nodes.append(try await TestNode.start(id, redis: redis, certificates: certificates))
    }
    let ground = RedisGround(
      redis: redis, nodes: nodes,
      router: try await TestRouter.start("r", redis: redis, certificates: certificates),
      certificates: certificates, home: try TemporaryFolder())
    do {
      try await body(ground)
    } catch {
      for process in ground.nodes.map(\.process) + [ground.router.process] {
        print("\(process.name) \(process.pid) said:\n\(process.output)")
      }
      throw error
    }
  }

  /// One that has heard of no session.
  func anotherRouter() async throws -> TestRouter {
    try await TestRouter.start("s", redis: redis, certificates: certificates)
  }

  func front(of router: TestRouter) -> Front { Front(router.url, certificates) }

  func run(_ words: String...) async throws -> (code: Int, output: String) {
    try await Fairlead.run(
      words.prefix(1) + front.options + words.dropFirst(),
      environment: ["HOME": home.path, "XDG_RUNTIME_DIR": home.path])
  }

  func create(_ count: Int, _ name: String) async throws -> [SessionID] {
    let ids = (0..<count).map { SessionID(unchecked: "\(name)\($0)") }
    for id in ids { try await create(id) }
    return ids
  }

  /// Creates it, as soon as new sessions are taken.
  private func create(_ id: SessionID) async throws {
    try await eventually("\(id) is created", atMost: .seconds(60)) {
      (try? await front.admin.create(
        Open(session: id, create: LiveTerminal.shell, size: .standard), attach: true)) != nil
    }
  }

  /// Waits until new sessions are taken again.
  func takesNewSessions() async throws { try await create(.random()) }

  /// All of them live, in one process each, and the registry and the nodes agree; by a router that has heard of none.
  func checkWhole(_ ids: [SessionID]) async throws {
    let fresh = try await anotherRouter()
    let front = front(of: fresh)
    for id in ids {
      var created: Bool?
      try await eventually("\(id) is found") {
        created = try? await front.admin.create(
          Open(session: id, create: LiveTerminal.shell, size: .standard), attach: true
        ).created
        return created != nil
      }
      #expect(created == false, "\(id) is the one that was there")
    }
    var said = ""
    do {
      try await eventually("nothing is wrong") {
        let (code, output) = try await run("doctor")
        said = output
        return code == 0
      }
    } catch {
      throw ChildError("\(error): \(said)")
    }
  }
}
