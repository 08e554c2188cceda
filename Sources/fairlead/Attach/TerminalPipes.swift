// Standard input and output as async streams of pieces, each on a thread of its own: a terminal that
// is stopped (Ctrl-S) or a pipe that nobody reads must not hold up anything else.

import Dispatch
import Glibc
import NIOCore

/// Standard input. One piece is read ahead, so that a large file stays where it is.
final class StandardInput: Sendable {
  let pieces: AsyncStream<[UInt8]>
  // From 0: Dispatch traps when a semaphore ends below the value it began with.
  private let taken = DispatchSemaphore(value: 0)

  init() {
    let (pieces, continuation) = AsyncStream.makeStream(of: [UInt8].self)
    self.pieces = pieces
    let taken = taken
    taken.signal()
    let queue = DispatchQueue(label: "fairlead.stdin")
    queue.async {
      var buffer = [UInt8](repeating: 0, count: CommandLimits.inputRead)
      while true {
        taken.wait()
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        if count < 0, errno == EINTR {
          taken.signal()
          continue
        }
        guard count > 0 else { return continuation.finish() }
        continuation.yield(Array(buffer[..<count]))
      }
    }
  }

  /// The last piece is dealt with; the next may be read.
  func release() { taken.signal() }
}

/// Standard output.
final class StandardOutput: Sendable {
  private let queue = DispatchQueue(label: "fairlead.stdout")

  /// Returns when all of `bytes` is written; false when nobody reads any more.
  func write(_ bytes: ByteBuffer) async -> Bool {
    await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: Self.writeAll(bytes)) }
    }
  }

  private static func writeAll(_ bytes: ByteBuffer) -> Bool {
    var bytes = bytes
    while bytes.readableBytes > 0 {
      let count = bytes.withUnsafeReadableBytes {
        Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
      }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        var wait = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        poll(&wait, 1, CommandLimits.outputPoll)
        continue
      }
      guard count > 0 else { return false }
      bytes.moveReaderIndex(forwardBy: count)
    }
    return true
  }
}
