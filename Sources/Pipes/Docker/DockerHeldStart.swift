// Sessions in containers that a holder there has: it starts them, and keeps them while nodes come and go.

import Holder
import Logging
public import NIOCore
public import Wire

extension DockerStarter {
  public func keeperName(of creation: Creation) -> String? {
    guard holders != nil, let engine = engineID, let container = creation.target.container else {
      return nil
    }
    return HolderName.Container(engine: engine, name: container, user: creation.user?.rawValue)
      .holder
  }

  /// Which engine it is: another node that has the same one reaches the same holders.
  public var labels: [String: String] {
    guard holders != nil, isAvailable, let engine = engineID else { return [:] }
    return [HolderName.engineLabel: engine]
  }

  public func kept(by holder: String, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>?
  {
    guard let holders, let place = HolderName.Container(holder), place.engine == engineID else {
      return nil
    }
    return eventLoop.makeFutureWithTask {
      try await holders.kept(in: place.name, of: place.user, on: eventLoop)
    }
  }

  /// Nil: no holder can be had there, and none is required.
  func startHeld(
    _ request: PipeRequest, in container: String, with holders: ContainerHolders,
    on eventLoop: any EventLoop
  ) async throws -> NIOLoopBound<any Pipe>? {
    let found = try await engine.inspect(container: container)
    let place = ContainerHolder.Place(
      container: found.id, user: request.creation.user?.rawValue)
    do {
      if let reason = holders.failure(at: place), !holders.isRequired {
        throw CannotHold(reason: reason)
      }
      let holder = holders.holder(at: place)
      let start = Self.heldStart(request, found.config, seal: holder.seal)
      return try await eventLoop.flatSubmit {
        holder.connection(on: eventLoop).flatMap { $0.value.start(start, size: request.size) }
      }.get()
    } catch let error as HeldStartError {
      throw Self.failure(error, request, in: container)
    } catch let error as CannotHold {
      holders.didFail(at: place, error.reason)
      guard holders.isRequired else { return nil }
      throw PipeError(
        .unavailable,
        "no holder can be had in container \(container), and --holder require asks for one: "
          + error.reason)
    } catch let error as HolderIsGone {
      throw error.container
        ?? PipeError(.notNow, "the holder in container \(container) has just ended: try again")
    }
  }

  /// As `docker exec` would start it: with the container's environment and folder, and what is asked for over it.
  private static func heldStart(
    _ request: PipeRequest, _ config: DockerEngine.Container.Config?, seal: Seal
  ) -> StartRequest {
    let creation = request.creation
    let mark = "FAIRLEAD_MARK=\(request.session)/\(request.epoch.rawValue)"
    let given = config?.env ?? []
    let environment = environment(of: request, given: given)
    let words = command(creation)
    let folder = creation.workingDirectory ?? config?.workingDir ?? ""
    return StartRequest(
      tag: 0, epoch: request.epoch.rawValue, columns: UInt16(clamping: request.size.columns),
      rows: UInt16(clamping: request.size.rows), logLimit: UInt32(clamping: request.logLimit),
      orphanAfter: UInt32(clamping: PipeLimits.orphan.nanoseconds / 1_000_000_000),
      descriptor: seal.close(request.descriptor), mark: Array(mark.utf8),
      paths: paths(of: words[0], environment["PATH"] ?? variable("PATH", in: given)), names: [],
      arguments: words.map { Array($0.utf8) },
      environment: environment.map { Array("\($0)=\($1)".utf8) } + [Array(mark.utf8)],
      addsHoldersEnvironment: true, directory: Array((folder.isEmpty ? "/" : folder).utf8),
      isDirectoryPreferred: creation.workingDirectory == nil, user: nil, filesSoft: 0, filesHard: 0)
  }

  /// As execvp(3).
  private static func paths(of program: String, _ path: String?) -> [[UInt8]] {
    if program.contains("/") { return [Array(program.utf8)] }
    let folders = path ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return folders.split(separator: ":", omittingEmptySubsequences: false)
      .map { Array((($0.isEmpty ? "." : String($0)) + "/" + program).utf8) }
  }

  private static func variable(_ name: String, in environment: [String]) -> String? {
    environment.last { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.utf8.count + 1)) }
  }

  private static func failure(
    _ error: HeldStartError, _ request: PipeRequest, in container: String
  ) -> PipeError {
    let program = command(request.creation)[0]
    let reason = describe(errno: CInt(clamping: error.number))
    let folder = request.creation.workingDirectory ?? "its folder"
    return switch error.step {
    case UInt8(ascii: "n"):
      PipeError(.noCommand, "command not found in container \(container): \(program)")
    case UInt8(ascii: "d"):
      PipeError(.noCommand, "cannot work in \(folder) of container \(container): \(reason)")
    case UInt8(ascii: "x"):
      PipeError(.noCommand, "cannot execute \(program) in container \(container): \(reason)")
    case UInt8(ascii: "t"):
      PipeError(
        .noCommand,
        "\(program) did not come to be executed in time in container \(container): its folder or file does "
          + "not answer")
    case UInt8(ascii: "l"):
      PipeError(.resources, "the holder in container \(container) takes no more")
    default:
      PipeError(.resources, "container \(container) can start no process now: \(reason)")
    }
  }

  // MARK: What was kept

  public func kept(on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries> {
    guard let holders else { return eventLoop.makeSucceededFuture(KeptEntries()) }
    let promise = eventLoop.makePromise(of: KeptEntries.self)
    // An engine that hangs holds no node up: what it has is asked for again.
    let late = eventLoop.scheduleTask(in: PipeLimits.keptPatience) { promise.succeed(.unknown) }
    promise.futureResult.whenComplete { _ in late.cancel() }
    promise.completeWithTask {
      do { return try await holders.kept(on: eventLoop) } catch {
        logger.warning(
          "the Docker engine cannot be asked what is kept in its containers; it is asked again",
          metadata: ["error": "\(error)"])
        return .unknown
      }
    }
    return promise.futureResult
  }

  public func shutdown() async { await holders?.detachAll() }
}

extension KeptEntries {
  /// Nobody could be asked.
  static var unknown: KeptEntries {
    var entries = KeptEntries()
    entries.isWhole = false
    return entries
  }
}
