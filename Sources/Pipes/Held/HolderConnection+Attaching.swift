// Sessions that are attached: by this loop for the first time, or again over a connection that was made anew.

import Holder
import NIOCore
import Wire

extension HolderConnection {
  /// Makes a session this node's.
  /// - Parameter latest: bytes of its latest output that are of use; who ends it needs none.
  func attach(_ handle: UInt64, epoch: UInt64, latest: Int = 0) -> EventLoopFuture<
    NIOLoopBound<AttachedPipe>
  > {
    let promise = eventLoop.makePromise(of: NIOLoopBound<AttachedPipe>.self)
    guard attachments[handle] == nil, pipes[handle] == nil else {
      promise.fail(PipeError(.notNow, "that session of the holder is being attached already"))
      return promise.futureResult
    }
    giveUpLate(promise) { $0.attachments[handle] = nil }
    attachments[handle] = Attachment(promise, epoch: epoch, latest: latest)
    send(.attach(handle: handle, epoch: epoch, next: nil))
    return promise.futureResult
  }

  func didAttach(_ found: HeldState) {
    if let pipe = pipes[found.handle] {
      return found.isPossible ? pipe.didAttachAgain(found) : fail("offsets that cannot be")
    }
    goOnAttaching(found.handle) { attachment in
      found.epoch == attachment.epoch && attachment.didFind(found)
    }
  }

  func goOnAttaching(_ handle: UInt64, _ step: (inout Attachment) -> Bool) {
    guard var attachment = attachments.removeValue(forKey: handle) else { return }
    let asked = attachment.wanted
    guard step(&attachment) else {
      attachment.promise.fail(PipeError(.unavailable, "the holder tells nonsense of a session"))
      return fail("an attachment that contradicts itself")
    }
    if let wanted = attachment.wanted, wanted != asked {
      send(.read(handle: handle, from: wanted.lowerBound, upTo: wanted.upperBound))
    }
    guard attachment.isDone else {
      attachments[handle] = attachment
      return
    }
    guard let found = attachment.found, let terminal = attachment.terminal else {
      attachment.promise.fail(PipeError(.unavailable, "the holder has no such session of ours"))
      return
    }
    let pipe = HeldPipe(
      handle, epoch: attachment.epoch, size: terminal.size, found: found, connection: self)
    add(pipe)
    attachment.promise.succeed(
      NIOLoopBound(AttachedPipe(pipe: pipe, terminal: terminal), eventLoop: eventLoop))
  }

  func wasRefused(_ handle: UInt64, _ epoch: UInt64) {
    if let pipe = pipes.removeValue(forKey: handle) {
      return epoch == 0 ? pipe.holderIsGone() : pipe.wasTaken()
    }
    attachments.removeValue(forKey: handle)?.promise.fail(
      PipeError(.notNow, "another node has attached the session under epoch \(epoch)"))
    closeWhenIdle()
  }
}
