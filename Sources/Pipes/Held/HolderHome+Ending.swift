// Ends what holders keep, for an operator whose server does not run.

import Holder
public import NIOCore
import Wire

extension HolderHome {
  /// Whether a holder listens in that directory, which is not made for that.
  public static func hasHolder(_ directory: String) -> Bool {
    (LocalHolder.folders(in: directory) ?? []).contains { LocalHolder.isListening(in: $0) }
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
    connection.attach(entry.handle, epoch: entry.epoch &+ 1, latest: 0).flatMap {
      TerminalEnd.end($0.value.pipe, forgets: forgets)
    }.recover { _ in false }
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
