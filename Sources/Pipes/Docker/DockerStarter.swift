// Starts processes in running containers of one Docker engine, and ends what earlier incarnations of
// the node left there.

import HTTPClient
public import Logging
import NIOConcurrencyHelpers
public import NIOCore
public import TLS
public import Transport
import Wire

public struct DockerStarter: PipeStarter {
  let engine: DockerEngine
  /// What keeps its sessions while nodes come and go; nil: nothing does.
  let holders: ContainerHolders?
  public let homeName: String?
  public let endings: EndingNotes?
  private let node: String
  private let registry = NIOLockedValueBox("")
  private let incarnation: IncarnationLock
  private let seesProcesses: Bool
  private let leftovers: DockerLeftovers
  private let sweeping: DockerSweep
  private let answers = NIOLockedValueBox(Answers())
  let logger: Logger
  public let credentials: TLSCredentials?

  /// - Parameters:
  ///   - scope: names this node, across its incarnations, within its registry: `sweep` ends what earlier ones
  ///     left.
  ///   - credentials: for an engine over TLS.
  ///   - seesProcesses: whether the engine's processes are looked for in this machine's /proc first.
  public init(
    _ address: Address, scope: String, credentials: TLSCredentials? = nil,
    seesProcesses: Bool = true, logger: Logger
  ) {
    self.init(
      address, scope: scope, credentials: credentials, seesProcesses: seesProcesses, home: nil,
      logger: logger)
  }

  /// - Parameters:
  ///   - home: where what is kept is found again; nil: nothing is kept.
  ///   - key: of the nodes that may have each other's sessions; nil: this one's are its own.
  init(
    _ address: Address, scope: String, credentials: TLSCredentials? = nil,
    seesProcesses: Bool = true, home: HolderHome?, key: [UInt8]? = nil, mode: HolderMode = .off,
    logger: Logger
  ) {
    engine = DockerEngine(address, layer: SocketLayer(credentials))
    homeName = home?.name
    endings = home?.endings
    holders = home.map { [engine] in
      ContainerHolders(
        engine, key: key ?? $0.secret.key,
        notes: ContainerNotes(in: $0.directory, logger: logger), isRequired: mode == .require,
        logger: logger)
    }
    self.credentials = credentials
    node = scope
    incarnation = IncarnationLock(.random())
    self.seesProcesses = seesProcesses
    self.logger = logger
    leftovers = DockerLeftovers(logger: logger)
    sweeping = DockerSweep(engine, logger: logger)
  }

  // MARK: The engine, from time to time

  private struct Answers {
    /// Nil: not asked yet.
    var isAvailable: Bool?
    var failures = 0
  }

  /// Which engine it is, by its own word, and which key this node has there: whose key is another reaches other holders.
  /// Nil: it has not been asked.
  var engineID: String? { holders?.engineName.withLockedValue { $0 } }

  /// One that is there again may be another one.
  private func learnEngine() async {
    guard let holders, let found = try? await engine.identity() else { return }
    holders.engineName.withLockedValue { $0 = "\(found.name).\(holders.keyName)" }
  }

  public var isAvailable: Bool { answers.withLockedValue { $0.isAvailable ?? true } }

  public func check() async {
    var problem: String?
    do { try await engine.ping(within: PipeLimits.ping) } catch { problem = "\(error)" }
    if Task.isCancelled { return }
    if problem == nil, engineID == nil || !isAvailable { await learnEngine() }
    let hasChanged = answers.withLockedValue { [problem] answers in
      let had = answers.isAvailable
      answers.failures = problem == nil ? 0 : answers.failures + 1
      if problem == nil || had == nil || answers.failures >= PipeLimits.engineFailures {
        answers.isAvailable = problem == nil
      }
      return answers.isAvailable != (had ?? true)
    }
    guard hasChanged else { return }
    if let problem {
      logger.warning(
        "no sessions in containers are taken while the Docker engine does not answer",
        metadata: ["error": "\(problem)"])
    } else {
      logger.notice("the Docker engine answers; sessions in containers are taken")
    }
  }

  public func attend() async {
    await withTaskGroup(of: Void.self) { group in
      // Containers that hang make a sweep long: the engine is looked at meanwhile.
      group.addTask { await sweepUntilDone() }
      group.addTask {
        while !Task.isCancelled {
          if isAvailable { await leftovers.settle() }
          try? await Task.sleep(for: PipeLimits.engineInterval)
          await check()
        }
      }
    }
  }

  private func sweepUntilDone() async {
    var isSwept = false
    while !Task.isCancelled {
      if isAvailable {
        if isSwept { await sweeping.settle(scope: scope) } else { isSwept = await sweep() }
      }
      try? await Task.sleep(for: PipeLimits.engineInterval)
    }
  }

  public func enter(registry: String) { self.registry.withLockedValue { $0 = registry } }

  /// On one engine there may be nodes of the same name, of clusters of the same name.
  private var scope: String { "\(registry.withLockedValue { $0 })/\(node)" }

  // MARK: Starting

  public func start(_ request: PipeRequest, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<any Pipe>>
  {
    guard let container = request.creation.target.container else {
      return eventLoop.makeFailedFuture(
        PipeError(.noTarget, "\(request.creation.target) is not a container"))
    }
    guard let holders else { return startUnheld(request, in: container, on: eventLoop) }
    return eventLoop.makeFutureWithTask {
      try await startHeld(request, in: container, with: holders, on: eventLoop)
    }.flatMap { pipe in
      pipe.map(eventLoop.makeSucceededFuture)
        ?? startUnheld(request, in: container, on: eventLoop)
    }
  }

  /// As an exec of the engine's, whose connection is the terminal: it ends with this node.
  private func startUnheld(
    _ request: PipeRequest, in container: String, on eventLoop: any EventLoop
  ) -> EventLoopFuture<NIOLoopBound<any Pipe>> {
    eventLoop.flatSubmit {
      let handler = NIOLoopBound(DockerHandler(eventLoop: eventLoop), eventLoop: eventLoop)
      let started = eventLoop.makeFutureWithTask {
        try await launch(request, in: container, handler)
      }
      started.whenFailure { _ in handler.value.giveUp() }
      return started.map { started in
        let pipe = DockerPipe(
          process: started.process, channel: started.channel, handler: handler.value,
          isShell: ShellCommand.isInteractive(Self.command(request.creation)),
          leftovers: leftovers, logger: logger)
        return NIOLoopBound(pipe, eventLoop: eventLoop)
      }
    }
  }

  private struct Started: Sendable {
    var process: DockerProcess
    var channel: any Channel
  }

  private func launch(
    _ request: PipeRequest, in container: String, _ handler: NIOLoopBound<DockerHandler>
  ) async throws -> Started {
    let mark = DockerMark(
      scope: scope, incarnation: incarnation.incarnation, session: request.session)
    let found = try await engine.inspect(container: container)
    if found.state.isPaused { throw DockerEngine.isPaused(container) }
    let given = found.config?.env ?? []
    let exec = try await engine.createExec(
      in: container, Self.exec(request, mark: mark, given: given))
    do {
      let any = try await handler.eventLoop.submit {
        NIOLoopBound<any ChannelHandler>(handler.value, eventLoop: handler.eventLoop)
      }.get()
      let channel = try await engine.startExec(
        exec, size: request.size, container: container, handler: any)
      do {
        let state = try await confirm(exec, request, in: container, handler)
        let process = DockerProcess(
          engine: engine, exec: exec, container: state.containerID, mark: mark,
          user: request.creation.user, pid: seesProcesses ? state.pid : 0)
        Task { await process.look() }
        return Started(process: process, channel: channel)
      } catch {
        channel.close(promise: nil)
        throw error
      }
    } catch let error as PipeError where error.code == .unavailable {
      // Nobody knows whether it was started.
      let process = DockerProcess(
        engine: engine, exec: exec, container: container, mark: mark, user: request.creation.user,
        pid: 0)
      Task {
        if case .unknown = await process.signal([.hangup, .kill]) { leftovers.add(process) }
      }
      throw error
    }
  }

  /// Sets the size, and finds out whether the process was started: 101 is answered before that, and
  /// until then the engine has no process to give a size.
  private func confirm(
    _ exec: String, _ request: PipeRequest, in container: String,
    _ handler: NIOLoopBound<DockerHandler>
  ) async throws -> DockerEngine.ExecState {
    for attempt in 0..<PipeLimits.startQuestions {
      let isSized = (try? await engine.resize(exec, to: request.size)) != nil
      let state = try await engine.inspect(exec)
      if isSized || state.pid != 0 { return state }  // it runs, or has ended already
      if !state.running, state.exitCode != nil {
        throw try await startError(request, in: container, handler)
      }
      try await Task.sleep(for: PipeLimits.questionInterval * (1 << attempt))
    }
    throw PipeError(
      .unavailable, "the Docker engine does not start a process in container \(container)")
  }

  /// The container runtime's reason comes in the stream, which then ends.
  private func startError(
    _ request: PipeRequest, in container: String, _ handler: NIOLoopBound<DockerHandler>
  ) async throws -> PipeError {
    let program = request.creation.command.first ?? Self.shell
    let text = try await handler.eventLoop.flatSubmit {
      let closed = handler.value.closed
      let hurry = handler.eventLoop.scheduleTask(in: PipeLimits.startReason) {
        handler.value.giveUp()
      }
      return closed.map {
        hurry.cancel()
        return handler.value.withheldText
      }
    }.get()
    return PipeError(
      .noCommand,
      "cannot start \(program) in container \(container): \(DockerEngine.reason(in: text))")
  }

  static let shell = "/bin/sh"

  static func command(_ creation: Creation) -> [String] {
    creation.command.isEmpty ? [shell] : creation.command
  }

  /// - Parameter given: the container's own environment, `NAME=value` each, in which that of an exec is put.
  private static func exec(_ request: PipeRequest, mark: DockerMark, given: [String])
    -> DockerEngine.ExecRequest
  {
    let creation = request.creation
    var environment = environment(of: request, given: given)
    environment[DockerMark.variable] = mark.value
    return DockerEngine.ExecRequest(
      cmd: command(creation),
      env: environment.map { "\($0)=\($1)" }.sorted(),
      workingDir: creation.workingDirectory,
      user: creation.user?.rawValue,
      detachKeys: detachKeys(),
      consoleSize: [request.size.rows, request.size.columns])
  }

  /// What is put over the container's own environment.
  static func environment(of request: PipeRequest, given: [String]) -> [String: String] {
    var environment = ["TERM": "xterm-256color", "COLORTERM": "truecolor"]
    if !Locale.isSet(in: given.map { String($0.prefix { $0 != "=" }) }) {
      environment[Locale.variable] = Locale.usual
    }
    environment.merge(request.creation.environment) { $1 }
    environment["FAIRLEAD_SESSION"] = request.session.rawValue
    return environment
  }

  /// The engine filters a terminal's input for a sequence of keys that detaches, ctrl-p ctrl-q unless
  /// told otherwise, and withholds what may begin it until the next byte comes. (moby/term: an empty list
  /// means the usual one; each key is one character below 0x80, or a name such as ctrl-a for one below
  /// 0x20. A byte above cannot be said, since the list travels as JSON.) So some key that can be typed is
  /// always late, and whatever were sent after it to push it through would reach the process too.
  ///
  /// It is ctrl-@, the key whose lateness is seen least: to editors and shells it sets a mark, to others it
  /// is a prefix, and both show with the key that follows. All others arrive at once. What follows it in the
  /// list is random, so that nobody detaches.
  private static func detachKeys() -> String {
    let letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    let keys = (0..<24).map { _ in String(letters.randomElement() ?? "x") }
    return (["ctrl-@"] + keys).joined(separator: ",")
  }

  // MARK: What earlier incarnations left

  /// Ends what carries the mark of an incarnation of this node that is dead: what is seen in this machine's
  /// /proc, and what is in any container in which some exec runs. Where one cannot be looked at, that is said, and
  /// it is tried again while `attend` runs.
  /// - Returns: false: the engine does not answer.
  @discardableResult
  public func sweep() async -> Bool {
    if seesProcesses {
      // It fails only while the node stops.
      do { try await sweeping.sweepProcesses(scope: scope) } catch { return false }
    }
    return await sweeping.run(scope: scope)
  }
}
