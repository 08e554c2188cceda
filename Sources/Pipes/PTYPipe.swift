// A process on a pseudo-terminal of this machine. Its channel is the master side of the terminal;
// its exit is seen through a pidfd, so that nothing polls and nobody waits.
//
// The end: the leader is reaped, then what is left in the terminal is read for at most 200 ms, since
// a background job can hold the terminal open for long; then the master is closed, which hangs up.

import CPTY
import Glibc
import NIOCore
import NIOPosix
import Wire

/// Confined to its event loop.
final class PTYPipe: Pipe {
  let eventLoop: any EventLoop
  weak var delegate: (any PipeDelegate)?
  private let pid: pid_t
  private let channel: any Channel
  private let handler: PTYHandler
  /// A descriptor of the master for ioctls: the channel keeps its own to itself.
  private let control: CInt
  private var status: ExitStatus?
  private var isReaped = false
  private var isEnded = false
  /// Completes when the background jobs, too, have been told that the session ends.
  private var hangup: EventLoopFuture<Void>?

  /// How long output is read after the leader's exit.
  static let drain = TimeAmount.milliseconds(200)
  /// What is read at most when that time is over, in bytes.
  static let mostRest = 256 * 1024

  init(pid: pid_t, control: CInt, channel: any Channel, handler: PTYHandler) {
    self.pid = pid
    self.control = control
    self.channel = channel
    self.handler = handler
    self.eventLoop = channel.eventLoop
    handler.pipe = self
  }

  deinit { Glibc.close(control) }

  var isReading: Bool {
    get { handler.isReading }
    set { if !isReaped { handler.isReading = newValue } }
  }

  func write(_ bytes: ByteBuffer) {
    guard !isEnded else { return }
    let count = bytes.readableBytes
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    channel.writeAndFlush(bytes).whenSuccess { bound.value.delegate?.pipeDidWrite(count) }
  }

  func resize(_ size: TerminalSize) {
    guard !isEnded else { return }
    _ = cpty_resize(control, UInt16(clamping: size.columns), UInt16(clamping: size.rows))
  }

  func signal(_ signal: PipeSignal) {
    guard !isReaped else { return }
    let foreground = cpty_foreground(control)
    if foreground > 0, foreground != pid { kill(-foreground, signal.rawValue) }
    kill(-pid, signal.rawValue)
  }

  func discardInput(for key: UInt8) -> Bool {
    guard !isReaped else { return false }
    return cpty_discard_input(control, key) != 0
  }

  var hasForegroundJob: Bool? {
    guard !isReaped else { return false }
    let foreground = cpty_foreground(control)
    return foreground < 0 ? nil : foreground != pid
  }

  func terminate(grace: TimeAmount) {
    guard !isReaped else { return }
    signal(.hangup)
    kill(-pid, SIGCONT)
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

  /// The leader has exited.
  func leaderDidExit() {
    guard !isReaped else { return }
    var code: CInt = 0
    var number: CInt = 0
    guard cpty_reap(pid, &code, &number) != 0 else { return pollLeader() }
    isReaped = true
    status = number > 0 ? .signalled(number: Int(number)) : .exited(code: Int(code))
    guard channel.isActive else { return end() }
    handler.isReading = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: Self.drain) { bound.value.end() }
  }

  /// Where the kernel gives no pidfd (before Linux 5.3).
  func pollLeader() {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: .milliseconds(50)) { bound.value.leaderDidExit() }
  }

  /// The terminal has no reader or writer left on the other side.
  func terminalDidClose() {
    if isReaped { end() }
  }

  private func end() {
    guard !isEnded else { return }
    isEnded = true
    readRest()
    handler.pipe = nil
    channel.close(promise: nil)
    // A node that stops ends with its last pipe: not before everybody has heard of it.
    guard let hangup else { return didEnd() }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    hangup.whenComplete { _ in bound.value.didEnd() }
  }

  private func didEnd() {
    delegate?.pipeDidEnd(status, reason: nil)
  }

  /// What the terminal still holds: on a busy loop the time to drain may be over before the channel
  /// came to read at all. A terminal holds less than `mostRest`; a flood from a background job is cut.
  private func readRest() {
    // The descriptor shares its mode with the channel's.
    guard fcntl(control, F_GETFL) & O_NONBLOCK != 0 else { return }
    var rest = ByteBuffer()
    while rest.readableBytes < Self.mostRest {
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
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) { pipe?.terminalDidClose() }
}
