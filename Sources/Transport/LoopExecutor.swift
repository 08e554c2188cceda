// An event loop as what runs tasks: for those that accept connections, or only wait for one to end. On threads of their
// own, each step of theirs would wake another thread, which takes longer than the step.

public import NIOCore

/// Its tasks must not take longer than a handler may.
public final class LoopExecutor: TaskExecutor {
  private let eventLoop: any EventLoop

  public init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
