// Writes to a terminal's master. A terminal nearly always takes what is typed at once, and then no
// second descriptor is needed. What it does not take (its process does not read, or a paste is larger than
// its buffer) goes through a channel that is made for it and closed once that is empty.

import Glibc
import NIOCore
import NIOPosix

/// Confined to its event loop.
final class PTYWriter {
  private let eventLoop: any EventLoop
  private let master: CInt
  /// Called with the size of each piece once the terminal has taken it.
  var didWrite: ((Int) -> Void)?

  private struct Piece {
    var rest: ByteBuffer
    let size: Int
  }
  private var pieces = CircularBuffer<Piece>(initialCapacity: 1)
  private var isWriting = false
  private var way = Way.direct

  private enum Way {
    case direct
    /// Until the channel is there, or until another try.
    case waiting
    case channel(any Channel, underWay: Int)
    case closed
  }

  /// - Parameter master: not blocking, and open until `close`.
  init(master: CInt, eventLoop: any EventLoop) {
    self.master = master
    self.eventLoop = eventLoop
  }

  func write(_ bytes: ByteBuffer) {
    if case .closed = way { return }
    pieces.append(Piece(rest: bytes, size: bytes.readableBytes))
    proceed()
  }

  func close() {
    if case .channel(let channel, _) = way { channel.close(promise: nil) }
    way = .closed
    pieces.removeAll()
    didWrite = nil
  }

  /// Whoever is told of a piece may write the next one from within.
  private func proceed() {
    guard !isWriting else { return }
    isWriting = true
    defer { isWriting = false }
    while let piece = pieces.first {
      switch way {
      case .waiting, .closed: return
      case .channel(let channel, let underWay):
        pieces.removeFirst()
        way = .channel(channel, underWay: underWay + 1)
        send(piece, through: channel)
      case .direct: writeDirectly()
      }
    }
  }

  private func writeDirectly() {
    guard let piece = pieces.first else { return }
    let count = piece.rest.withUnsafeReadableBytes { Glibc.write(master, $0.baseAddress, $0.count) }
    guard count > 0 || piece.rest.readableBytes == 0 else {
      switch count < 0 ? errno : EAGAIN {
      case EINTR: break
      case EAGAIN: openChannel()
      default: pieces.removeAll()  // its process has gone
      }
      return
    }
    pieces[pieces.startIndex].rest.moveReaderIndex(forwardBy: count)
    guard count == piece.rest.readableBytes else { return }
    pieces.removeFirst()
    didWrite?(piece.size)
  }

  // MARK: What the terminal does not take at once

  private func openChannel() {
    way = .waiting
    let copy = fcntl(master, F_DUPFD_CLOEXEC, 3)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    guard copy >= 0 else {
      eventLoop.scheduleTask(in: PipeLimits.writeRetry) { bound.value.tryAgain() }
      return
    }
    let isTaken = NIOLoopBoundBox(false, eventLoop: eventLoop)
    NIOPipeBootstrap(group: eventLoop)
      .channelInitializer { channel in
        isTaken.value = true
        return channel.eventLoop.makeSucceededVoidFuture()
      }
      .takingOwnershipOfDescriptor(output: copy)
      .hop(to: eventLoop).whenComplete { result in
        let writer = bound.value
        switch result {
        case .success(let channel): writer.didOpen(channel)
        case .failure:
          if !isTaken.value { Glibc.close(copy) }
          writer.eventLoop.scheduleTask(in: PipeLimits.writeRetry) { bound.value.tryAgain() }
        }
      }
  }

  private func didOpen(_ channel: any Channel) {
    guard case .waiting = way else { return channel.close(promise: nil) }
    way = .channel(channel, underWay: 0)
    proceed()
  }

  private func tryAgain() {
    guard case .waiting = way else { return }
    way = .direct
    proceed()
  }

  private func send(_ piece: Piece, through channel: any Channel) {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    channel.writeAndFlush(piece.rest).whenSuccess { bound.value.didSend(piece.size) }
  }

  private func didSend(_ size: Int) {
    guard case .channel(let channel, let underWay) = way else { return }
    way = .channel(channel, underWay: underWay - 1)
    didWrite?(size)
    // Nothing more was given to it meanwhile.
    guard case .channel(_, 0) = way, pieces.isEmpty else { return proceed() }
    way = .direct
    channel.close(promise: nil)
  }
}
