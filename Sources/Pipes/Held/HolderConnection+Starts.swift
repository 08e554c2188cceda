// Starts that a holder was asked for. An answer that was lost with its connection does not leave a process that nobody
// has: the next connection looks for what was started, and takes it for the start that waits; what nobody waits for any
// more is ended (promise P4).

import Holder
import NIOCore
import Wire

struct AskedStart {
  let promise: EventLoopPromise<NIOLoopBound<any Pipe>>
  let epoch: UInt64
  let size: TerminalSize
  /// As its node wrote it, by which it is found in a listing.
  let descriptor: [UInt8]
  let since: NIODeadline
  /// Bytes of its frame, which may wait for a holder that does not read.
  let length: Int
  /// Nobody waits for it any more.
  var isAbandoned = false
  /// Its answer does not come: its connection has broken.
  var isLost = false
  /// Since when the holder, which can be asked again, does not have it.
  var missedSince: NIODeadline?
}

extension HolderConnection {
  /// - Parameter request: its tag is chosen here.
  func start(_ request: StartRequest, size: TerminalSize) -> EventLoopFuture<NIOLoopBound<any Pipe>>
  {
    let promise = eventLoop.makePromise(of: NIOLoopBound<any Pipe>.self)
    var request = request
    nextTag &+= 1
    request.tag = nextTag
    let tag = nextTag
    var frame = ByteBuffer(NodeFrame.start(request))
    let length = frame.readableBytes
    let asked = starts.values.reduce(0) { $0 + $1.length }
    guard starts.count < HolderLimits.sessions,
      asked + length <= PipeLimits.askedStarts
    else {
      promise.fail(
        PipeError(
          .notNow, "the holder does not answer: it has yet to do what it was asked; try again"))
      return promise.futureResult
    }
    starts[tag] = AskedStart(
      promise: promise, epoch: request.epoch, size: size,
      descriptor: Seal.unverifiedContents(of: request.descriptor), since: eventLoop.now,
      length: length)
    giveUpLate(promise) { $0.starts[tag]?.isAbandoned = true }
    send { $0.writeBuffer(&frame) }
    return promise.futureResult
  }

  func didStart(_ tag: UInt32, _ handle: UInt64, _ process: UInt32) {
    guard let start = starts[tag], !start.isLost else { return }
    guard !has(handle) else { return fail("a start that is another session") }
    starts[tag] = nil
    take(HeldPipe(handle, epoch: start.epoch, size: start.size, connection: self), for: start)
  }

  func didNotStart(_ tag: UInt32, _ error: HeldStartError) {
    guard let start = starts[tag], !start.isLost else { return }
    starts[tag] = nil
    start.promise.fail(error)
    closeWhenIdle()
  }

  private func take(_ pipe: HeldPipe, for start: AskedStart) {
    add(pipe)
    guard start.isAbandoned else {
      return start.promise.succeed(NIOLoopBound(pipe, eventLoop: eventLoop))
    }
    _ = TerminalEnd.end(pipe, forgets: true)
  }

  // MARK: Lost answers

  func loseStarts() {
    for tag in starts.keys {
      starts[tag]?.isLost = true
      starts[tag]?.missedSince = nil
    }
  }

  func failStarts(_ error: PipeError) {
    let failed = starts.values
    starts = [:]
    for start in failed { start.promise.fail(error) }
  }

  /// What no node has had for so long the holder has ended itself.
  func dropOldStarts() {
    for (tag, start) in starts
    where start.isAbandoned && eventLoop.now - start.since > .milliseconds(Int64(WireLimits.orphan))
    {
      starts[tag] = nil
    }
  }

  func lookForLostStarts() {
    guard isOpen, !isLookingForStarts, starts.values.contains(where: \.isLost) else { return }
    isLookingForStarts = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    list().whenComplete { result in
      let connection = bound.value
      switch result {
      case .success(let entries): connection.settleStarts(by: entries)
      case .failure: connection.isLookingForStarts = false
      }
      connection.eventLoop.scheduleTask(in: PipeLimits.lostStartInterval) {
        bound.value.isLookingForStarts = false
        bound.value.lookForLostStarts()
      }
    }
  }

  private func settleStarts(by entries: [HeldEntry]) {
    let found = Dictionary(entries.map { ($0.descriptor, $0) }) { $0.epoch < $1.epoch ? $1 : $0 }
    for (tag, start) in starts where start.isLost {
      if let entry = found[start.descriptor] {
        starts[tag] = nil
        adopt(entry, for: start)
      } else if let since = start.missedSince {
        // A child that has not come to its exec is not listed, and comes to it in time or never.
        guard eventLoop.now - since >= PipeLimits.lostStart else { continue }
        starts[tag] = nil
        start.promise.fail(
          PipeError(.notNow, "the holder's connection broke before it was asked; try again"))
      } else {
        starts[tag]?.missedSince = eventLoop.now
      }
    }
    closeWhenIdle()
  }

  private func adopt(_ entry: HeldEntry, for start: AskedStart) {
    guard !has(entry.handle) else {
      return start.promise.fail(PipeError(.notNow, "the session is being attached; try again"))
    }
    let pipe = HeldPipe(entry.handle, epoch: entry.epoch, size: start.size, connection: self)
    pipe.attachAgain()
    take(pipe, for: start)
  }
}
