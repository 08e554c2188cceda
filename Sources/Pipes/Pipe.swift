// A pipe: the live two-way byte stream to a session's process. Each kind of it is a folder behind this
// protocol (PTY, Docker) and a line in PipeKinds.swift. A pipe lives on one event loop, its session's; every
// call and every call-back happens there, so that bytes never change threads.

public import NIOCore
public import TLS
public import Wire

/// What starts a pipe.
public struct PipeRequest: Sendable {
  public var session: SessionID
  public var creation: Creation
  public var size: TerminalSize
  /// Under which the session was claimed.
  public var epoch: Epoch
  /// What a node must know of the session to make it again, for who keeps it while nodes come and go.
  public var descriptor: [UInt8]
  /// Bytes of output that are kept.
  public var logLimit: Int
  public init(
    session: SessionID, creation: Creation, size: TerminalSize, epoch: Epoch = Epoch(0),
    descriptor: [UInt8] = [], logLimit: Int = 0
  ) {
    self.session = session
    self.creation = creation
    self.size = size
    self.epoch = epoch
    self.descriptor = descriptor
    self.logLimit = logLimit
  }
}

/// Receives what a pipe produces, on the pipe's event loop.
public protocol PipeDelegate: AnyObject {
  /// The process printed these bytes.
  func pipeDidRead(_ bytes: ByteBuffer)
  /// The kernel (or the engine's socket) has taken `count` more bytes of what was given to `write`.
  func pipeDidWrite(_ count: Int)
  /// From here on among the output the terminal has this size; told by pipes with a ``Pipe/keeper`` only.
  func pipeDidResize(_ size: TerminalSize)
  /// The late answer to ``Pipe/discardInput(for:givingUp:)``.
  func pipeDidDiscardInput(_ did: Bool, for key: UInt8)
  /// A checkpoint that was given to the keeper may not have come: it has the one of this offset.
  func pipeHasCheckpoint(at offset: UInt64)
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
  func signal(_ signal: PipeSignal)
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
  var keeper: (any SessionKeeper)? { get }
}

extension Pipe {
  /// Of a terminal whose modes cannot be seen from here.
  public func discardInput(for key: UInt8, givingUp inputs: [GivenUpInput]) -> Bool? { false }
  public var keeper: (any SessionKeeper)? { nil }
}

/// Keeps a session's terminal, and what its node leaves there, while nodes come and go. Confined to its pipe's event
/// loop.
public protocol SessionKeeper: AnyObject {
  /// How far this client's input was written to the terminal; nil: nothing is known of it.
  func input(of client: ClientIdentity) -> UInt64?
  /// Keeps a snapshot of the session's screen at this offset of the output, instead of the last one.
  func keep(checkpoint: ByteBuffer, size: TerminalSize, at offset: UInt64)
  func keep(state: [UInt8])
  /// The session goes on without this node.
  func letGo()
  /// The session has ended, and nobody needs to know it any more.
  func forget()
}

/// Why a pipe could not be started; `message` is for the user and says what to do.
public typealias PipeError = Failure<PipeErrorCode>

public enum PipeErrorCode: String, FailureCode {
  /// The command does not exist or cannot be executed.
  case noCommand = "no_command"
  /// No such container, or it does not run.
  case noTarget = "no_target"
  /// The node starts nothing as that user.
  case noUser = "no_user"
  /// The backend (Docker engine) cannot be reached or is not configured.
  case unavailable
  /// The machine refused: no descriptors, no memory, no pseudo-terminals. Another may not.
  case resources
  /// The target cannot take a process at this moment, as while its container restarts.
  case notNow = "not_now"
}

/// Starts pipes for one kind of target.
public protocol PipeStarter: Sendable {
  /// Starts the process and returns its pipe on `eventLoop`, not reading yet.
  /// - Throws (fails with): ``PipeError``.
  func start(_ request: PipeRequest, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<any Pipe>>
  /// Names the place where this node's processes find what they kept, on this start of this machine. Nil: it keeps
  /// nothing.
  var keeperName: String? { get }
  /// What keeps such a session while no node has it (``HolderName``); nil: nothing does.
  func keeperName(of creation: Creation) -> String?
  /// What a router must know of the node, beside the kind itself, to find it for a session.
  var labels: [String: String] { get }
  /// The sessions that are kept from before: of this event loop, and maybe of others.
  /// - Throws (fails with): ``PipeError``.
  func kept(on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>
  /// What such a holder keeps, whichever node has left it there. Nil: it is not to be reached by this node.
  /// - Throws (fails with): ``PipeError``.
  func kept(by holder: String, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>?
  /// Told once, before anything is started: which registry the node is in. What the node of the same name of
  /// another registry left is not its own.
  func enter(registry: String)
  /// Whether its backend answered when it was last asked: while it does not, new sessions are for other
  /// nodes.
  var isAvailable: Bool { get }
  /// Of files that may change while the node runs; nil: it has none.
  var credentials: TLSCredentials? { get }
  /// Asks the backend whether it is there, for a few seconds at most.
  func check() async
  /// Works for as long as the node does, until the task is cancelled: ends what earlier incarnations of this
  /// node left behind, when the backend can tell, and `check`s from time to time.
  func attend() async
  /// Frees what the starter holds.
  func shutdown() async
}

/// Of a backend that is always there.
extension PipeStarter {
  public var keeperName: String? { nil }
  public func keeperName(of creation: Creation) -> String? { nil }
  public var labels: [String: String] { [:] }
  public func kept(by holder: String, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>?
  { nil }
  public func kept(on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries> {
    eventLoop.makeSucceededFuture(KeptEntries())
  }
  public var isAvailable: Bool { true }
  public var credentials: TLSCredentials? { nil }
  public func check() async {}
  public func attend() async {}
  public func shutdown() async {}
  /// Nothing of its processes outlives it.
  public func enter(registry: String) {}
}
