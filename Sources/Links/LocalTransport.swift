// A link inside one process, for `serve` and for tests: what a tick wrote is handed to the other
// end's loop in one hop. An end may be a window ahead of the other's loop, as on a socket.

public import NIOCore

/// One end; confined to its loop.
public final class LocalTransport: LinkTransport {
  private let remoteLoop: any EventLoop
  /// The ends hold each other until one closes.
  private var remote: NIOLoopBound<LocalTransport>?
  private var link: Link?

  private init(remoteLoop: any EventLoop) { self.remoteLoop = remoteLoop }

  /// Bytes written and not yet known to have been taken by the other end.
  private var underWay = 0
  /// Bytes taken from the other end and not yet told to it: told at half a window, so that a
  /// keystroke costs no hop back.
  private var untold = 0
  public var isWritable: Bool { underWay < LinkLimits.localWindow }

  /// Connects a new end on `loop`, where it must be called, with one on `remoteLoop`, which
  /// `accept` receives there. The returned end queues what is written until then.
  public static func connect(
    from loop: any EventLoop, to remoteLoop: any EventLoop,
    accept: @escaping @Sendable (LocalTransport) -> Void
  ) -> LocalTransport {
    loop.preconditionInEventLoop()
    let near = LocalTransport(remoteLoop: remoteLoop)
    let nearBound = NIOLoopBound(near, eventLoop: loop)
    // Made by the far loop's own hand, before anything the near end writes can get there: both
    // travel through the same queue.
    remoteLoop.execute {
      let far = LocalTransport(remoteLoop: loop)
      far.remote = nearBound
      accept(far)
      let farBound = NIOLoopBound(far, eventLoop: remoteLoop)
      loop.execute { nearBound.value.connected(to: farBound) }
    }
    return near
  }

  private var waiting: [ByteBuffer] = []
  private var isClosed = false

  private func connected(to remote: NIOLoopBound<LocalTransport>) {
    for buffer in waiting { deliver(buffer, to: remote) }
    waiting = []
    if isClosed { deliverClose(to: remote) } else { self.remote = remote }
  }

  public func attach(_ link: Link) { self.link = link }

  public func write(_ buffer: ByteBuffer) {
    underWay += buffer.readableBytes
    guard let remote else { return waiting.append(buffer) }
    deliver(buffer, to: remote)
  }

  private func deliver(_ buffer: ByteBuffer, to remote: NIOLoopBound<LocalTransport>) {
    remoteLoop.execute { remote.value.take(buffer) }
  }

  private func take(_ buffer: ByteBuffer) {
    untold += buffer.readableBytes
    link?.transportDidRead(buffer)
    guard untold >= LinkLimits.localWindow / 2, let remote else { return }
    let count = untold
    untold = 0
    remoteLoop.execute { remote.value.wasTaken(count) }
  }

  private func wasTaken(_ count: Int) {
    let wasWritable = isWritable
    underWay -= count
    if !wasWritable, isWritable { link?.transportDidBecomeWritable() }
  }

  public func close() {
    isClosed = true
    link = nil
    if let remote { deliverClose(to: remote) }
    remote = nil
  }

  private func deliverClose(to remote: NIOLoopBound<LocalTransport>) {
    remoteLoop.execute {
      let end = remote.value
      let link = end.link
      end.link = nil
      end.remote = nil
      end.isClosed = true
      link?.transportDidClose(nil)
    }
  }
}
