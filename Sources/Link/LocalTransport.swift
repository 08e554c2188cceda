// A link inside one process, for `serve` and for tests: what a tick wrote is handed to the other
// end's loop in one hop. Windows bound what is under way, so it is always writable.

public import NIOCore

/// One end; confined to its loop.
public final class LocalTransport: LinkTransport {
  private let remoteLoop: any EventLoop
  private var remote: NIOLoopBound<LocalTransport>?
  private var link: Link?

  private init(remoteLoop: any EventLoop) { self.remoteLoop = remoteLoop }

  public var isWritable: Bool { true }

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
    self.remote = remote
    for buffer in waiting { deliver(buffer, to: remote) }
    waiting = []
    if isClosed { deliverClose(to: remote) }
  }

  public func attach(_ link: Link) { self.link = link }

  public func write(_ buffer: ByteBuffer) {
    guard let remote else { return waiting.append(buffer) }
    deliver(buffer, to: remote)
  }

  private func deliver(_ buffer: ByteBuffer, to remote: NIOLoopBound<LocalTransport>) {
    remoteLoop.execute { remote.value.link?.transportDidRead(buffer) }
  }

  public func close() {
    isClosed = true
    link = nil
    if let remote { deliverClose(to: remote) }
  }

  private func deliverClose(to remote: NIOLoopBound<LocalTransport>) {
    remoteLoop.execute {
      let end = remote.value
      let link = end.link
      end.link = nil
      link?.transportDidClose(nil)
    }
  }
}
