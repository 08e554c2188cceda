// The calls of the Docker Engine API that pipes need (https://docs.docker.com/reference/api/engine/),
// and what its answers mean for a user. Each call has a connection of its own, a deadline, and a bound
// on its answer.

import FoundationEssentials
import HTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Transport
import Wire

struct DockerEngine: Sendable {
  private let http: HTTPClient
  private let minorVersion = NIOLockedValueBox<Int?>(nil)

  /// Engines from Docker 20.10 (1.41) on; 1.44 is what the newest ones still take at least.
  static let versions = 41...44

  init(_ address: Address, layer: SocketLayer = .plain) {
    http = HTTPClient(address, layer: layer)
  }

  var address: Address { http.address }

  // MARK: Execs

  struct ExecRequest: Encodable, Sendable {
    var cmd: [String]
    var env: [String] = []
    var workingDir: String?
    /// Nil: the container's own.
    var user: String?
    var detachKeys: String?
    /// Rows and columns; engines before 1.42 ignore it.
    var consoleSize: [Int]?
    var attachStdin = true
    var attachStdout = true
    var attachStderr = true
    var tty = true
  }

  private struct ExecStart: Encodable {
    var detach = false
    var tty = true
    var consoleSize: [Int]?
  }

  /// How an exec stands.
  struct ExecState: Decodable, Sendable {
    var running: Bool
    var exitCode: Int?
    /// As the engine's host numbers it, which may not be this machine. 0: it was never started.
    var pid: Int32
    var containerID: String
    var processConfig: Process?

    struct Process: Decodable, Sendable {
      var user: String?
      var entrypoint: String?
      var arguments: [String]?
    }
    /// Whom it was to run as; nil: the container's own user.
    var user: String? { processConfig?.user.flatMap { $0.isEmpty ? nil : $0 } }
  }

  struct Created: Decodable, Sendable { var id: String }

  /// Prepares a command in a container; returns the exec's id.
  func createExec(in container: String, _ request: ExecRequest) async throws -> String {
    let created: Created = try await call(
      .POST, "/containers/\(container)/exec", request, container: container)
    return try Self.checked(created.id)
  }

  /// Starts an exec; `handler` gets what comes.
  /// - Parameter size: its terminal's; nil: it was created without one.
  func startExec(
    _ exec: String, size: TerminalSize?, container: String,
    handler: NIOLoopBound<any ChannelHandler>
  ) async throws -> any Channel {
    let start = ExecStart(tty: size != nil, consoleSize: size.map { [$0.rows, $0.columns] })
    let result = try await reaching {
      try await http.upgrade(
        .POST, path("/exec/\(exec)/start"), to: "tcp", headers: Self.json,
        body: Self.encode(start), within: PipeLimits.engineDeadline,
        largestBody: PipeLimits.startAnswer, handler: handler)
    }
    switch result {
    case .switched(let channel): return channel
    case .refused(let answer): throw Self.error(answer, container: container, address)
    }
  }

  /// Runs a short command and returns its exit code and what it printed (64 KiB at most).
  func run(_ command: [String], in container: String, as user: String?) async throws
    -> (code: Int?, output: String)
  {
    let exec = try await createExec(
      in: container, ExecRequest(cmd: command, user: user, attachStdin: false))
    let answer = try await send(
      .POST, "/exec/\(exec)/start", Self.encode(ExecStart()), largestBody: PipeLimits.startAnswer)
    guard answer.status == .ok else { throw Self.error(answer, container: container, address) }
    return (try await inspect(exec).exitCode, String(buffer: answer.body))
  }

  /// Only for an exec that was started: before, the engine would not answer.
  func resize(_ exec: String, to size: TerminalSize) async throws {
    let answer = try await send(.POST, "/exec/\(exec)/resize?h=\(size.rows)&w=\(size.columns)")
    guard (200..<300).contains(answer.status.code) else {
      throw Self.error(answer, container: nil, address)
    }
  }

  func inspect(_ exec: String) async throws -> ExecState {
    let state: ExecState = try await call(.GET, "/exec/\(exec)/json", nil as Int?, container: nil)
    // It becomes part of paths.
    _ = try Self.checked(state.containerID)
    return state
  }

  // MARK: Containers

  struct Container: Decodable, Sendable {
    struct State: Decodable, Sendable {
      var running: Bool
      var paused: Bool?
      var isPaused: Bool { paused == true }
    }
    struct Config: Decodable, Sendable {
      var env: [String]?
      var workingDir: String?
    }
    var id: String
    var state: State
    var config: Config?
  }

  func inspect(container: String) async throws -> Container {
    let found: Container = try await call(
      .GET, "/containers/\(container)/json", nil as Int?, container: container)
    // It becomes part of paths.
    _ = try Self.checked(found.id)
    return found
  }

  /// Unpacks an archive there, as the container's root and whatever its image has: not where its root file system is
  /// read-only, and below what is mounted over it.
  func put(_ archive: ByteBuffer, at folder: String, in container: String) async throws {
    let answer = try await send(
      .PUT, "/containers/\(container)/archive?path=\(folder)", archive, type: "application/x-tar",
      largestBody: PipeLimits.startAnswer)
    guard answer.status == .ok else { throw Self.error(answer, container: container, address) }
  }

  struct Listed: Decodable, Sendable {
    var id: String
    var state: String?
    var isPaused: Bool { state == "paused" }
  }
  struct Details: Decodable, Sendable { var execIDs: [String]? }

  /// Those that have processes, also while they are paused: podman lists such only when it is told to.
  func containers() async throws -> [Listed] {
    let filters = "%7B%22status%22%3A%5B%22running%22%2C%22paused%22%5D%7D"
    let listed: [Listed] = try await call(
      .GET, "/containers/json?filters=\(filters)", nil as Int?, container: nil)
    for container in listed { _ = try Self.checked(container.id) }
    return listed
  }

  /// Whether there may be processes in a container; true if nobody answers.
  func mayHoldProcesses(_ container: String) async -> Bool {
    do {
      return try await inspect(container: container).state.running
    } catch {
      return (error as? PipeError)?.code != .noTarget
    }
  }

  // MARK: Calls

  func call<Body: Encodable, Answer: Decodable>(
    _ method: HTTPMethod, _ path: String, _ body: Body?, container: String?
  ) async throws -> Answer {
    try decoded(
      await send(method, path, body.map { try Self.encode($0) }), container: container)
  }

  func decoded<Answer: Decodable>(_ answer: HTTPResponse, container: String?) throws -> Answer {
    guard (200..<300).contains(answer.status.code) else {
      throw Self.error(answer, container: container, address)
    }
    do {
      return try Self.decode(Answer.self, answer.body)
    } catch {
      throw PipeError(
        .unavailable, "\(address) does not answer like a Docker engine", cause: error)
    }
  }

  func send(
    _ method: HTTPMethod, _ path: String, _ body: ByteBuffer? = nil,
    type: String = "application/json", largestBody: Int = PipeLimits.engineAnswer
  ) async throws -> HTTPResponse {
    try await reaching {
      try await http.send(
        method, self.path(path), headers: HTTPHeaders([("Content-Type", type)]), body: body,
        within: PipeLimits.engineDeadline, largestBody: largestBody)
    }
  }

  /// The path with the newest version that both sides know.
  private func path(_ path: String) async throws -> String {
    let minor =
      if let known = minorVersion.withLockedValue({ $0 }) { known } else {
        try await version(within: PipeLimits.engineDeadline)
      }
    return "/v1.\(minor)\(path)"
  }

  /// Why it does not answer; nil: it does.
  var trouble: (any Error)? {
    get async {
      do { try await ping(within: PipeLimits.ping) } catch { return error }
      return nil
    }
  }

  /// Whether it answers, and as one that is of use.
  func ping(within limit: TimeAmount) async throws {
    _ = try await reaching { try await version(within: limit) }
  }

  private func version(within limit: TimeAmount) async throws -> Int {
    let answer = try await http.send(
      .GET, "/_ping", within: limit, largestBody: PipeLimits.pingAnswer)
    let common = try Self.commonVersion(answer, address)
    minorVersion.withLockedValue { $0 = common }
    return common
  }

  /// The newest version (its minor number) that both sides know, by the answer to a ping.
  static func commonVersion(_ answer: HTTPResponse, _ address: Address) throws -> Int {
    // The words of Go's HTTP server: the request came in the clear.
    if answer.status == .badRequest, String(buffer: answer.body).contains("HTTPS server") {
      throw PipeError(
        .unavailable,
        "the Docker engine at \(address) speaks TLS: name its CA with --docker-ca, and a certificate "
          + "of this node with --docker-cert and --docker-key if it asks for one")
    }
    let parts = answer.headers.first(name: "Api-Version")?.split(separator: ".") ?? []
    guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]), minor >= 0
    else {
      throw PipeError(.unavailable, "\(address) does not answer like a Docker engine")
    }
    guard major > 1 || minor >= Self.versions.lowerBound else {
      throw PipeError(
        .unavailable,
        "the Docker engine at \(address) has API \(major).\(minor): 1.\(Self.versions.lowerBound) "
          + "is needed, Docker 20.10 or newer")
    }
    return min(minor, Self.versions.upperBound)
  }

  /// Says in a user's words why the engine could not be asked.
  private func reaching<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
    do {
      return try await body()
    } catch let error as HTTPClientError {
      // An engine that comes back may be another one.
      minorVersion.withLockedValue { $0 = nil }
      switch error.code {
      case .unreachable:
        throw PipeError(
          .unavailable,
          "the Docker engine at \(address) cannot be reached: see that it runs, that this node may "
            + "use its socket, and that --docker is right", cause: error)
      case .closed where error.cause != nil:
        throw PipeError(
          .unavailable,
          "the connection to the Docker engine at \(address) failed: \(error.reason)", cause: error
        )
      case .timeout, .closed, .tooLong:
        throw PipeError(
          .unavailable,
          "the Docker engine at \(address) does not answer: see that it is one, that it is not "
            + "stuck, and that --docker is right", cause: error)
      }
    }
  }

  static func error(
    _ answer: HTTPResponse, container: String?, _ address: Address
  ) -> PipeError {
    struct Reason: Decodable { var message: String }
    let said = try? decode(Reason.self, answer.body)
    let reason = said?.message ?? "\(answer.status)"
    // Podman's word for it; of an exec that was made before it stopped it says that it is a conflict, as Docker does.
    let doesNotRun =
      answer.status == .internalServerError && reason.contains("container state improper")
    switch (doesNotRun ? .conflict : answer.status, container) {
    case (.notFound, let container?):
      return PipeError(.noTarget, "no container \(container) on the engine at \(address)")
    case (.conflict, let container?) where reason.contains("restarting"):
      return PipeError(.notNow, "container \(container) is restarting: try again in a moment")
    case (.conflict, let container?):
      return reason.contains("paused")
        ? isPaused(container)
        : PipeError(
          .noTarget,
          "container \(container) does not run: start it with `docker start \(container)`")
    default:
      return PipeError(.unavailable, "the Docker engine refused: \(reason)")
    }
  }

  static func isPaused(_ container: String) -> PipeError {
    PipeError(
      .noTarget,
      "container \(container) is paused: resume it with `docker unpause \(container)`")
  }

  private static let json = HTTPHeaders([("Content-Type", "application/json")])

  /// The API's names begin with a capital.
  private static func encode(_ body: some Encodable) throws -> ByteBuffer {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .custom { path in
      let name = path.last?.stringValue ?? ""
      return Key(name.prefix(1).uppercased() + name.dropFirst())
    }
    return ByteBuffer(bytes: try encoder.encode(body))
  }

  static func decode<Value: Decodable>(_ type: Value.Type, _ body: ByteBuffer) throws
    -> Value
  {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .custom { path in
      let name = path.last?.stringValue ?? ""
      return Key(name.prefix(1).lowercased() + name.dropFirst())
    }
    return try decoder.decode(type, from: Data(body.readableBytesView))
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
  }

  /// An id becomes part of paths.
  static func checked(_ id: String) throws -> String {
    // Other scripts have digits that count as hexadecimal, too.
    guard (1...128).contains(id.utf8.count), id.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
      throw PipeError(.unavailable, "the Docker engine answered with a strange id")
    }
    return id
  }
}

extension DockerEngine {
  /// A container runtime's message without what means nothing to a user.
  static func reason(in text: String) -> String {
    var reason = text[...]
    for prefix in [
      "OCI runtime exec failed: ", "exec failed: ", "unable to start container process: ",
    ] where reason.hasPrefix(prefix) {
      reason = reason.dropFirst(prefix.count)
    }
    while let last = reason.last, last.isWhitespace { reason.removeLast() }
    if reason.hasSuffix(": unknown") { reason.removeLast(": unknown".count) }
    return reason.isEmpty
      ? "the container runtime gave no reason" : reason.clipped(to: PipeLimits.startReasonLength)
  }
}
