// A real Docker engine for the tests of one run, and podman in its place: Tests/docker-engine.sh, podman-engine.sh, started
// by the first test that needs it. The script ends, and takes the engine with it, when this process has gone in whatever way.

import Foundation
import NIOConcurrencyHelpers

public struct DockerEngine: Sendable {
  private let directory: String
  public var socket: String { directory + "/docker.sock" }
  /// Of 127.0.0.1: TLS, for clients with a certificate of `certificate("ca")`. Podman has none.
  public var port: Int
  /// What `run` is told for every container.
  private var options: [String] = []
  /// The PEM file of one of its certificates: `ca`, `node-engine` (its own), `router` (a client's).
  public func certificate(_ name: String) -> String { directory + "/certs/\(name).pem" }
  /// A running container with bash and busybox in it.
  public let container = "base"

  /// The run's engine.
  /// - Throws: ``ChildError`` that says why there can be none.
  public static func shared() async throws -> DockerEngine { try await docker.value }

  /// The run's podman; where there can be none the test is skipped.
  public static func podman(orSkip skip: (String) throws -> Never) async throws -> DockerEngine {
    do { return try await podman.value } catch { try skip("\(error)") }
  }

  /// The run's engine; where there can be none the test is skipped, or fails if it is required
  /// (`FAIRLEAD_REQUIRE_DOCKER=1`).
  public static func shared(orSkip skip: (String) throws -> Never) async throws -> DockerEngine {
    do {
      return try await shared()
    } catch {
      if ProcessInfo.processInfo.environment["FAIRLEAD_REQUIRE_DOCKER"] == "1" { throw error }
      try skip("\(error)")
    }
  }

  /// Runs `docker ARGUMENTS` against it and returns what it prints.
  @discardableResult public func docker(_ arguments: String...) async throws -> String {
    try await docker(arguments: arguments)
  }

  @discardableResult public func docker(arguments: [String]) async throws -> String {
    let process = try ChildProcess(
      "/usr/bin/env", ["docker"] + arguments, environment: ["DOCKER_HOST": "unix://\(socket)"])
    let code = try await process.waitForExit(atMost: .seconds(60))
    guard code == 0 else {
      throw ChildError("docker \(arguments.joined(separator: " ")): \(process.output)")
    }
    return process.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Starts a container without a network, of one of the images of Tests/docker-images.sh.
  public func run(
    _ name: String, of image: String = "base", _ options: [String] = [],
    command: [String] = ["sleep", "100000"]
  ) async throws {
    try await docker(
      arguments: ["run", "-d", "--init", "--network", "none", "--name", name] + self.options
        + options + ["local/\(image):1"] + command)
  }

  /// Podman's service, which is started again at once; its containers run on.
  public func killService() throws {
    let text = try String(contentsOfFile: directory + "/service.pid", encoding: .utf8)
    guard let pid = Int32(text.filter(\.isNumber)) else { throw ChildError("no service: \(text)") }
    kill(pid, SIGKILL)
  }

  /// Copies a program of this machine into the container, with the libraries it loads, to the same paths.
  public func install(_ program: String) async throws {
    let script = """
      { echo "$1"; ldd "$1" | grep -o '/[^ ]*'; } | sed 's|^/||' | tar -C / -chf - -T - |
        docker cp - "$2":/
      """
    let process = try ChildProcess(
      "/usr/bin/env", ["bash", "-o", "pipefail", "-c", script, "install", program, container],
      environment: ["DOCKER_HOST": "unix://\(socket)"])
    guard try await process.waitForExit(atMost: .seconds(60)) == 0 else {
      throw ChildError("installing \(program): \(process.output)")
    }
  }

  // MARK: The one engine of its kind of this process

  private static let docker = Task {
    let certificates = try await ClusterCertificates()
    try await certificates.addNode("engine")
    let engine = try await start("docker", [certificates.folder])
    withExtendedLifetime(certificates) {}
    return engine
  }

  private static let podman = Task {
    var engine = try await start("podman")
    // Its usual limits are above those of a machine that has less.
    engine.options = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096"]
    return engine
  }

  private static func start(_ kind: String, _ arguments: [String] = []) async throws -> DockerEngine
  {
    // Short: a Unix socket's path holds 107 bytes, and the engine makes some below this.
    let directory = "/tmp/fl-\(kind)-\(ProcessInfo.processInfo.processIdentifier)"
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("\(kind)-engine.sh").path
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["bash", script, directory] + arguments
    let input = Pipe()
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.standardError
    try process.run()
    keep(input, directory: directory)
    let line = try await firstLine(of: output.fileHandleForReading)
    guard line.hasPrefix("ready "), let port = Int(line.dropFirst(6)) else {
      let reason = line.hasPrefix("missing: ") ? String(line.dropFirst(9)) : "it said \"\(line)\""
      throw ChildError("no \(kind) engine: \(reason)")
    }
    return DockerEngine(directory: directory, port: port)
  }

  private static func firstLine(of output: FileHandle) async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
      // A thread of its own: it blocks until the engine is there.
      Thread.detachNewThread {
        var line = Data()
        while let byte = try? output.read(upToCount: 1), let first = byte.first, first != 0x0A {
          line.append(first)
        }
        continuation.resume(returning: String(decoding: line, as: UTF8.self))
      }
    }
  }

  /// The script stays while its input is open; the end of this process waits until all is cleaned up.
  private static func keep(_ input: Pipe, directory: String) {
    let isFirst = running.withLockedValue { running in
      running.append(Running(input: input, directory: directory))
      return running.count == 1
    }
    guard isFirst else { return }
    atexit {
      let running = DockerEngine.running.withLockedValue { $0 }
      for engine in running { try? engine.input.fileHandleForWriting.close() }
      for engine in running {
        for _ in 0..<200 where access(engine.directory, F_OK) == 0 { usleep(100_000) }
      }
    }
  }

  // Sendable: the pipe's end is only closed, once, at this process's end.
  private struct Running: @unchecked Sendable {
    var input: Pipe
    var directory: String
  }
  private static let running = NIOLockedValueBox<[Running]>([])
}
