// Where every log goes out: a bounded queue, and a thread of its own that writes it. A reader that
// stands still, or a disk that does, holds up that thread and nothing else (promise P7); what does not
// fit meanwhile is dropped and counted, and the count is written (promise P10).

internal import Glibc
internal import NIOConcurrencyHelpers

// Sendable: what changes is only touched under `lock`.
public final class LogWriter: @unchecked Sendable {
  public enum Destination: Sendable, Equatable {
    /// An open descriptor that stays another's, such as standard error.
    case descriptor(Int32)
    /// Opened anew for each batch of lines, so that the file can be moved away at any time.
    case file(String)
  }

  /// The one writer of standard error, and of standard output.
  public static let standardError = LogWriter(.descriptor(STDERR_FILENO))
  public static let standardOutput = LogWriter(.descriptor(STDOUT_FILENO))

  private enum Phase { case idle, waiting, writing }

  private let destination: Destination
  private let limit: Int
  private var notice: @Sendable (Int) -> String
  private let failed: @Sendable (String) -> Void
  private let lock = ConditionLock(value: Phase.idle)
  private var queue: [UInt8] = []
  private var lines = 0
  private var dropped = 0
  private var isStarted = false
  private var isClosed = false

  /// - Parameters:
  ///   - limit: bytes that may wait.
  ///   - notice: the line that says how many were dropped.
  ///   - failed: called on the writer's thread with what went wrong, once until it works again.
  public init(
    _ destination: Destination, limit: Int = LogLimits.waiting,
    notice: @escaping @Sendable (Int) -> String = { "\($0) lines were dropped" },
    failed: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.destination = destination
    self.limit = limit
    self.notice = notice
    self.failed = failed
  }

  /// Takes a line, without its end, and returns at once.
  public func write(_ line: some Sequence<UInt8>) {
    lock.lock()
    guard !isClosed else { return lock.unlock() }
    let length = queue.count
    queue.append(contentsOf: line)
    queue.append(0x0A)
    if queue.count > limit {
      queue.removeSubrange(length...)
      dropped += 1
    } else {
      lines += 1
    }
    if !isStarted {
      isStarted = true
      startThread()
    }
    lock.unlock(withValue: .waiting)
  }

  public func write(_ line: String) { write(line.utf8) }

  /// Says how many lines were dropped in the log's own form from now on.
  public func setNotice(_ notice: @escaping @Sendable (Int) -> String) {
    lock.lock()
    self.notice = notice
    lock.unlock()
  }

  /// Waits until all is written, for at most `limit`. False: it is not.
  @discardableResult public func flush(atMost limit: Duration = LogLimits.flush) -> Bool {
    let deadline = ContinuousClock.now + limit
    while lock.value != .idle {
      guard ContinuousClock.now < deadline else { return false }
      usleep(useconds_t(LogLimits.flushInterval / Duration.microseconds(1)))
    }
    return true
  }

  /// Flushes, and takes no line any more. True: the destination is not written to again, and its descriptor may
  /// be closed.
  @discardableResult public func close(atMost limit: Duration = LogLimits.flush) -> Bool {
    let deadline = ContinuousClock.now + limit
    flush(atMost: limit)
    lock.lock()
    isClosed = true
    let isRunning = isStarted
    lock.unlock(withValue: isRunning ? .waiting : .idle)
    return flush(atMost: max(LogLimits.lastFlush, deadline - .now))
  }

  // MARK: The thread

  private func startThread() {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self)
    let error = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let writer = Unmanaged<LogWriter>.fromOpaque(context).takeRetainedValue()
        // A reader that has gone is an error of `write`, and no signal.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        writer.run()
        return nil
      }, context.toOpaque())
    guard error == 0 else {
      // No thread to be had now: the next line tries again.
      isStarted = false
      return context.release()
    }
    pthread_detach(thread)
  }

  private func run() {
    var failure: String?
    // Those of batches that could not be written.
    var lost = 0
    while true {
      lock.lock(whenValue: .waiting)
      var batch: [UInt8] = []
      swap(&batch, &queue)
      let (count, missing, isLast) = (lines, dropped, isClosed)
      (lines, dropped) = (0, 0)
      let notice = notice
      lock.unlock(withValue: .writing)
      if lost > 0 { batch = Array((notice(lost) + "\n").utf8) + batch }
      if missing > 0 { batch += Array((notice(missing) + "\n").utf8) }
      let problem = batch.isEmpty ? nil : write(batch)
      if let problem {
        lost += count + missing
        if failure == nil { failed(problem) }
      } else {
        lost = 0
      }
      failure = problem
      lock.lock()
      lock.unlock(withValue: queue.isEmpty && dropped == 0 ? .idle : .waiting)
      if isLast { return }
    }
  }

  /// Nil, or why not.
  private func write(_ batch: [UInt8]) -> String? {
    switch destination {
    case .descriptor(let descriptor): return write(batch, to: descriptor)
    case .file(let path):
      let descriptor = openLog(path)
      guard descriptor >= 0 else { return String(cString: strerror(errno)) }
      defer { Glibc.close(descriptor) }
      return write(batch, to: descriptor)
    }
  }

  private func write(_ batch: [UInt8], to descriptor: Int32) -> String? {
    var start = 0
    while start < batch.count {
      // As many whole lines as go out together; a longer one alone.
      var end = min(start + LogLimits.write, batch.count)
      if end < batch.count {
        if let last = batch[start..<end].lastIndex(of: 0x0A) {
          end = last + 1
        } else {
          end = batch[end...].firstIndex(of: 0x0A).map { $0 + 1 } ?? batch.count
        }
      }
      while start < end {
        let count = batch.withUnsafeBytes {
          Glibc.write(descriptor, $0.baseAddress.map { $0 + start }, end - start)
        }
        if count > 0 {
          start += count
        } else if count < 0, errno == EAGAIN {
          // Somebody else's open file is not blocking, as terminals shared with a shell's job may be.
          var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&wait, 1, -1)
        } else if count == 0 || errno != EINTR {
          return count == 0 ? "nothing was written" : String(cString: strerror(errno))
        }
      }
    }
    return nil
  }
}

/// Opens a log's file for appending; -1 and `errno` if that cannot be.
private func openLog(_ path: String) -> Int32 {
  open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
}

extension LogWriter {
  /// Why lines could not be written there, before there are any; nil: they can.
  public static func problem(writing path: String) -> String? {
    let descriptor = openLog(path)
    guard descriptor >= 0 else { return String(cString: strerror(errno)) }
    Glibc.close(descriptor)
    return nil
  }
}
