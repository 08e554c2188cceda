// Tells when processes exit: one thread sleeps in epoll_wait(2) on all their pidfds (pidfd_open(2)).
// SwiftNIO cannot watch them itself: it reads what becomes readable, and a pidfd cannot be read.

import CPTY
import Glibc
import NIOConcurrencyHelpers

final class ExitWatcher: Sendable {
  static let shared = ExitWatcher()

  private let set: CInt
  private let waiting = NIOLockedValueBox<[CInt: @Sendable () -> Void]>([:])

  private init() {
    set = cpty_exits_create()
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { _ in
        ExitWatcher.shared.run()
        return nil
      }, nil)
    pthread_detach(thread)
  }

  /// Calls `then`, on the watcher's thread, when the process behind `pidfd` has exited; takes
  /// ownership of the descriptor. False: it could not be watched, and is closed.
  func watch(_ pidfd: CInt, then: @escaping @Sendable () -> Void) -> Bool {
    waiting.withLockedValue { $0[pidfd] = then }
    guard cpty_exits_add(set, pidfd) == 0 else {
      waiting.withLockedValue { $0[pidfd] = nil }
      close(pidfd)
      return false
    }
    return true
  }

  private func run() {
    var exited = [CInt](repeating: -1, count: 64)
    while true {
      let count = cpty_exits_wait(set, &exited, CInt(exited.count))
      for pidfd in exited.prefix(Int(max(0, count))) {
        guard let then = waiting.withLockedValue({ $0.removeValue(forKey: pidfd) }) else {
          continue
        }
        // Closing alone would not take it out of the set while a child that was forked meanwhile
        // has not executed yet and still holds it: its number, by then another's, would come again.
        cpty_exits_remove(set, pidfd)
        close(pidfd)
        then()
      }
    }
  }
}
