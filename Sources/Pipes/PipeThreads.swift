// Threads for what may wait for a file system that does not answer: a user's directory or program on FUSE or
// a dead NFS. Each kind of work has its own, so that one that hangs holds up no other.

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Wire

enum PipeThreads {
  /// Reads all of /proc, for the ends of sessions: once for all who ask.
  static let table = started(1)
  /// Looks at a session's process. All of them may hang; then no session counts as idle whose process would
  /// have to be looked at.
  static let looks = started(2)
  /// Looks through all of /proc for what carries a mark, whose environments are read from its processes' memory.
  static let marks = started(2)

  /// What NIO starts it expects to get: to be called while there is enough of everything.
  static func prepare() {
    _ = table
    _ = looks
    _ = marks
    _ = StartThreads.shared
  }

  fileprivate static func started(_ count: Int) -> NIOThreadPool {
    let pool = NIOThreadPool(numberOfThreads: count)
    pool.start()
    return pool
  }
}

/// Those that start terminals: a thread waits until its child is in its directory and has executed its program.
final class StartThreads: Sendable {
  static let shared = StartThreads()

  private let pool: NIOThreadPool
  private let most: Int
  private let patience: TimeAmount
  private let underWay = NIOLockedValueBox(0)

  init(
    count: Int = PipeLimits.startThreads, most: Int = PipeLimits.starts,
    patience: TimeAmount = PipeLimits.startPatience
  ) {
    pool = PipeThreads.started(count)
    self.most = most
    self.patience = patience
  }

  func run<Result: Sendable>(
    on eventLoop: any EventLoop, _ body: @escaping @Sendable () throws -> Result
  ) -> EventLoopFuture<Result> {
    let promise = eventLoop.makePromise(of: Result.self)
    let isAdmitted = underWay.withLockedValue { count in
      guard count < most else { return false }
      count += 1
      return true
    }
    guard isAdmitted else {
      promise.fail(Self.busy)
      return promise.futureResult
    }
    // By a thread, or by its time that is over.
    let isTaken = NIOLockedValueBox(false)
    let take: @Sendable () -> Bool = {
      isTaken.withLockedValue { isTaken in
        defer { isTaken = true }
        return !isTaken
      }
    }
    let limit = eventLoop.scheduleTask(in: patience) { if take() { promise.fail(Self.busy) } }
    pool.submit { [underWay] _ in
      defer { underWay.withLockedValue { $0 -= 1 } }
      guard take() else { return }
      limit.cancel()
      do { promise.succeed(try body()) } catch { promise.fail(error) }
    }
    return promise.futureResult
  }

  private static let busy = PipeError(
    .resources,
    "this node can start no process now: earlier ones wait for their directory or program")
}
