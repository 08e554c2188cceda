// Whether a holder is heard of: it asks its nodes every few seconds whether they live, so that one which says nothing is
// stopped, or its container is, or the engine on the way to it. Those who look at its terminals are told (promise P10).

import Logging
import NIOCore

/// When a holder was heard of.
struct Hearing {
  /// Something came since the last look.
  var isNew = false
  var last = NIODeadline.now()
  var nextLook = NIODeadline.now()
  /// Its sessions were told that it is silent.
  var isStalled = false
  var isLookSet = false
}

extension HolderConnection {
  /// It has said something. On the way of all output: the clock is read by the next look.
  func didHear() {
    hearing.isNew = true
    if hearing.isStalled { tell(isStalled: false) }
  }

  /// Looks from time to time whether it is heard of, for as long as it has sessions.
  func listen() {
    guard !hearing.isLookSet, !pipes.isEmpty else { return }
    hearing.isLookSet = true
    hearing.nextLook = eventLoop.now + PipeLimits.hearingLook
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: PipeLimits.hearingLook) { bound.value.look() }
  }

  private func look() {
    hearing.isLookSet = false
    guard !pipes.isEmpty else { return }
    let now = eventLoop.now
    // What came while this node itself stood still is yet to be read.
    let isLate = now - hearing.nextLook >= PipeLimits.hearingLook
    if hearing.isNew || isLate { (hearing.last, hearing.isNew) = (now, false) }
    if !hearing.isStalled, now - hearing.last >= PipeLimits.stall { tell(isStalled: true) }
    listen()
  }

  private func tell(isStalled: Bool) {
    hearing.isStalled = isStalled
    if isStalled {
      complain(
        .warning, "a holder is not heard of; its sessions stand still until it is",
        ["holder": "\(place.description)", "sessions": "\(pipes.count)"])
    }
    let reason = isStalled ? place.stall : nil
    for pipe in pipes.values { pipe.didStall(reason) }
  }
}
