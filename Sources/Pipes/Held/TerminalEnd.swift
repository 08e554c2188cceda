// A terminal that is being ended; what it still prints is read, and nobody's.

import NIOCore
import Wire

final class TerminalEnd: PipeDelegate {
  private let pipe: any Pipe
  private let forgets: Bool
  private let ended: EventLoopPromise<Bool>

  private init(_ pipe: any Pipe, _ forgets: Bool, _ ended: EventLoopPromise<Bool>) {
    self.pipe = pipe
    self.forgets = forgets
    self.ended = ended
  }

  /// Completes with whether it has ended within ``PipeLimits/endingAll``. To be called on the pipe's event loop.
  /// - Parameter forgets: nobody is to be told how it ended.
  static func end(_ pipe: any Pipe, forgets: Bool) -> EventLoopFuture<Bool> {
    let ended = pipe.eventLoop.makePromise(of: Bool.self)
    let limit = pipe.eventLoop.scheduleTask(in: PipeLimits.endingAll) { ended.succeed(false) }
    // The pipe does not keep its delegate.
    let kept = NIOLoopBound(TerminalEnd(pipe, forgets, ended), eventLoop: pipe.eventLoop)
    kept.value.begin()
    return ended.futureResult.always { _ in
      limit.cancel()
      withExtendedLifetime(kept) {}
    }
  }

  private func begin() {
    pipe.delegate = self
    pipe.isReading = true
    pipe.terminate(grace: PipeLimits.endingGrace)
  }

  func pipeDidRead(_ bytes: ByteBuffer) {}
  func pipeDidWrite(_ count: Int) {}
  func pipeWasTaken() { ended.succeed(false) }

  func pipeDidEnd(_ status: ExitStatus?, reason: String?) {
    if forgets { pipe.holder?.forget() }
    ended.succeed(true)
  }
}
