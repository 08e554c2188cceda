// The holder of this machine as a place that loops reach: by its socket.

import Glibc
import NIOCore
import NIOPosix
import Transport

extension HolderHome: HolderPlace {
  var description: String { directory }
  var isShared: Bool { false }
  var seal: Seal { Seal(secret.key, place: name) }
  var patience: TimeAmount { PipeLimits.holderPatience }
  var goneAfter: TimeAmount? { PipeLimits.holderGone }
  var idleAfter: TimeAmount? { nil }
  func connectionIsIdle() {}

  func connect(_ handler: NIOLoopBound<HolderHandler>) -> EventLoopFuture<any Channel> {
    Connector(.unix(path: socketPath)).connect(on: handler.eventLoop, within: patience) { channel in
      try channel.pipeline.syncOperations.addHandler(handler.value)
      return channel
    }
  }

  func ensureRunning(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
    NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { _ = try self.ensureRunning() }
  }

  /// Nobody listens there.
  func isGone(_ error: any Error) -> Bool {
    guard let error = error as? IOError else { return false }
    return error.errnoCode == ECONNREFUSED || error.errnoCode == ENOENT
  }
}
