// What starts the pipes of one kind of target.

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

/// Starts pipes for one kind of target.
public protocol PipeStarter: Sendable {
  /// Starts the process and returns its pipe on `eventLoop`, not reading yet.
  /// - Throws (fails with): ``PipeError``.
  func start(_ request: PipeRequest, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<any Pipe>>
  /// Names the place where this node's processes find what they kept, on this start of this machine. Nil: it keeps
  /// nothing.
  var homeName: String? { get }
  /// What will keep such a session while no node has it (``HolderName``), as far as that is known before it starts:
  /// by the name of its container if it is in one. Nil: nothing will.
  func holderName(of creation: Creation) -> String?
  /// Where it is noted which of its sessions are being ended; nil: nothing keeps them.
  var endings: EndingNotes? { get }
  /// What a router must know of the node, beside the kind itself, to find it for a session.
  var labels: [String: String] { get }
  /// The sessions that are kept from before: of this event loop, and maybe of others.
  /// - Parameter holders: which are asked: all, or those that were silent before.
  /// - Throws (fails with): ``PipeError``.
  func kept(by holders: SilentHolders, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>
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
  public var homeName: String? { nil }
  public func holderName(of creation: Creation) -> String? { nil }
  public var endings: EndingNotes? { nil }
  public var labels: [String: String] { [:] }
  public func kept(by holder: String, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>?
  { nil }
  public func kept(by holders: SilentHolders, on eventLoop: any EventLoop)
    -> EventLoopFuture<KeptEntries>
  {
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
