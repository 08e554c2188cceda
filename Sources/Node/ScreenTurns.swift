// What the screens of a loop may cost at a time. Output can ask for much work with few bytes, and a size,
// a snapshot or a flood takes its time as well: each session takes a slice, by turns, and between two
// rounds the loop serves everything else (promise P7).

import Links
import NIOCore
import Screen

/// What has a screen that works by turns. Two are equal only if they are one and the same.
protocol HasScreen: AnyObject, Hashable, SendableMetatype {
  /// The screen's turn has come.
  func takeTurn(work: Int)
}

/// Confined to its loop.
final class ScreenTurns<Screened: HasScreen> {
  private let eventLoop: any EventLoop
  private var waiting = TurnQueue<Screened>()
  private var isScheduled = false
  private let tick: Tick
  /// Made once: a closure for each tick would be an allocation for each read of a flood.
  private let endTick: @Sendable () -> Void

  private final class Tick {
    /// When the present tick's first work on a screen began.
    var began: NIODeadline?
  }

  init(eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
    tick = Tick()
    let bound = NIOLoopBound(tick, eventLoop: eventLoop)
    endTick = { bound.value.began = nil }
  }

  /// How much a screen may work at once in this tick, in ``Screen``'s units; 0: it has to wait for a turn.
  func allowance() -> Int {
    let now = NIODeadline.now()
    guard let began = tick.began else {
      tick.began = now
      eventLoop.execute(endTick)
      return Screen.workPerCall
    }
    let spent = now - began
    if spent < NodeLimits.screenTime { return Screen.workPerCall }
    // An echo need not wait for the turns of those who print a lot.
    return spent < NodeLimits.screenTime * 2 ? NodeLimits.screenEcho : 0
  }

  func isWaiting(_ session: Screened) -> Bool { waiting.contains(session) }

  /// Gives the session a turn later: it has work to do.
  func wait(_ session: Screened) {
    if waiting.enqueue(session) { schedule() }
  }

  /// Schedules the next round of turns. A task that is due at once would run before the loop looks at its sockets and
  /// pipes again, and so would one that is due while others of the same tick run: so the task is made when those have
  /// run.
  private func schedule() {
    guard !isScheduled else { return }
    isScheduled = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute {
      bound.value.eventLoop.scheduleTask(in: NodeLimits.screenPause) { bound.value.round() }
    }
  }

  private func round() {
    isScheduled = false
    let began = NIODeadline.now()
    repeat {
      guard let session = waiting.popFirst() else { break }
      session.takeTurn(work: Screen.workPerCall)
    } while NIODeadline.now() - began < NodeLimits.screenTime
    if !waiting.isEmpty { schedule() }
  }
}
