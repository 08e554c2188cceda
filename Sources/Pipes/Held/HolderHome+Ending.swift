// Ends what holders keep, for an operator whose server does not run.

import Holder
public import NIOCore
import Wire

extension HolderHome {
  /// Whether a holder listens in that directory, which is not made for that.
  public static func hasHolder(_ directory: String) -> Bool {
    LocalHolder.folders(in: directory).contains { LocalHolder.isListening(in: $0) }
  }

  /// Starts this version's holder unless it runs. Blocks for some milliseconds: not on an event loop.
  /// - Returns: whether it ran.
  /// - Throws: ``StateDirectoryError``.
  public func ensureRunning() throws -> Bool { try current.ensureRunning() }

  /// The terminals that the holders have and that have not ended.
  public func terminals(on eventLoop: any EventLoop) async throws -> Int {
    var count = 0
    for holder in all {
      count += try await eventLoop.flatSubmit {
        holder.list(on: eventLoop).map { entries in entries.count { !$0.hasEnded } }
      }.get()
    }
    return count
  }

  /// Ends all terminals that the holders have.
  /// - Parameter forgets: nobody is to be told how they ended.
  /// - Returns: how many have ended within ``PipeLimits/endingAll``, and how many have not.
  public func endAll(forgets: Bool, on eventLoop: any EventLoop) async throws
    -> (ended: Int, left: Int)
  {
    var endings: [Bool] = []
    for holder in all {
      endings += try await eventLoop.flatSubmit {
        holder.list(on: eventLoop).flatMap { entries in
          let connection = holder.connections.connection(to: holder, on: eventLoop)
          let ending = entries.map { Self.end($0, over: connection.value, forgets: forgets) }
          return EventLoopFuture.whenAllSucceed(ending, on: eventLoop)
        }
      }.get()
    }
    await detachAll()
    let ended = endings.count { $0 }
    return (ended, endings.count - ended)
  }

  /// Completes with whether it has ended.
  private static func end(
    _ entry: HeldEntry, over connection: HolderConnection, forgets: Bool
  ) -> EventLoopFuture<Bool> {
    let eventLoop = connection.eventLoop
    let ended = eventLoop.makePromise(of: Bool.self)
    let limit = eventLoop.scheduleTask(in: PipeLimits.endingAll) { ended.succeed(false) }
    connection.attach(entry.handle, epoch: entry.epoch &+ 1, latest: 0).whenComplete { result in
      switch result {
      case .success(let attached): TerminalEnd(attached.value.pipe, forgets, ended).begin()
      case .failure: ended.succeed(false)
      }
    }
    return ended.futureResult.always { _ in limit.cancel() }
  }
}

extension LocalHolder {
  /// All that it has; nothing, if it does not run.
  fileprivate func list(on eventLoop: any EventLoop) -> EventLoopFuture<[HeldEntry]> {
    reach(on: eventLoop).flatMap { $0.value.list() }.flatMapErrorThrowing { error in
      guard self.isGone(error) else { throw error }
      return []
    }
  }
}

/// A terminal that is being ended; what it still prints is read, and nobody's.
private final class TerminalEnd: PipeDelegate {
  private let pipe: any Pipe
  private let forgets: Bool
  private let ended: EventLoopPromise<Bool>

  init(_ pipe: any Pipe, _ forgets: Bool, _ ended: EventLoopPromise<Bool>) {
    self.pipe = pipe
    self.forgets = forgets
    self.ended = ended
  }

  func begin() {
    pipe.delegate = self
    // The pipe does not keep its delegate.
    let kept = NIOLoopBound(self, eventLoop: pipe.eventLoop)
    ended.futureResult.whenComplete { _ in withExtendedLifetime(kept) {} }
    pipe.isReading = true
    pipe.terminate(grace: PipeLimits.endingGrace)
  }

  func pipeDidRead(_ bytes: ByteBuffer) {}
  func pipeDidWrite(_ count: Int) {}

  func pipeDidEnd(_ status: ExitStatus?, reason: String?) {
    if forgets { pipe.keeper?.forget() }
    ended.succeed(true)
  }
}
