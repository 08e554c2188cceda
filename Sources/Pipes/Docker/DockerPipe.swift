// A process in a running container, started by `docker exec`. Its bytes travel over the connection that
// the engine handed over, on the session's event loop; the size, the end and the exit code are calls of
// the engine's API beside it.

import Logging
import NIOCore
import Wire

/// Confined to its event loop.
final class DockerPipe: Pipe {
  let eventLoop: any EventLoop
  weak var delegate: (any PipeDelegate)?
  private let process: DockerProcess
  private let channel: any Channel
  private let handler: DockerHandler
  private let leftovers: DockerLeftovers
  private let logger: Logger
  private let isShell: Bool
  private let shell: ShellLook
  private var wantedSize: TerminalSize?
  private var isResizing = false
  private var isWanted = false
  private var isTerminating = false
  private var isKilled = false
  private var lastOutput = LastOutput()
  /// For the process among this machine's.
  private var isLooking = false
  private var isStreamClosed = false
  private var isEnded = false

  init(
    process: DockerProcess, channel: any Channel, handler: DockerHandler, isShell: Bool,
    leftovers: DockerLeftovers, logger: Logger
  ) {
    self.process = process
    self.channel = channel
    self.handler = handler
    self.isShell = isShell
    self.shell = ShellLook(isShell: isShell, eventLoop: channel.eventLoop)
    self.leftovers = leftovers
    self.logger = logger
    eventLoop = channel.eventLoop
    handler.attach(self)
  }

  var isReading: Bool {
    get { isWanted }
    set {
      isWanted = newValue
      readOnOrNot()
    }
  }

  private func readOnOrNot() {
    handler.isReading = isWanted || isKilled || isTerminating && lastOutput.rest > 0
  }

  func write(_ bytes: ByteBuffer, from source: InputSource) {
    guard !isEnded else { return }
    let count = bytes.readableBytes
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    channel.writeAndFlush(bytes).whenSuccess { bound.value.delegate?.pipeDidWrite(count) }
  }

  /// One call at a time, and only the newest size: two connections could overtake each other.
  func resize(_ size: TerminalSize) {
    wantedSize = size
    sendSize()
  }

  private func sendSize() {
    guard !isEnded, !isResizing, let size = wantedSize else { return }
    wantedSize = nil
    isResizing = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    perform { try? await $0.engine.resize($0.exec, to: size) }.whenComplete { _ in
      bound.value.isResizing = false
      bound.value.sendSize()
    }
  }

  var hasForegroundJob: Bool? {
    if isEnded { return false }
    // A shell that is not seen may do anything.
    guard let pid = process.seen else {
      lookAgain()
      return isShell ? nil : true
    }
    guard let hasJob = ProcessTable.hasForegroundJob(pid) else { return nil }
    return hasJob || !shell.isShell(pid)
  }

  private func lookAgain() {
    guard !isLooking else { return }
    isLooking = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    perform { await $0.look() }.whenComplete { _ in bound.value.isLooking = false }
  }

  func terminate(grace: TimeAmount) {
    guard !isEnded, !isTerminating else { return }
    isTerminating = true
    readOnOrNot()
    _ = perform { await $0.signal([.hangup]) }
    let process = self.process
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    // Also when the leader has gone by then: what it left in the background goes with the session.
    eventLoop.scheduleTask(in: grace) { [eventLoop] in
      eventLoop.makeFutureWithTask { await process.signal([.kill]) }.whenSuccess { found in
        bound.value.didKill(found)
      }
    }
  }

  private func didKill(_ found: DockerProcess.Found) {
    guard !isEnded else { return }
    // The end of the stream is behind all that is still in it.
    isKilled = true
    readOnOrNot()
    waitForEnd(found, times: PipeLimits.lastWaits)
  }

  /// The engine is to tell of the end that a kill brought. A busy one takes its time.
  private func waitForEnd(_ found: DockerProcess.Found, times: Int) {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: PipeLimits.lastWait) {
      let pipe = bound.value
      guard !pipe.isEnded, !pipe.isStreamClosed else { return }
      switch found {
      case .signalled where times > 1: pipe.askForEnd(times: times - 1)
      case .signalled: pipe.orphan("it was killed and has not gone")
      case .none: pipe.orphan("no process in the container carries its mark")
      case .unknown(let reason): pipe.orphan(reason)
      }
    }
  }

  private func askForEnd(times: Int) {
    logger.notice(
      "a process was killed, and the Docker engine has not told how it ended; it is asked",
      metadata: ["container": "\(process.container)", "mark": "\(process.mark)"])
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    perform { await $0.outcome() }.whenSuccess { outcome in
      let pipe = bound.value
      guard outcome.mayRun else { return pipe.end(outcome) }
      pipe.perform { await $0.signal([.kill]) }.whenSuccess { found in
        bound.value.didAsk(found, times: times)
      }
    }
  }

  private func didAsk(_ found: DockerProcess.Found, times: Int) {
    guard !isEnded, !isStreamClosed else { return }
    if found == .none, times == 1 {
      return end(
        DockerProcess.Outcome(
          reason: "it was killed and has gone; the Docker engine does not tell how it ended"))
    }
    waitForEnd(.signalled, times: times)
  }

  /// The process may live on in its container, and cannot be ended from here.
  private func orphan(_ why: String) {
    leftovers.add(process)
    logger.warning(
      "a process may be orphaned in its container; it is looked for again",
      metadata: [
        "container": "\(process.container)", "mark": "\(process.mark)", "why": "\(why)",
      ])
    end(
      DockerProcess.Outcome(
        reason: "the process may still run in its container, and is ended once it is found: \(why)")
    )
  }

  // MARK: What happens to it

  func didRead(_ bytes: ByteBuffer) {
    guard isTerminating else {
      delegate?.pipeDidRead(bytes)
      return
    }
    if lastOutput.take(bytes.readableBytes, isWanted: isWanted, isKilled: isKilled) {
      delegate?.pipeDidRead(bytes)
    }
    readOnOrNot()
  }

  /// The engine ended the stream: the process has ended, or the connection to it is lost. An exec
  /// cannot be attached to again, so a process that still runs is ended.
  func streamDidClose() {
    guard !isStreamClosed, !isEnded else { return }
    isStreamClosed = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    perform { await $0.outcome() }.whenSuccess { outcome in
      let pipe = bound.value
      guard outcome.mayRun else { return pipe.end(outcome) }
      let killed = pipe.perform { await $0.signal([.hangup, .kill]) }
      killed.whenSuccess { bound.value.didLose(outcome, $0) }
    }
  }

  /// What became of a process that was, perhaps, still running.
  private func didLose(_ outcome: DockerProcess.Outcome, _ found: DockerProcess.Found) {
    let lost = outcome.reason ?? ""
    switch found {
    case .signalled:
      end(DockerProcess.Outcome(reason: "\(lost); so the process was ended"))
    case .none:
      end(DockerProcess.Outcome(reason: "\(lost); the process has gone, and how is not known"))
    case .unknown(let why): orphan("\(lost); \(why)")
    }
  }

  private func end(_ outcome: DockerProcess.Outcome) {
    guard !isEnded else { return }
    isEnded = true
    channel.close(promise: nil)
    let words = [outcome.reason, lastOutput.loss].compactMap { $0 }
    delegate?.pipeDidEnd(
      outcome.status, reason: words.isEmpty ? nil : words.joined(separator: "; "))
  }

  /// A call of the engine's API, off the byte path.
  private func perform<Answer: Sendable>(
    _ body: @escaping @Sendable (DockerProcess) async -> Answer
  ) -> EventLoopFuture<Answer> {
    eventLoop.makeFutureWithTask { [process] in await body(process) }
  }
}

/// What a process that is being ended may still hand on though nobody wants to read on. Pure.
struct LastOutput {
  /// In bytes.
  private(set) var rest = PipeLimits.rest
  private var cut = 0

  /// Whether bytes that were read are handed on. Once some were not, none are: they would follow a gap.
  mutating func take(_ count: Int, isWanted: Bool, isKilled: Bool) -> Bool {
    if cut > 0 || !isWanted && isKilled && rest == 0 {
      cut += count
      return false
    }
    if !isWanted { rest = max(0, rest - count) }
    return true
  }

  /// What of it is missing; nil: nothing.
  var loss: String? { cut > 0 ? "\(cut) bytes of its last output were cut" : nil }
}
