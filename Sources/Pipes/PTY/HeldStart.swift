// Terminals of this machine that a holder has: it starts them, and keeps them while nodes come and go.

import Glibc
import Holder
public import NIOCore
public import Wire

extension PTYStarter {
  public var homeName: String? { holder?.name }
  public var endings: EndingNotes? { holder?.endings }
  public func holderName(of creation: Creation) -> String? { holder?.name }

  /// The holder starts the process; nothing here waits for it.
  func start(
    _ request: PipeRequest, _ command: Command, _ environment: [String: String],
    in directory: String, isPreferred: Bool, with holder: HolderHome, on eventLoop: any EventLoop
  ) -> EventLoopFuture<NIOLoopBound<any Pipe>> {
    let process = HeldProcess(
      paths: command.paths, names: command.names ?? [], arguments: command.arguments,
      environment: environment, directory: directory, isDirectoryPreferred: isPreferred,
      user: command.login.user.map { HeldUser(uid: $0.uid, gid: $0.gid, groups: $0.groups) },
      files: files)
    let start = StartRequest(request, process, seal: holder.current.seal)
    return holder.current.connection(on: eventLoop).flatMap {
      $0.value.start(start, size: request.size)
    }
    .flatMapErrorThrowing { error in
      guard let error = error as? HeldStartError else {
        throw error as? PipeError
          ?? PipeError(
            .notNow, "the holder of this node's terminals does not answer; try again",
            cause: error)
      }
      throw failure(error, command, directory)
    }
  }

  private func failure(_ error: HeldStartError, _ command: Command, _ directory: String)
    -> PipeError
  {
    switch error.step {
    case .time:
      return PipeError(
        .noCommand,
        "\(command.program) did not come to be executed in time: its directory or file does not answer, "
          + "or its user held the process up")
    case .limit:
      return PipeError(.resources, "the holder of this node's terminals takes no more")
    default: return failure(CInt(clamping: error.number), error.step, command, directory)
    }
  }

  public func kept(by holders: SilentHolders, on eventLoop: any EventLoop)
    -> EventLoopFuture<KeptEntries>
  {
    holder?.kept(by: holders, on: eventLoop) ?? eventLoop.makeSucceededFuture(KeptEntries())
  }

  public func kept(by holder: String, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>?
  {
    self.holder?.kept(by: holder, on: eventLoop)
  }

  // MARK: Other nodes of the machine

  /// Whose holders this node reaches.
  public var labels: [String: String] { holder?.labels ?? [:] }

  public func check() async { await holder?.siblings?.look() }

  public func attend() async {
    guard let siblings = holder?.siblings else { return }
    while !Task.isCancelled {
      try? await Task.sleep(for: PipeLimits.siblingInterval)
      await siblings.look()
    }
  }

  /// Lets go of what the holder has.
  public func shutdown() async { await holder?.detachAll() }
}
