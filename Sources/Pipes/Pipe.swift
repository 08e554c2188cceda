// A pipe: the live two-way byte stream to a session's process. Each kind of it is a folder behind this
// protocol (PTY, Docker) and a line in PipeKinds.swift. A pipe lives on one event loop, its session's; every
// call and every call-back happens there, so that bytes never change threads.

public import NIOCore
public import Wire

/// Receives what a pipe produces, on the pipe's event loop.
public protocol PipeDelegate: AnyObject {
  /// The process printed these bytes.
  func pipeDidRead(_ bytes: ByteBuffer)
  /// The kernel (or the engine's socket) has taken `count` more bytes of what was given to `write`.
  func pipeDidWrite(_ count: Int)
  /// From here on among the output the terminal has this size; told by pipes with a ``Pipe/holder`` only.
  func pipeDidResize(_ size: TerminalSize)
  /// The late answer to ``Pipe/discardInput(for:givingUp:)``.
  func pipeDidDiscardInput(_ did: Bool, for key: UInt8)
  /// A checkpoint that was given to the holder may not have come: it has the one of this offset.
  func pipeHasCheckpoint(at offset: UInt64)
  /// What holds the terminal has not been heard of for a while, and says why; nil: it answers again.
  func pipeDidStall(_ reason: String?)
  /// Another node has the session by now; nothing more comes from here.
  func pipeWasTaken()
  /// Called once, after the last `pipeDidRead`. Nil status: it could not be learned (see `reason`).
  func pipeDidEnd(_ status: ExitStatus?, reason: String?)
}

/// For who runs no session that is kept.
extension PipeDelegate {
  public func pipeDidResize(_ size: TerminalSize) {}
  public func pipeDidDiscardInput(_ did: Bool, for key: UInt8) {}
  public func pipeHasCheckpoint(at offset: UInt64) {}
  public func pipeDidStall(_ reason: String?) {}
  public func pipeWasTaken() {}
}

/// A signal to a session's process.
public enum PipeSignal: Int32, Sendable {
  case hangup = 1
  case kill = 9
}

/// How a pipe reads: on demand, a little at a time.
public enum PipeReading {
  /// What a pipe hands on at most, in bytes, before it looks at ``Pipe/isReading`` again: four reads of
  /// 16 KiB. So a process never runs further ahead of those who hold it back.
  public static let most = PipeLimits.reads * PipeLimits.read

  /// Sets a channel's reads to this measure. To be called on its event loop.
  static func limit(_ channel: any Channel) throws {
    try channel.syncOptions?.setOption(.maxMessagesPerRead, value: UInt(PipeLimits.reads))
    try channel.syncOptions?.setOption(
      .recvAllocator,
      value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: PipeLimits.read)
    )
  }
}

/// Confined to `eventLoop`.
public protocol Pipe: AnyObject {
  var eventLoop: any EventLoop { get }
  /// Set right after the start, before anything is read.
  var delegate: (any PipeDelegate)? { get set }
  /// Whether the process is being read from. False at first. While false, the process is held back
  /// by the kernel once the buffers between are full. Once set to false, at most
  /// ``PipeReading/most`` bytes still come, and at the end what a terminal holds.
  var isReading: Bool { get set }
  /// Queues bytes for the process; `pipeDidWrite` reports them as they are taken.
  func write(_ bytes: ByteBuffer, from source: InputSource)
  func resize(_ size: TerminalSize)
  /// If the terminal makes a signal of this key and discards input for it (termios: ISIG, without NOFLSH), what it
  /// holds and its process has not read is discarded now, so that there is room for the key. False: it does not. Nil:
  /// `pipeDidDiscardInput` tells.
  /// - Parameter inputs: what is not written any more if it does.
  func discardInput(for key: UInt8, givingUp inputs: [GivenUpInput]) -> Bool?
  /// Whether something has the terminal's foreground that may be at work: anything but a shell at its
  /// prompt, the session's own command too. Nil where the pipe cannot tell.
  var hasForegroundJob: Bool? { get }
  /// Ends the process: SIGHUP to its group, then after `grace` SIGKILL. `pipeDidEnd` follows, and from then
  /// on the pipe holds no descriptor.
  func terminate(grace: TimeAmount)
  /// Who keeps the session when this node goes; nil: nobody does.
  var holder: (any SessionHolder)? { get }
}

extension Pipe {
  /// Of a terminal whose modes cannot be seen from here.
  public func discardInput(for key: UInt8, givingUp inputs: [GivenUpInput]) -> Bool? { false }
  public var holder: (any SessionHolder)? { nil }
}

/// Keeps a session's terminal, and what its node leaves there, while nodes come and go. Confined to its pipe's event
/// loop.
public protocol SessionHolder: AnyObject {
  /// Which holder it is, by the id of its container if it is in one (``HolderName``); nil: that is not known now.
  var holderName: String? { get }
  /// How far this client's input was written to the terminal; nil: nothing is known of it.
  func input(of client: ClientIdentity) -> UInt64?
  /// Keeps a snapshot of the session's screen at this offset of the output, instead of the last one.
  func keep(checkpoint: ByteBuffer, size: TerminalSize, at offset: UInt64)
  /// Completes once the checkpoint that was given last is on its way to the holder, before all that is said to it then.
  var checkpointIsSent: EventLoopFuture<Void> { get }
  func keep(state: [UInt8])
  /// The session goes on without this node.
  func detach()
  /// The session has ended, and nobody needs to know it any more.
  func forget()
}
