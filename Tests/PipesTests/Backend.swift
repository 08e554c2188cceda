// The backends that the shared suite runs against, and one running pipe as a test sees it.

import Foundation
import HTTPClient
import Logging
import NIOCore
import NIOPosix
import Pipes
import TestSupport
import Testing
import Transport
import Wire

enum Backend: CaseIterable, CustomTestStringConvertible {
  case pty
  /// The engine's processes are seen in this machine's /proc.
  case docker
  /// They are not, as with an engine on another machine.
  case remoteDocker

  var testDescription: String {
    switch self {
    case .pty: "PTYPipe"
    case .docker: "DockerPipe"
    case .remoteDocker: "DockerPipe, processes unseen"
    }
  }

  var isDocker: Bool { self != .pty }

  static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  func starter(scope: String = "test/\(UUID())") async throws -> any PipeStarter {
    guard isDocker else { return PTYStarter(environment: ["PATH": "/usr/bin:/bin"]) }
    let engine = try await requireDocker()
    return DockerStarter(
      .unix(path: engine.socket), scope: scope, seesProcesses: self == .docker,
      logger: Self.quiet)
  }

  /// Starts `command` at this backend.
  func start(
    _ command: [String], environment: [String: String] = [:], in directory: String? = nil,
    size: TerminalSize = TerminalSize(columns: 80, rows: 24), session: SessionID = .random(),
    isReading: Bool = true
  ) async throws -> RunningPipe {
    let starter = try await starter()
    let request = PipeRequest(
      session: session,
      creation: Creation(
        target: isDocker ? .docker(container: "base") : .pty, command: command,
        environment: environment, workingDirectory: directory),
      size: size)
    guard isDocker else {
      return try await RunningPipe.start(starter, request, isReading: isReading)
    }
    return try await Gate.docker.pass {
      try await RunningPipe.start(starter, request, isReading: isReading)
    }
  }

  func start(
    shell script: String, environment: [String: String] = [:], in directory: String? = nil,
    size: TerminalSize = TerminalSize(columns: 80, rows: 24), session: SessionID = .random(),
    isReading: Bool = true
  ) async throws -> RunningPipe {
    try await start(
      ["sh", "-c", script], environment: environment, in: directory, size: size, session: session,
      isReading: isReading)
  }

  /// Runs a script beside the pipe, where its process is; its exit code and output.
  func run(_ script: String) async throws -> (code: Int, output: String) {
    guard isDocker else {
      let process = try ChildProcess("/bin/sh", ["-c", script])
      return (try await process.waitForExit(), process.output)
    }
    let engine = try await requireDocker()
    return try await Gate.docker.pass {
      let process = try ChildProcess(
        "/usr/bin/env", ["docker", "exec", engine.container, "sh", "-c", script],
        environment: ["DOCKER_HOST": "unix://\(engine.socket)"])
      return (try await process.waitForExit(), process.output)
    }
  }

  /// Whether the process of this number, as the backend counts, runs. (A zombie does not.)
  func isAlive(_ pid: String) async throws -> Bool {
    try await run("grep -q '^State:.[^ZX]' /proc/\(pid)/status 2>/dev/null").code == 0
  }
}

/// Lets so many callers in at once: an engine that starts dozens of processes at a time on a small
/// machine is too slow for anybody's patience.
actor Gate {
  static let docker = Gate(4)
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []
  init(_ count: Int) { free = count }

  func pass<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
    if free > 0 { free -= 1 } else { await withCheckedContinuation { waiting.append($0) } }
    defer { if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() } }
    return try await body()
  }
}

/// The engine; where there is none the test is skipped, or fails if it is required.
func requireDocker() async throws -> DockerEngine {
  try await DockerEngine.shared { try Test.cancel("\($0)") }
}

/// What a pipe produced.
private final class Recorder: PipeDelegate {
  let pipe: any Pipes.Pipe
  var output: [UInt8] = []
  var written = 0
  var end: RunningPipe.End?
  var isEndedTwice = false
  var isReadAfterEnd = false

  init(_ pipe: any Pipes.Pipe) {
    self.pipe = pipe
    pipe.delegate = self
  }

  func pipeDidRead(_ bytes: ByteBuffer) {
    if end != nil { isReadAfterEnd = true }
    output += bytes.readableBytesView
  }
  func pipeDidWrite(_ count: Int) { written += count }
  func pipeDidEnd(_ status: Wire.ExitStatus?, reason: String?) {
    if end != nil { isEndedTwice = true }
    end = RunningPipe.End(status: status, reason: reason)
  }
}

struct RunningPipe: Sendable {
  struct End: Sendable {
    var status: Wire.ExitStatus?
    var reason: String?
  }

  let eventLoop: any EventLoop
  private let recorder: NIOLoopBound<Recorder>

  static func start(
    _ starter: any PipeStarter, _ request: PipeRequest, isReading: Bool = true
  ) async throws -> RunningPipe {
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let recorder = try await eventLoop.flatSubmit {
      starter.start(request, on: eventLoop).map { pipe in
        let recorder = Recorder(pipe.value)
        pipe.value.isReading = isReading
        return NIOLoopBound(recorder, eventLoop: eventLoop)
      }
    }.get()
    return RunningPipe(eventLoop: eventLoop, recorder: recorder)
  }

  private func on<Result: Sendable>(_ body: @escaping @Sendable (Recorder) -> Result) async throws
    -> Result
  {
    try await eventLoop.submit { body(recorder.value) }.get()
  }

  func type(_ text: String) async throws { try await type(Array(text.utf8)) }
  func type(_ bytes: [UInt8]) async throws {
    try await on { $0.pipe.write(ByteBuffer(bytes: bytes), from: .report) }
  }
  func resize(columns: Int, rows: Int) async throws {
    try await on { $0.pipe.resize(TerminalSize(columns: columns, rows: rows)) }
  }
  func setReading(_ isReading: Bool) async throws { try await on { $0.pipe.isReading = isReading } }
  func terminate(grace: TimeAmount = .milliseconds(200)) async throws {
    try await on { $0.pipe.terminate(grace: grace) }
  }

  var hasForegroundJob: Bool? { get async throws { try await on { $0.pipe.hasForegroundJob } } }
  var output: [UInt8] { get async throws { try await on { $0.output } } }
  var text: String { get async throws { String(decoding: try await output, as: UTF8.self) } }
  var written: Int { get async throws { try await on { $0.written } } }
  var hasEnded: Bool { get async throws { try await on { $0.end != nil } } }

  /// Waits until it has printed `text`.
  func wait(for text: String) async throws {
    try await eventually("it prints \(text)") { try await self.text.contains(text) }
  }

  /// Waits until it has printed this many bytes.
  func wait(forBytes count: Int) async throws {
    try await eventually("it prints \(count) bytes") { try await on { $0.output.count } >= count }
  }

  /// Waits for a whole line that begins with `prefix`, and returns what follows it.
  func line(after prefix: String) async throws -> String {
    var found = ""
    try await eventually("it prints a line \(prefix)…") {
      // By bytes: to Swift "\r\n" is one character, and no "\n".
      let lines = try await output.split(separator: 0x0A, omittingEmptySubsequences: false)
        .dropLast().map { String(decoding: $0, as: UTF8.self) }
      guard let line = lines.first(where: { $0.hasPrefix(prefix) }) else { return false }
      found = line.dropFirst(prefix.count).trimmingCharacters(in: .whitespacesAndNewlines)
      return true
    }
    return found
  }

  /// Waits for the end, and checks that it was told once, after the last output.
  @discardableResult func end() async throws -> End {
    try await eventually("it ends") { try await hasEnded }
    let (end, isTwice, isLate) = try await on { ($0.end, $0.isEndedTwice, $0.isReadAfterEnd) }
    #expect(!isTwice, "the end is told once")
    #expect(!isLate, "nothing is read after the end")
    return end ?? End()
  }
}
