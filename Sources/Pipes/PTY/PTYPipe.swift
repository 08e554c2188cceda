// A process on a pseudo-terminal of this machine. One descriptor is all it takes: the terminal's master,
// which its channel reads from. `PTYWriter` writes to it, and `ExitWatcher` tells of the exit.
//
// The end: the leader is reaped, then what is left in the terminal is read for at most 200 ms, since
// a background job can hold the terminal open for long; then the master is closed, which hangs up.

import Glibc
import Holder
import NIOCore
import NIOPosix
import Wire

/// Confined to its event loop.
final class PTYPipe: Pipe {
  let eventLoop: any EventLoop
  weak var delegate: (any PipeDelegate)?
  private let child: Child
  private let channel: any Channel
  private let handler: PTYHandler
  private let writer: PTYWriter
  /// The channel's descriptor: it is this terminal's for as long as the channel is active.
  private let master: CInt
  /// Another one of the terminal, from when every process has closed it until the leader's exit.
  private var spareMaster: CInt = -1
  private let shell: ShellLook
  private var status: ExitStatus?
  private var isReaped = false
  private var isEnded = false
  /// Completes when the background jobs, too, have been told that the session ends.
  private var hangup: EventLoopFuture<Void>?

  init(
    _ child: Child, master: CInt, channel: any Channel, handler: PTYHandler, isShell: Bool
  ) {
    self.child = child
    self.master = master
    self.channel = channel
    self.handler = handler
    eventLoop = channel.eventLoop
    writer = PTYWriter(master: master, eventLoop: channel.eventLoop)
    shell = ShellLook(isShell: isShell, eventLoop: channel.eventLoop)
    handler.pipe = self
    writer.didWrite = { [weak self] count in self?.delegate?.pipeDidWrite(count) }
  }

  deinit { if spareMaster >= 0 { close(spareMaster) } }

  private var pid: pid_t { child.pid }

  /// A descriptor of the terminal, if there is one.
  private var control: CInt? { channel.isActive ? master : spareMaster >= 0 ? spareMaster : nil }

  private var terminal: TerminalControl? { control.map(TerminalControl.init(master:)) }

  var isReading: Bool {
    get { handler.isReading }
    set { handler.isReading = newValue }
  }

  func write(_ bytes: ByteBuffer, from source: InputSource) {
    guard !isEnded, channel.isActive else { return }
    writer.write(bytes)
  }

  func resize(_ size: TerminalSize) {
    guard !isEnded else { return }
    _ = terminal?.resize(
      columns: UInt16(clamping: size.columns), rows: UInt16(clamping: size.rows))
  }

  func signal(_ signal: PipeSignal) {
    guard !isReaped else { return }
    if let foreground = terminal?.foreground, foreground != pid {
      kill(-foreground, signal.rawValue)
    }
    child.signal(signal.rawValue)
  }

  func discardInput(for key: UInt8, givingUp inputs: [GivenUpInput]) -> Bool? {
    guard !isReaped, let terminal else { return false }
    return terminal.discardInput(for: key)
  }

  var hasForegroundJob: Bool? {
    guard !isReaped else { return false }
    let isAtWork = terminal?.foreground.map { $0 != pid } ?? false
    return isAtWork || !shell.isShell(pid)
  }

  func terminate(grace: TimeAmount) {
    guard !isReaped else { return }
    signal(.hangup)
    child.signal(SIGCONT)
    // All of the terminal's session, background jobs too; by start time, so that a number that was
    // given to another process meanwhile is let be.
    let members = ProcessTable.members(
      ofSession: pid, startedBy: ProcessTable.now(), on: eventLoop)
    hangup = members.map { Self.signal(.hangup, $0) }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: grace) {
      members.whenSuccess { Self.signal(.kill, $0) }
      bound.value.signal(.kill)
    }
  }

  private static func signal(_ signal: PipeSignal, _ members: [ProcessTable.Member]) {
    for member in members where ProcessTable.isAlive(member) { kill(member.pid, signal.rawValue) }
  }

  // MARK: What happens to it

  func didRead(_ bytes: ByteBuffer) { delegate?.pipeDidRead(bytes) }

  /// The leader has exited and is reaped; nil: nobody knows how.
  func leaderDidExit(_ status: ExitStatus?) {
    isReaped = true
    self.status = status
    guard channel.isActive else { return end() }
    // Whoever holds the pipe back still does: a background job could print without end.
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: PipeLimits.drain) { bound.value.end() }
  }

  /// Every process has closed the terminal. The leader may live on without it: to take the last descriptor
  /// away would send it SIGHUP.
  func terminalWillClose() {
    writer.close()
    if !isReaped, spareMaster < 0 { spareMaster = fcntl(master, F_DUPFD_CLOEXEC, 3) }
  }

  /// The terminal has no reader or writer left on the other side.
  func terminalDidClose() {
    if isReaped { end() } else { ExitWatcher.shared.look(at: child) }
  }

  private func end() {
    guard !isEnded else { return }
    isEnded = true
    readRest()
    handler.pipe = nil
    writer.close()
    channel.close(promise: nil)
    if spareMaster >= 0 { close(spareMaster) }
    spareMaster = -1
    // A node that stops ends with its last pipe: not before everybody has heard of it.
    guard let hangup else { return didEnd() }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    hangup.whenComplete { _ in bound.value.didEnd() }
  }

  private func didEnd() {
    delegate?.pipeDidEnd(
      status, reason: status == nil ? "how the process ended is not known" : nil)
  }

  /// What the terminal still holds: on a busy loop the time to drain may be over before the channel
  /// came to read at all, and the pipe may have been held back. A terminal holds less than that; a flood from a background job is cut.
  private func readRest() {
    guard let control, fcntl(control, F_GETFL) & O_NONBLOCK != 0 else { return }
    var rest = ByteBuffer()
    while rest.readableBytes < PipeLimits.rest {
      let count = rest.writeWithUnsafeMutableBytes(minimumWritableBytes: 4_096) {
        max(0, read(control, $0.baseAddress, $0.count))
      }
      if count == 0 { break }
    }
    if rest.readableBytes > 0 { didRead(rest) }
  }
}

/// The master's channel handler: reads on demand.
final class PTYHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  weak var pipe: PTYPipe?
  private var context: ChannelHandlerContext?
  private var isReadPending = false

  var isReading = false {
    didSet { if isReading, !oldValue { readIfWanted() } }
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelActive(context: ChannelHandlerContext) { readIfWanted() }

  private func readIfWanted() {
    // A read asked before the channel is active would be lost.
    guard isReading, !isReadPending, let context, context.channel.isActive else { return }
    isReadPending = true
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    pipe?.didRead(unwrapInboundIn(data))
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReadPending = false
    readIfWanted()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // EIO is how a master reports that every slave is closed: the end, not an error.
    pipe?.terminalWillClose()
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) { pipe?.terminalDidClose() }
}
