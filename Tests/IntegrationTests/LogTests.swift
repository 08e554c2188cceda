// Logs of real processes: a reader that stands still stops no terminal (promise P7), SIGHUP ends no
// role, and the log tells the story of a role.

import API
import APIClient
import Foundation
import TestSupport
import Testing
import Wire

/// A FIFO that is full and that nobody reads.
private final class StuckPipe: Sendable {
  let path = FileManager.default.temporaryDirectory.path + "/fairlead-fifo-\(UUID().uuidString)"
  private let descriptor: Int32

  init() throws {
    try #require(mkfifo(path, 0o600) == 0)
    descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
    try #require(descriptor >= 0)
    let bytes = [UInt8](repeating: UInt8(ascii: "."), count: 4_096)
    while write(descriptor, bytes, bytes.count) > 0 {}
    while write(descriptor, bytes, 1) > 0 {}
  }

  deinit {
    close(descriptor)
    unlink(path)
  }

  /// Everything that is in it now, without the filling.
  func read() -> String {
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count <= 0 { break }
      text += buffer[..<count].drop { $0 == UInt8(ascii: ".") }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

@Suite(.timeLimit(.minutes(2 * patience))) struct LogTests {
  @Test(arguments: ["text", "json"])
  func aLogThatNobodyReadsFreezesNoTerminal(format: String) async throws {
    let stuck = try StuckPipe()
    let process = try ChildProcess(
      "/bin/sh",
      [
        "-c", #"exec "$0" "$@" 2>"$FIFO""#, Fairlead.path, "serve", "--no-auth", "--listen",
        "127.0.0.1:0", "--log-level", "trace", "--log-format", format, "--audit-log", "-",
      ], environment: ["FIFO": stuck.path])
    let line = try await process.line(with: "serves on")
    let front = Front("http://127.0.0.1:\(try port(in: line))", nil)
    var terminal = try await LiveTerminal.create(.random(), at: front)
    // Each start and end of a session is a line that cannot be written.
    for _ in 0..<20 {
      let opened = try await front.admin.create(
        .init(session: nil, create: .init(command: ["true"]), size: .standard))
      try await terminal.echo("still-here-\(opened.session)")
    }
    #expect(process.output.contains(#""what":"create""#), "the audit log is another's")
    // Read again, it goes on with what waited.
    var log = ""
    try await eventually("the log comes out") {
      log += stuck.read()
      return log.contains("session started")
    }
    // And one that is never read again does not keep the process.
    process.signal(SIGTERM)
    #expect(try await process.waitForExit() == 0)
  }

  @Test func theEndOfAProcessDoesNotWaitForItsLogsReader() async throws {
    let stuck = try StuckPipe()
    let process = try ChildProcess(
      "/bin/sh",
      [
        "-c", #"exec "$0" "$@" 2>"$FIFO""#, Fairlead.path, "serve", "--no-auth", "--listen",
        "127.0.0.1:0",
      ], environment: ["FIFO": stuck.path])
    _ = try await process.line(with: "serves on")
    process.signal(SIGTERM)
    #expect(try await process.waitForExit() == 0)
    withExtendedLifetime(stuck) {}
  }

  /// Without certificates and without keys, too.
  @Test func aHangupEndsNoRole() async throws {
    let redis = try await RedisServer.start()
    let node = try await TestNode.start("a", redis: redis.url)
    let router = try await TestRouter.start("r", redis: redis.url)
    let serve = try Fairlead.start(["serve", "--no-auth", "--listen", "127.0.0.1:0"])
    _ = try await serve.line(with: "serves on")
    for process in [node.process, router.process, serve] {
      process.signal(SIGHUP)
      _ = try await process.line(with: "SIGHUP: ")
      process.signal(SIGHUP)
    }
    #expect(await answers(router.url + "/readyz"))
    for process in [router.process, node.process, serve] {
      #expect(process.isRunning)
      process.signal(SIGTERM)
      #expect(try await process.waitForExit() == 0)
    }
  }

  @Test func theLogTellsTheStoryOfARouter() async throws {
    let redis = try await RedisServer.start()
    let node = try await TestNode.start("a", redis: redis.url)
    let router = try await TestRouter.start("r", redis: redis.url)
    try await eventually("it is ready") { await answers(router.url + "/readyz") }
    let terminal = try await LiveTerminal.create(.random(), at: Front(router.url, nil))
    router.process.signal(SIGTERM)
    #expect(try await router.process.waitForExit() == 0)
    let log = router.process.output
    var rest = log[...]
    for words in [
      ["router: starting", "descriptors=", "id=r", "redis=\(redis.url)", "version="],
      ["authentication=false", "tls=false"],
      ["router: shutting down", "clients=1"], ["router: shut down", "clients_closed="],
    ] {
      let line = rest.split(separator: "\n").first { line in words.allSatisfy(line.contains) }
      let found = try #require(line, "\(words) in:\n\(log)")
      rest = rest[found.endIndex...]
    }
    #expect(log.contains("the registry has answered live=1 nodes=1"))
    withExtendedLifetime((terminal, node)) {}
  }
}
