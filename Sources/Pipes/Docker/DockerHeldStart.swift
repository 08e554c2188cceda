// Sessions in containers that a holder there has: it starts them, and keeps them while nodes come and go.

import Holder
import Logging
public import NIOCore
public import Wire

extension DockerStarter {
  public func holderName(of creation: Creation) -> String? {
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
    if found.state.isPaused { throw DockerEngine.isPaused(container) }
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
    let given = config?.env ?? []
    let environment = environment(of: request, given: given)
    let words = command(creation)
    let path = environment["PATH"] ?? variable("PATH", in: given) ?? SearchPath.usual
    let folder = creation.workingDirectory ?? config?.workingDir ?? ""
    let process = HeldProcess(
      paths: SearchPath.places(of: words[0], in: path), arguments: words, environment: environment,
      addsHoldersEnvironment: true, directory: folder.isEmpty ? "/" : folder,
      isDirectoryPreferred: creation.workingDirectory == nil)
    return StartRequest(request, process, seal: seal)
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
    case .search:
      PipeError(.noCommand, "command not found in container \(container): \(program)")
    case .directory:
      PipeError(.noCommand, "cannot work in \(folder) of container \(container): \(reason)")
    case .program:
      PipeError(.noCommand, "cannot execute \(program) in container \(container): \(reason)")
    case .time:
      PipeError(
        .noCommand,
        "\(program) did not come to be executed in time in container \(container): its folder or file does "
          + "not answer")
    case .limit:
      PipeError(.resources, "the holder in container \(container) takes no more")
    default:
      PipeError(.resources, "container \(container) can start no process now: \(reason)")
    }
  }

  // MARK: What was kept

  public func kept(by asked: SilentHolders, on eventLoop: any EventLoop)
    -> EventLoopFuture<KeptEntries>
  {
    guard let holders, asked.areAnywhere || !asked.containers.isEmpty else {
      return eventLoop.makeSucceededFuture(KeptEntries())
    }
    let promise = eventLoop.makePromise(of: KeptEntries.self)
    let isLate = NIOLoopBoundBox(false, eventLoop: eventLoop)
    // An engine that hangs holds no node up: whoever asks next hears what it has said meanwhile.
    let late = eventLoop.scheduleTask(in: PipeLimits.keptPatience) {
      isLate.value = true
      promise.succeed(.unknown)
    }
    holders.look(for: asked, on: eventLoop).whenComplete { result in
      late.cancel()
      guard !isLate.value else { return }
      holders.forgetLook(on: eventLoop)
      switch result {
      case .success(let kept): promise.succeed(kept)
      case .failure(let error):
        logger.warning(
          "the Docker engine cannot be asked what is kept in its containers; it is asked again",
          metadata: ["error": "\(error)"])
        promise.succeed(.unknown)
      }
    }
    return promise.futureResult
  }

  public func shutdown() async { await holders?.detachAll() }
}

extension KeptEntries {
  static func silent(in container: String) -> KeptEntries {
    var entries = KeptEntries()
    entries.silent.containers = [container]
    return entries
  }

  /// Nobody could be asked.
  static var unknown: KeptEntries {
    var entries = KeptEntries()
    entries.silent.areAnywhere = true
    return entries
  }
}
