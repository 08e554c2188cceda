// A link: the connection between one event loop of a router and one of a node, carrying the
// streams of all clients between the two. What is sent during a loop tick leaves in one write at
// the tick's end (measured: docs/performance.md), so that sessions share system calls.
//
// The `Link` is the same on both ends and over both transports; a `LinkPeer` (the router's
// `LinkedNode`, the node's `RouterConnection`) is what it belongs to. All of it is confined to one loop.

public import NIOCore
import Transport
public import Wire

/// The owner of one end of a link.
public protocol LinkPeer: AnyObject {
  func linkDidReceive(_ frame: Frame, stream: UInt64)
  /// Appends data frames, by turns, until `buffer` holds ``LinkLimits/queued`` bytes or nothing is
  /// left that may be sent. True: there is more.
  func linkFill(_ buffer: inout ByteBuffer) -> Bool
  /// What had made the link ``Link/isCongested`` was written.
  func linkDidDrain()
  /// The last frame to the other end, which tells it what it did wrong; nil: there is none.
  func linkParting(after error: any Error) -> Frame?
  /// Called once. `error` is nil for an orderly end.
  func linkDidClose(_ error: (any Error)?)
}

extension LinkPeer {
  public func linkParting(after error: any Error) -> Frame? { nil }
}

/// What carries a link's bytes: a socket, or another loop of this process.
public protocol LinkTransport: AnyObject {
  /// False: wait for ``Link/transportDidBecomeWritable()``.
  var isWritable: Bool { get }
  func write(_ buffer: ByteBuffer)
  func close()
}

public final class Link {
  public let eventLoop: any EventLoop
  private weak var peer: (any LinkPeer)?
  private var transport: (any LinkTransport)?
  private var decoder = FrameDecoder()
  private var out = ByteBuffer()
  private lazy var endOfTick = EndOfTick(on: eventLoop) { [weak self] in self?.flush() }
  private var hasMore = false
  private var lastHeard: NIODeadline
  private var pings: RepeatedTask?

  public init(eventLoop: any EventLoop, peer: any LinkPeer, transport: any LinkTransport) {
    self.eventLoop = eventLoop
    self.peer = peer
    self.transport = transport
    self.lastHeard = eventLoop.now
  }

  public var isOpen: Bool { transport != nil }

  /// How long nothing was heard.
  public var silence: TimeAmount { eventLoop.now - lastHeard }

  /// More waits for the other end than leaves in one write: whoever can should send it no more until
  /// ``LinkPeer/linkDidDrain()``.
  public var isCongested: Bool { isOpen && out.readableBytes > LinkLimits.queued }

  /// Adds a frame to this tick's write. A node's output comes by `linkFill` instead.
  public func send(_ frame: Frame, stream: UInt64) {
    guard isOpen else { return }
    out.writeFrame(frame, stream: stream)
    setNeedsFlush()
  }

  /// Notes that the peer has something to fill in at the end of this tick.
  public func setNeedsFlush() {
    hasMore = true
    if isOpen { endOfTick.schedule() }
  }

  private func flush() {
    guard let transport else { return }
    guard transport.isWritable else {
      if out.readableBytes > LinkLimits.unsent {
        close(WireError(.unexpected, "the other end of the link does not read"))
      }
      return
    }
    // Taken out while the peer fills it: what the peer sends meanwhile goes behind it.
    let wasCongested = isCongested
    var filled = ByteBuffer()
    swap(&filled, &out)
    hasMore = peer?.linkFill(&filled) ?? false
    filled.writeBuffer(&out)
    guard filled.readableBytes > 0 else {
      out = filled
      return
    }
    let written = filled.readableBytes
    transport.write(filled)
    if filled.capacity > 2 * LinkLimits.queued {
      filled = ByteBuffer()
    } else {
      // Kept, unless the transport still holds it: then the next tick gets as much as this one took.
      filled.clear(minimumCapacity: written)
    }
    out = filled
    if hasMore && transport.isWritable { setNeedsFlush() }
    if wasCongested { peer?.linkDidDrain() }
  }

  // MARK: Called by the transport

  public func transportDidRead(_ bytes: ByteBuffer) {
    guard isOpen else { return }
    lastHeard = eventLoop.now
    decoder.append(bytes)
    do {
      while let (stream, frame) = try decoder.next() {
        if case .ping(let opaque) = frame {
          send(.pong(opaque), stream: 0)
        } else if case .pong = frame {
          continue
        } else {
          peer?.linkDidReceive(frame, stream: stream)
        }
        guard isOpen else { return }
      }
    } catch {
      close(error)
    }
  }

  public func transportDidBecomeWritable() {
    if hasMore || out.readableBytes > 0 { setNeedsFlush() }
  }

  public func transportDidClose(_ error: (any Error)?) {
    guard isOpen else { return }
    transport = nil
    pings?.cancel()
    peer?.linkDidClose(error)
  }

  // MARK: Ending it

  /// Closes the connection; the peer is told. Safe to call twice.
  public func close(_ error: (any Error)? = nil) {
    guard let transport else { return }
    if let error {
      out.clear()
      if let frame = peer?.linkParting(after: error) { out.writeFrame(frame, stream: 0) }
    }
    if out.readableBytes > 0 { transport.write(out) }
    self.transport = nil
    pings?.cancel()
    transport.close()
    peer?.linkDidClose(error)
  }

  /// From now on a PING goes out after ``LinkLimits/pingInterval`` of silence, and after
  /// ``LinkLimits/silence`` the link is closed. Both ends do so, since either can be left alone.
  public func keepAlive() {
    guard isOpen, pings == nil else { return }
    let loopBound = NIOLoopBound(self, eventLoop: eventLoop)
    pings = eventLoop.scheduleRepeatedTask(
      initialDelay: LinkLimits.pingInterval, delay: LinkLimits.pingInterval
    ) { _ in loopBound.value.checkSilence() }
  }

  private func checkSilence() {
    let silence = eventLoop.now - lastHeard
    if silence > LinkLimits.silence {
      close(
        WireError(.unexpected, "no answer for \(LinkLimits.silence.nanoseconds / 1_000_000_000) s"))
    } else if silence >= LinkLimits.pingInterval {
      send(.ping(eventLoop.now.uptimeNanoseconds), stream: 0)
    }
  }
}
