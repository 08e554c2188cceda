// Where a holder is, and how a node's loops reach it: on this machine by its socket, in a container by a relay.

import Logging
import NIOConcurrencyHelpers
import NIOCore

protocol HolderPlace: AnyObject, Sendable {
  var secret: HolderSecret { get }
  /// Under which nodes sign what they leave with it (``Seal``).
  var seal: Seal { get }
  var logger: Logger { get }
  var connections: HolderConnections { get }
  /// Whether other nodes reach it, too.
  var isShared: Bool { get }
  /// Whether this node alone starts terminals there.
  var isOwn: Bool { get }
  /// As records name it (``HolderName``); nil: that is not known now.
  var name: String? { get }
  /// It, as one that does not answer.
  var asSilent: SilentHolders { get }
  /// What an operator calls it.
  var description: String { get }
  /// Why its terminals stand still while nothing is heard of it, for who looks at one.
  var stall: String { get }
  /// Opens a connection whose pipeline ends with this handler.
  func connect(_ handler: NIOLoopBound<HolderHandler>) -> EventLoopFuture<any Channel>
  /// How long that and the greeting may take.
  var patience: TimeAmount { get }
  /// Starts the holder unless there is one.
  func ensureRunning(on eventLoop: any EventLoop) -> EventLoopFuture<Void>
  /// Whether a connection's error says that the holder is gone, and its terminals with it.
  func isGone(_ error: any Error) -> Bool
  /// One that cannot be reached for so long is told as gone; nil: only one that is known to be.
  var goneAfter: TimeAmount? { get }
  /// A connection that no session needs for so long is closed; nil: it is kept.
  var idleAfter: TimeAmount? { get }
  /// Such a one was closed.
  func connectionIsIdle()
}

extension HolderPlace {
  var isOwn: Bool { false }

  /// This loop's connection, open; a holder that is not there is started. To be called on the loop.
  func connection(on eventLoop: any EventLoop) -> EventLoopFuture<NIOLoopBound<HolderConnection>> {
    let connection = connections.connection(to: self, on: eventLoop)
    return connection.value.open().flatMapError { error in
      guard self.isGone(error) else { return eventLoop.makeFailedFuture(error) }
      return self.ensureRunning(on: eventLoop).flatMap { connection.value.open() }
    }.flatMap { self.reach(on: eventLoop) }
  }

  /// This loop's connection, open, if there is a holder. To be called on the loop.
  func reach(on eventLoop: any EventLoop) -> EventLoopFuture<NIOLoopBound<HolderConnection>> {
    let connection = connections.connection(to: self, on: eventLoop)
    return connection.value.open().map { connection }
  }

  /// Lets go of all that it has: the sessions go on.
  func detachAll() async {
    for connection in connections.all {
      try? await connection.eventLoop.flatSubmit { connection.value.close() }.get()
    }
  }
}

/// One for each loop that has sessions there. Its lock is taken by starts and ends only.
final class HolderConnections: Sendable {
  private let known = NIOLockedValueBox<[ObjectIdentifier: NIOLoopBound<HolderConnection>]>([:])

  var all: [NIOLoopBound<HolderConnection>] { known.withLockedValue { Array($0.values) } }
  var isEmpty: Bool { known.withLockedValue { $0.isEmpty } }

  /// To be called on the loop.
  func connection(to place: any HolderPlace, on eventLoop: any EventLoop)
    -> NIOLoopBound<HolderConnection>
  {
    known.withLockedValue { known in
      let key = ObjectIdentifier(eventLoop)
      if let connection = known[key] { return connection }
      let made = NIOLoopBound(HolderConnection(place, eventLoop: eventLoop), eventLoop: eventLoop)
      known[key] = made
      return made
    }
  }

  func remove(_ eventLoop: any EventLoop) {
    known.withLockedValue { $0[ObjectIdentifier(eventLoop)] = nil }
  }
}
