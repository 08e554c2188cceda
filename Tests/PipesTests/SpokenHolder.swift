// A node's side of a connection to a holder, on a loop of the test's, and a holder that says what a test says.

import Holder
import Logging
import NIOCore
import NIOEmbedded
import Testing
import Wire

@testable import Pipes

final class PipeListener: PipeDelegate {
  var read = 0
  var status: Wire.ExitStatus?
  var reason: String?
  var stalls: [String?] = []
  func pipeDidStall(_ reason: String?) { stalls.append(reason) }
  func pipeDidRead(_ bytes: ByteBuffer) { read += bytes.readableBytes }
  func pipeDidWrite(_ count: Int) {}
  func pipeDidEnd(_ status: Wire.ExitStatus?, reason: String?) {
    (self.status, self.reason) = (status, reason)
  }
}

/// What a future of an embedded loop has come to.
final class FutureOutcome<Value: Sendable> {
  private(set) var value: Value?
  private(set) var error: (any Error)?
  init(_ future: EventLoopFuture<Value>) {
    future.assumeIsolated().whenComplete { result in
      switch result {
      case .success(let value): self.value = value
      case .failure(let error): self.error = error
      }
    }
  }
}

/// Counts lines.
// Sendable: all of it happens on the test's own thread.
final class CountedLog: @unchecked Sendable, LogHandler {
  var lines = 0
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
  func log(event: LogEvent) { lines += 1 }
}

// Sendable: all of it happens on the test's own thread, which is the embedded loop's.
final class SpokenPlace: HolderPlace, @unchecked Sendable {
  let secret = HolderSecret.random()
  let log = CountedLog()
  let logger: Logger
  let connections = HolderConnections()
  var opened: (EmbeddedChannel) -> Void = { _ in }

  init() { logger = Logger(label: "test") { [log] _ in log } }

  var seal: Seal { Seal(secret.key, place: "here") }
  let isShared = false
  let name: String? = "boot/h"
  let asSilent = SilentHolders(areOnMachine: true)
  let description = "a holder of the test's"
  let stall = "it does not answer"
  let patience = TimeAmount.seconds(5)
  var goneAfter: TimeAmount? { nil }
  var idleAfter: TimeAmount? { nil }
  func connectionIsIdle() {}
  func isGone(_ error: any Error) -> Bool { false }
  func ensureRunning(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
    eventLoop.makeSucceededVoidFuture()
  }

  /// Its engine never says that it is connected: what counts is the greeting.
  func connect(_ handler: NIOLoopBound<HolderHandler>) -> EventLoopFuture<any Channel> {
    guard let loop = handler.eventLoop as? EmbeddedEventLoop else {
      return handler.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
    }
    let channel = EmbeddedChannel(handler: handler.value, loop: loop)
    _ = channel.connect(to: (try? SocketAddress(unixDomainSocketPath: "/x"))!)
    let connected = loop.makePromise(of: (any Channel).self)
    channel.closeFuture.whenComplete { _ in connected.fail(ChannelError.alreadyClosed) }
    opened(channel)
    return connected.futureResult
  }
}

final class SpokenHolder {
  let loop = EmbeddedEventLoop()
  let place = SpokenPlace()
  let connection: HolderConnection
  private(set) var channels: [EmbeddedChannel] = []
  private var splitter = FrameSplitter()

  var channel: EmbeddedChannel { channels[channels.count - 1] }

  init() {
    connection = HolderConnection(place, eventLoop: loop)
    place.opened = { [unowned self] in
      channels.append($0)
      splitter = FrameSplitter()
    }
  }

  deinit {
    _ = connection.close()
    for channel in channels { channel.close(promise: nil) }
    loop.run()
  }

  /// Opens it, or lets it be opened again.
  func open() {
    let before = channels.count
    if before == 0 {
      _ = connection.open()
    } else {
      loop.advanceTime(by: TimeAmount(PipeLimits.holderRetryLast))
    }
    precondition(channels.count == before + 1, "it is not opened")
    greet(before)
  }

  func greet(_ index: Int) {
    let nonce = [UInt8](repeating: 7, count: 32)
    say(.hello(version: Handshake.version, holder: place.secret.identity, nonce: nonce), index)
    for case .proof(_, let nodes, _) in heard(index) {
      say(
        .welcome(
          mac: Handshake.holdersProof(
            key: place.secret.key, holder: place.secret.identity, holderNonce: nonce,
            nodeNonce: nodes)), index)
    }
  }

  func breakOff() {
    channel.close(promise: nil)
    loop.run()
  }

  func say(_ frame: HolderFrame, _ index: Int? = nil) {
    let channel = channels[index ?? channels.count - 1]
    var writer = FrameWriter()
    frame.write(to: &writer)
    if channel.isActive { _ = try? channel.writeInbound(ByteBuffer(bytes: writer.bytes)) }
    loop.run()
  }

  /// What the node has said since the last call.
  func heard(_ index: Int? = nil) -> [NodeFrame] {
    loop.run()
    let channel = channels[index ?? channels.count - 1]
    while let bytes = try? channel.readOutbound(as: ByteBuffer.self) {
      splitter.append(Array(bytes.readableBytesView)[...])
    }
    var frames: [NodeFrame] = []
    while case .frame(let type, let body) = splitter.next() {
      if let frame = NodeFrame(type: type, body: body) { frames.append(frame) }
    }
    return frames
  }
}

extension HeldState {
  /// Of a session that has printed nothing.
  static func started(_ handle: UInt64, epoch: UInt64) -> HeldState {
    HeldState(
      handle: handle, epoch: epoch, process: 9, columns: 80, rows: 24, logStart: 0, logEnd: 0,
      checkpoint: 0, answered: 0, next: 0, sizes: [], ledgers: [], hasForgotten: false, exit: nil,
      state: [])
  }
}
