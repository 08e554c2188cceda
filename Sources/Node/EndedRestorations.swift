// Sessions that had ended when this node started: their last screens are made again once those that run have been, or when
// a client asks for one. Each costs as much as one that runs, and nobody waits for its next line.

import NIOCore
import Pipes
import Wire

extension NodeLoop {
  /// Whether what was attached waits until those that run have read all output that there was.
  func waits(_ restoration: Restoration, _ attached: AttachedPipe) -> Bool {
    attached.terminal.hasEnded && restoration.waiting.isEmpty && isRestoringRunning
  }

  private var isRestoringRunning: Bool {
    while let id = runningToRestore.first {
      if case .restoring = sessions[id] { return true }
      runningToRestore.remove(id)
    }
    return false
  }

  /// Goes on with those that have ended, one after another, if none that runs is being made again.
  func restoreThoseThatEnded() {
    guard !isRestoringEnded, !endedToRestore.isEmpty, !isRestoringRunning else { return }
    isRestoringEnded = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: NodeLimits.screenPause) {
      let loop = bound.value
      loop.isRestoringEnded = false
      if let id = loop.endedToRestore.popFirst() { loop.restoreEnded(id) }
      loop.restoreThoseThatEnded()
    }
  }

  /// Makes it again now, if it waits.
  func restoreEnded(_ id: SessionID) {
    guard case .restoring(var restoration) = sessions[id], let attached = restoration.attached
    else { return }
    restoration.attached = nil
    endedToRestore.remove(id)
    sessions[id] = .restoring(restoration)
    begin(restoration, attached)
  }
}
