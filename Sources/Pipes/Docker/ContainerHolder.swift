// The holder in a container, of one of its users: an exec of its own, which the engine reaps, reached by a relay, which
// is another exec. Its program is put there first.

import Holder
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Wire

final class ContainerHolder: HolderPlace {
  /// Of a container, by its id: a name may come to mean another one.
  struct Place: Hashable, Sendable {
    var container: String
    /// Nil: the container's own.
    var user: String?
  }

  let place: Place
  let secret: HolderSecret
  let seal: Seal
  let logger: Logger
  let connections = HolderConnections()
  private let engine: DockerEngine
  private let token: String
  private let files: NIOLockedValueBox<HolderFiles>
  /// Whether a holder has made that folder: before, a relay would show everybody in the container its name.
  private let isMade: NIOLockedValueBox<Bool>
  private let notes: ContainerNotes
  private let engineName: NIOLockedValueBox<String?>
  /// Whether a note says so.
  private let isNoted = NIOLockedValueBox(false)
  /// One start at a time.
  private let starting = NIOLockedValueBox<Task<Void, any Error>?>(nil)

  /// - Parameters:
  ///   - files: where it was found; nil: where it would be put.
  ///   - key: the nodes' that may have it.
  ///   - engineName: the engine's, as records name it; nil: it has not been asked.
  init(
    _ place: Place, files: HolderFiles? = nil, key: [UInt8], engine: DockerEngine,
    engineName: NIOLockedValueBox<String?>, notes: ContainerNotes, logger: Logger
  ) {
    self.notes = notes
    self.engineName = engineName
    self.place = place
    self.engine = engine
    self.logger = logger
    token = Self.token(of: place, key: key)
    self.files = NIOLockedValueBox(files ?? .usual(token))
    isMade = NIOLockedValueBox(files != nil)
    secret = HolderSecret(of: place, key: key)
    seal = Seal(key, place: place.container)
  }

  /// By which nodes that know the key find it, and nobody else can guess where it will be.
  static func token(of place: Place, key: [UInt8]) -> String {
    MAC.of(place.parts("folder"), key: key).prefix(8).hexadecimal
  }

  var description: String {
    "container \(place.container.prefix(12))" + (place.user.map { ", user \($0)" } ?? "")
  }

  var name: String? {
    engineName.withLockedValue { $0 }.map {
      HolderName.Container(engine: $0, name: place.container, user: place.user).holder
    }
  }

  var stall: String {
    "the engine of container \(place.container.prefix(12)) does not answer, or the container is paused"
  }

  /// Whether it is there; the engine knows that some holder is.
  func isFound(at other: HolderFiles) -> Bool {
    guard files.withLockedValue({ $0 == other }) else { return false }
    isMade.withLockedValue { $0 = true }
    return true
  }

  /// Where it is, or would be.
  var location: HolderFiles { files.withLockedValue { $0 } }

  /// A record says that one was made in this container, for this user: its folder has been taken.
  func wasMade() { isMade.withLockedValue { $0 = true } }

  var isShared: Bool { true }
  var asSilent: SilentHolders { SilentHolders(containers: [place.container]) }

  var patience: TimeAmount { PipeLimits.engineDeadline }
  /// Its engine may be away for long: its sessions are lost only when that is known.
  var goneAfter: TimeAmount? { nil }
  var idleAfter: TimeAmount? { PipeLimits.relayIdle }

  func isGone(_ error: any Error) -> Bool { error is HolderIsGone }

  private func note(_ files: HolderFiles) {
    let wasNoted = isNoted.withLockedValue { isNoted in
      defer { isNoted = true }
      return isNoted
    }
    if wasNoted { return }
    notes.write(
      ContainerNotes.Note(
        container: place.container, user: place.user, program: files.program,
        directory: files.directory), as: token)
  }

  /// What it has is none of this node's, or it is gone.
  func connectionIsIdle() {
    guard connections.isEmpty else { return }
    isNoted.withLockedValue { $0 = false }
    notes.remove(token)
  }

  // MARK: The relay

  func connect(_ handler: NIOLoopBound<HolderHandler>) -> EventLoopFuture<any Channel> {
    handler.eventLoop.makeFutureWithTask { try await self.relay(to: handler) }
  }

  private func relay(to handler: NIOLoopBound<HolderHandler>) async throws -> any Channel {
    guard isMade.withLockedValue({ $0 }) else { throw HolderIsGone() }
    let files = files.withLockedValue { $0 }
    // The first frame says hello.
    let (end, channel) = try await execute(
      files.command("relay"), on: handler.eventLoop, next: handler
    ) { $0.count < 5 ? nil : $0.dropFirst(4).first == HolderFrame.helloType }
    if let channel {
      note(files)
      return channel
    }
    if Self.gone.contains(end.code ?? 0), try await !isServed(files) {
      // Where it was is not looked at again: somebody else may have come there.
      self.files.withLockedValue { $0 = .usual(token) }
      isMade.withLockedValue { $0 = false }
      notes.remove(token)
      throw HolderIsGone()
    }
    throw PipeError(.notNow, "no relay to the holder in \(description): \(end.reason)")
  }

  /// Statuses of a relay to nobody; the last two are the container runtime's, where there is no such program.
  private static let gone: Set<Int> = [Int(HolderStatus.nobodyListens), 126, 127]

  /// Whether the engine knows an exec of the holder that runs: a container that can take no more processes, or a holder
  /// that takes no more peers, refuses a relay just so.
  private func isServed(_ files: HolderFiles) async throws -> Bool {
    var isServed = false
    let looked = try await engine.lookAtExecs(in: place.container) { state in
      isServed = isServed || state.running && HolderFiles(state, token: token) == files
      return !isServed
    }
    return isServed || looked.areAny && !looked.isWhole
  }

  // MARK: Its start

  func ensureRunning(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
    eventLoop.makeFutureWithTask {
      let task = self.starting.withLockedValue { starting in
        if let starting { return starting }
        let task = Task {
          defer { self.starting.withLockedValue { $0 = nil } }
          try await self.start(on: eventLoop)
        }
        starting = task
        return task
      }
      try await task.value
    }
  }

  private func start(on eventLoop: any EventLoop) async throws {
    guard HolderFiles.areCarried else {
      throw CannotHold(reason: "this fairlead was built without one")
    }
    let usual = HolderFiles.usual(token)
    if try await serve(usual, on: eventLoop) == nil { return }
    let binary = try await binary
    var reason: String
    do {
      try await engine.put(HolderFiles.archive(of: binary), at: "/", in: place.container)
      // Another node may be putting it there, too.
      var why = try await serve(usual, on: eventLoop)
      for _ in 0..<PipeLimits.holderStarts where why != nil {
        try await Task.sleep(for: PipeLimits.questionInterval)
        why = try await serve(usual, on: eventLoop)
      }
      guard let why else { return }
      reason = why
    } catch let error as PipeError where error.code != .noTarget {
      reason = error.message
    }
    try await startBesides(binary, because: reason, on: eventLoop)
  }

  /// For the engine's processor, whatever the container's image is made for: what is static needs no more.
  private var binary: ByteBuffer {
    get async throws {
      guard let processor = try await engine.identity().processor else {
        throw CannotHold(reason: "the engine does not say which processor it has")
      }
      guard let binary = HolderFiles.binary(for: processor) else {
        throw CannotHold(
          reason: "this fairlead carries none for the engine's processor, \(processor)")
      }
      return binary
    }
  }

  /// Where nothing can be put below the root, or be executed there.
  private func startBesides(
    _ binary: ByteBuffer, because reason: String, on eventLoop: any EventLoop
  ) async throws {
    let command = HolderFiles.command(size: binary.readableBytes, token: token)
    let found = NIOLockedValueBox<HolderFiles?>(nil)
    let (end, channel) = try await execute(command, input: binary, on: eventLoop) { bytes in
      guard bytes.contains(UInt8(ascii: "\n")) else { return nil }
      let files = HolderFiles(printed: String(decoding: bytes, as: UTF8.self))
      found.withLockedValue { $0 = files }
      return files != nil
    }
    channel?.close(promise: nil)
    guard channel != nil, let files = found.withLockedValue({ $0 }) else {
      throw CannotHold(reason: "\(reason); and by a shell: \(end.reason)")
    }
    if let why = try await serve(files, on: eventLoop) {
      throw CannotHold(reason: "\(reason); and in \(files.directory): \(why)")
    }
  }

  /// Nil: it runs. Else why not: its program is not there, or cannot be executed.
  private func serve(_ files: HolderFiles, on eventLoop: any EventLoop) async throws -> String? {
    let (end, channel) = try await execute(
      files.command("serve"), input: ByteBuffer(bytes: secret.bytes),
      on: eventLoop
    ) { $0.count < 6 ? nil : $0.starts(with: "ready\n".utf8) }
    if let channel {
      // It goes on without anybody at its input and output.
      channel.close(promise: nil)
    } else if end.code != Int(HolderStatus.taken) {
      return end.reason
    }
    self.files.withLockedValue { $0 = files }
    isMade.withLockedValue { $0 = true }
    return nil
  }

  // MARK: Execs

  private struct Ended {
    /// Nil: the engine does not know.
    var code: Int?
    var reason: String
  }

  /// Executes a command without a terminal.
  /// - Parameters:
  ///   - input: what it gets to read.
  ///   - next: what gets its output.
  ///   - begins: whether its output begins as it should.
  /// - Returns: its connection, once its output has begun so; else how it ended.
  private func execute(
    _ command: [String], input: ByteBuffer? = nil, on eventLoop: any EventLoop,
    next: NIOLoopBound<HolderHandler>? = nil, begins: @escaping ExecStream.Beginning
  ) async throws -> (Ended, (any Channel)?) {
    do {
      let exec = try await engine.createExec(
        in: place.container, DockerEngine.ExecRequest(cmd: command, user: place.user, tty: false))
      let begun = eventLoop.makePromise(of: Void.self)
      let stream = try await eventLoop.submit {
        NIOLoopBound<any ChannelHandler>(
          ExecStream(begins: begins, next: next?.value, begun: begun), eventLoop: eventLoop)
      }.get()
      let channel: any Channel
      do {
        channel = try await engine.startExec(
          exec, size: nil, container: place.container, handler: stream)
      } catch {
        begun.fail(error)
        throw error
      }
      let limit = eventLoop.scheduleTask(in: PipeLimits.engineDeadline) {
        channel.close(promise: nil)
      }
      defer { limit.cancel() }
      if let input { channel.writeAndFlush(input, promise: nil) }
      do {
        try await begun.futureResult.get()
        return (Ended(reason: ""), channel)
      } catch let end as ExecEnd {
        return (await ended(exec, end), nil)
      }
    } catch let error as PipeError where error.code == .noTarget {
      // What is paused goes on; what was stopped has no processes any more.
      guard try await isContainerRunning else { throw HolderIsGone(container: error) }
      throw error
    }
  }

  /// Also while it is paused.
  private var isContainerRunning: Bool {
    get async throws {
      do {
        return try await engine.inspect(container: place.container).state.running
      } catch let error as PipeError where error.code == .noTarget {
        return false
      }
    }
  }

  private func ended(_ exec: String, _ end: ExecEnd) async -> Ended {
    var state = try? await engine.inspect(exec)
    for attempt in 0..<PipeLimits.exitQuestions where state?.running == true {
      try? await Task.sleep(for: PipeLimits.questionInterval * (1 << attempt))
      state = try? await engine.inspect(exec)
    }
    let reason = DockerEngine.reason(in: end.text)
    return Ended(
      code: state?.exitCode,
      reason: end.text.isEmpty ? "it ended with status \(state?.exitCode ?? -1)" : reason)
  }
}

/// Nobody holds terminals there any more. No `Failure`: sessions are told as lost, or another holder is started.
struct HolderIsGone: Error {
  /// Its container is not there, or does not run.
  var container: PipeError?
}

/// No holder can be had in a container. No `Failure`: what becomes of it is for `--holder` to say.
struct CannotHold: Error {
  var reason: String
}

extension ContainerHolder.Place {
  /// What a hash of it is made from.
  fileprivate func parts(_ purpose: String) -> [[UInt8]] {
    [Array("fairlead \(purpose) \(container) \(user.map { "of \($0)" } ?? "")".utf8)]
  }
}

extension HolderSecret {
  /// The same for each node that knows the key.
  fileprivate init(of place: ContainerHolder.Place, key: [UInt8]) {
    identity = Array(MAC.of(place.parts("holder"), key: key).prefix(16))
    self.key = MAC.of(place.parts("key"), key: key)
  }
}
