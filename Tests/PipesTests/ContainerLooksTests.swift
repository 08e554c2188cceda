// What holders in containers keep is found though their engine is slow, or knows nothing of them any more (promise P11).

import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Transport
import Wire

@testable import Pipes

@Suite(.timeLimit(.minutes(2 * patience))) struct ContainerLooksTests {
  private static let key = [UInt8](repeating: 7, count: 32)

  private func with(
    _ body: (TestSupport.DockerEngine, _ container: String, HolderHome) async throws -> Void
  ) async throws {
    let engine = try await requireDocker()
    let name = "looks-\(UUID().uuidString.prefix(8).lowercased())"
    let directory = "/tmp/fl-\(name)"
    let home = try HolderHome(directory, logger: Backend.quiet)
    try await engine.docker(
      "run", "-d", "--init", "--network", "none", "--name", name, "local/base:1", "sleep", "100000")
    var failure: (any Error)?
    do { try await body(engine, name, home) } catch { failure = error }
    _ = try? await engine.docker("rm", "-f", name)
    try? FileManager.default.removeItem(atPath: directory)
    if let failure { throw failure }
  }

  private func starter(_ address: Address, _ home: HolderHome) async -> DockerStarter {
    let starter = DockerStarter(
      address, scope: "test/looks", home: home, key: Self.key, mode: .require,
      logger: Backend.quiet)
    await starter.check()
    return starter
  }

  /// Leaves a session with a holder in the container.
  /// - Returns: the holder's name.
  private func leave(
    _ descriptor: [UInt8], in container: String, _ engine: TestSupport.DockerEngine,
    _ home: HolderHome, on eventLoop: any EventLoop
  ) async throws -> String {
    let starter = await starter(.unix(path: engine.socket), home)
    let request = PipeRequest(
      session: .random(),
      creation: Creation(target: .docker(container: container), command: ["cat"]),
      size: .standard, descriptor: descriptor)
    let pipe = try await starter.start(request, on: eventLoop).get()
    let holder = try await eventLoop.submit { () -> String? in
      let name = pipe.value.holder?.holderName
      pipe.value.holder?.detach()
      return name
    }.get()
    await starter.shutdown()
    return try #require(holder)
  }

  private let descriptor = Array("a session".utf8)
  private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()

  /// It was started anew with --live-restore: it forgets the execs of its containers, and they live on.
  @Test func aHolderIsFoundThoughItsEngineHasForgottenIt() async throws {
    try await with { engine, container, home in
      let holder = try await leave(descriptor, in: container, engine, home, on: eventLoop)
      let relay = try await Relay.start(to: engine.socket) { bytes in
        // It lists them under this name.
        let text = String(decoding: bytes.readableBytesView, as: Unicode.ASCII.self)
        guard let range = text.range(of: Self.execs) else { return }
        let index = text.unicodeScalars.distance(from: text.startIndex, to: range.lowerBound)
        bytes.setString("\"Forgot_\"", at: bytes.readerIndex + index)
      }
      let starter = await starter(.tcp(host: "127.0.0.1", port: relay.port), home)
      let kept = try await #require(starter.kept(by: holder, on: eventLoop)).get()
      #expect(kept.entries.map(\.descriptor) == [descriptor])
      #expect(kept.entries.map(\.holderName) == [holder])
      #expect(kept.silent.isEmpty)
      await starter.shutdown()
      try await relay.stop()
    }
  }

  private func look(_ starter: DockerStarter) async throws -> KeptEntries {
    try await eventLoop.flatSubmit { [eventLoop] in starter.kept(on: eventLoop) }.get()
  }

  private static let execs = "\"ExecIDs\""

  @Test func whatASlowEngineSaysIsHeardByWhoAsksNext() async throws {
    try await with { engine, container, home in
      _ = try await leave(descriptor, in: container, engine, home, on: eventLoop)
      let slow = NIOLockedValueBox<Relay?>(nil)
      let relay = try await Relay.start(to: engine.socket) { bytes in
        let text = String(decoding: bytes.readableBytesView, as: Unicode.ASCII.self)
        if text.contains(Self.execs) { slow.withLockedValue { $0 }?.holdUp(true) }
      }
      let starter = await starter(.tcp(host: "127.0.0.1", port: relay.port), home)
      // What notes tell of comes first.
      _ = try await look(starter)
      slow.withLockedValue { $0 = relay }
      let first = try await look(starter)
      #expect(first.entries.isEmpty && first.silent.areAnywhere)
      slow.withLockedValue { $0 = nil }
      relay.holdUp(false)
      _ = try await starter.holders?.look(on: eventLoop).get()
      // Nothing more is asked for the answer.
      relay.holdUp(true)
      let next = try await look(starter)
      #expect(next.entries.map(\.descriptor) == [descriptor])
      #expect(!next.silent.areAnywhere)
      relay.holdUp(false)
      await starter.shutdown()
      try await relay.stop()
    }
  }
}
