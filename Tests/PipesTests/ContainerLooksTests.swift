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
  /// Each test's own: what others leave on the engine is none of it.
  private let key = (0..<32).map { _ in UInt8.random(in: 0...255) }

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

  private func starter(
    _ address: Address, _ home: HolderHome, logger: Logger = Backend.quiet
  ) async -> DockerStarter {
    let starter = DockerStarter(
      address, scope: "test/looks", home: home, key: key, mode: .require, logger: logger)
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

  private func look(
    _ starter: DockerStarter, for holders: SilentHolders = .all, on loop: (any EventLoop)? = nil
  ) async throws -> KeptEntries {
    let loop = loop ?? eventLoop
    return try await loop.flatSubmit { starter.kept(by: holders, on: loop) }.get()
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
      _ = try await starter.holders?.look(for: .all, on: eventLoop).get()
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

  /// Its processes do not run, and nobody knows for how long.
  @Test func aPausedContainerCostsOneListALookAndOneLineInTheLog() async throws {
    try await with { engine, container, home in
      _ = try await leave(descriptor, in: container, engine, home, on: eventLoop)
      try await engine.docker("pause", container)
      let relay = try await Relay.start(to: engine.socket)
      let log = NIOLockedValueBox(0)
      let starter = await starter(
        .tcp(host: "127.0.0.1", port: relay.port), home,
        logger: Logger(label: "test") { _ in LineCount(count: log) })
      // What notes tell of comes first.
      _ = try await look(starter)
      let silent = try await look(starter).silent
      let id = try await engine.docker("inspect", "--format", "{{.Id}}", container)
      #expect(silent.containers.contains(id) && !silent.areAnywhere)
      let ours = SilentHolders(containers: [id])
      let (calls, lines) = (relay.connectionCount, log.withLockedValue { $0 })
      for _ in 0..<3 { #expect(try await look(starter, for: ours).silent == ours) }
      #expect(relay.connectionCount - calls == 3 * 2, "a ping and a list each")
      #expect(log.withLockedValue { $0 } == lines)
      try await engine.docker("unpause", container)
      let kept = try await look(starter, for: ours)
      #expect(kept.entries.map(\.descriptor) == [descriptor] && kept.silent.isEmpty)
      await starter.shutdown()
      try await relay.stop()
    }
  }

  @Test func eachLoopHearsWhatNotesTellOf() async throws {
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    try await with { engine, container, home in
      _ = try await leave(descriptor, in: container, engine, home, on: eventLoop)
      let starter = await starter(.unix(path: engine.socket), home)
      for loop in loops.makeIterator() {
        let noted = try await look(starter, on: loop)
        #expect(noted.entries.map(\.descriptor) == [descriptor])
        #expect(noted.silent.areAnywhere, "there may be more than notes tell of")
        let all = try await look(starter, on: loop)
        #expect(all.entries.map(\.descriptor) == [descriptor] && !all.silent.areAnywhere)
      }
      await starter.shutdown()
    }
    try await loops.shutdownGracefully()
  }

  /// An upgrade leaves one until its last session has ended.
  @Test func aHolderOfAnotherVersionIsReachedByOneRelayHoweverOftenItIsAsked() async throws {
    try await with { engine, container, home in
      _ = try await leave(descriptor, in: container, engine, home, on: eventLoop)
      let starter = await starter(.unix(path: engine.socket), home)
      let older = try await startOlderHolder(in: container, engine, starter)
      for _ in 0..<4 { #expect(try await look(starter).entries.map(\.descriptor) == [descriptor]) }
      let processes = try await engine.docker("top", container, "-eo", "pid,args")
      let relays = processes.split(separator: "\n").filter {
        $0.contains(" \(Self.olderProgram) relay ")
      }
      #expect(relays.count == 1, "\(processes)")
      await starter.shutdown()
      older.signal(SIGKILL)
    }
  }

  private static let olderFolder = "/.fairlead-0000older"
  private static let olderProgram = olderFolder + "/fairlead-holder"

  /// This version's program, called as another one's.
  private func startOlderHolder(
    in container: String, _ engine: TestSupport.DockerEngine, _ starter: DockerStarter
  ) async throws -> ChildProcess {
    let id = try await engine.docker("inspect", "--format", "{{.Id}}", container)
    let holders = try #require(starter.holders)
    let place = ContainerHolder.Place(container: id)
    let holder = holders.holder(at: place)
    let token = ContainerHolder.token(of: place, key: key)
    let folder = Self.olderFolder
    try await engine.docker(
      "exec", container, "sh", "-c",
      "mkdir -m 1777 \(folder); cp \(HolderFiles.usual(token).program) \(Self.olderProgram)")
    let secret = holder.secret.bytes.map { String(format: "\\%03o", $0) }.joined()
    let process = try ChildProcess(
      "/bin/sh",
      [
        "-c",
        "printf '\(secret)' | exec docker exec -i \(container) \(Self.olderProgram) serve \(folder)/\(token)",
      ], environment: ["DOCKER_HOST": "unix://\(engine.socket)"])
    _ = try await process.line(with: "ready")
    return process
  }
}

/// Counts lines, of whichever thread.
private struct LineCount: LogHandler {
  let count: NIOLockedValueBox<Int>
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
  func log(event: LogEvent) { count.withLockedValue { $0 += 1 } }
}
