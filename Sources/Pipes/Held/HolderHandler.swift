// The bytes of a connection to a holder as frames, and the greeting that comes before them: both sides prove that they
// know the holder's key.

import Holder
import NIOCore
import Wire

/// Who takes what a holder says.
protocol HolderHandlerDelegate: AnyObject {
  /// Both sides have proven what they are: the holder may be asked.
  /// - Returns: false: another one speaks for the holder already.
  func didOpen(_ channel: any Channel, _ handler: HolderHandler) -> Bool
  func didReadOutput(_ handle: UInt64, at offset: UInt64, _ bytes: ByteBuffer)
  func didWrite(_ handle: UInt64, _ client: ClientKey, upTo offset: UInt64)
  func didReceive(_ frame: HolderFrame)
  /// The connection has ended that was open.
  func didClose(_ handler: HolderHandler)
}

final class HolderHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let delegate: any HolderHandlerDelegate
  private let secret: HolderSecret
  private let proven: EventLoopPromise<Void>
  private let nonce = [UInt8].random(Handshake.nonce)
  private var incoming = ByteBuffer()
  private var greeting = Greeting.hello

  private enum Greeting {
    case hello
    /// The proof that the holder owes.
    case welcome([UInt8])
    case over
    /// Nobody waits for it any more.
    case dismissed
  }

  init(_ delegate: any HolderHandlerDelegate, secret: HolderSecret, proven: EventLoopPromise<Void>)
  {
    self.delegate = delegate
    self.secret = secret
    self.proven = proven
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if incoming.readableBytes == 0 { incoming = bytes } else { incoming.writeBuffer(&bytes) }
    while let length = nextLength {
      guard (1...HolderLimits.frame).contains(length) else {
        return fail(context, "a frame of \(length) bytes")
      }
      guard incoming.readableBytes >= 4 + length else { break }
      incoming.moveReaderIndex(forwardBy: 4)
      guard var frame = incoming.readSlice(length: length), receive(&frame, context) else {
        return fail(context, "a frame that is none")
      }
    }
    // What was read is given up: a read that ends within a frame must not keep all that came before.
    if incoming.readableBytes == 0 { incoming = ByteBuffer() } else { incoming.discardReadBytes() }
  }

  private var nextLength: Int? {
    incoming.getInteger(at: incoming.readerIndex, endianness: .little, as: UInt32.self)
      .map(Int.init)
  }

  /// False: no holder of a version that is known says that here.
  private func receive(_ frame: inout ByteBuffer, _ context: ChannelHandlerContext) -> Bool {
    guard case .over = greeting else { return greet(frame, context) }
    // Most of what comes is output and what was written: it is not copied here.
    if let output = HeldOutput(frame) {
      delegate.didReadOutput(output.handle, at: output.offset, output.bytes)
      return true
    }
    if let written = HeldWritten(frame) {
      delegate.didWrite(written.handle, written.client, upTo: written.offset)
      return true
    }
    guard let parsed = HolderFrame(frame) else { return false }
    delegate.didReceive(parsed)
    return true
  }

  private func greet(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) -> Bool {
    switch (greeting, HolderFrame(bytes)) {
    case (.hello, .hello(let version, let holder, let holderNonce)?):
      // This may be another holder than the one whose key it is.
      guard holder == secret.identity else { return false }
      guard Handshake.versions.contains(version) else {
        proven.fail(Self.unknownVersion(version))
        return false
      }
      let proof = Handshake.nodesProof(
        version: version, key: secret.key, holder: holder, holderNonce: holderNonce,
        nodeNonce: nonce)
      greeting = .welcome(
        Handshake.holdersProof(
          version: version, key: secret.key, holder: holder, holderNonce: holderNonce,
          nodeNonce: nonce))
      let frame = NodeFrame.proof(version: version, nonce: nonce, mac: proof)
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(frame)), promise: nil)
      return true
    case (.welcome(let expected), .welcome(let mac)?):
      guard MAC.isEqual(mac, expected) else { return false }
      greeting = .over
      guard delegate.didOpen(context.channel, self) else { return false }
      proven.succeed()
      return true
    default: return false
    }
  }

  static func unknownVersion(_ version: UInt8) -> PipeError {
    let known = Handshake.versions
    return PipeError(
      .unavailable,
      "a holder speaks version \(version) of its protocol, and this fairlead knows \(known.lowerBound) to "
        + "\(known.upperBound): its terminals go on, and are reached by the fairlead that started it or a newer one"
    )
  }

  private func fail(_ context: ChannelHandlerContext, _ problem: String) {
    proven.fail(PipeError(.unavailable, "who listens there is not this node's holder: \(problem)"))
    incoming = ByteBuffer()
    context.close(promise: nil)
  }

  /// Whatever it goes on to say counts for nothing.
  func dismiss() { greeting = .dismissed }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    proven.fail(error)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    proven.fail(PipeError(.unavailable, "the holder has closed the connection"))
    if case .over = greeting { delegate.didClose(self) }
  }
}

extension [UInt8] {
  static func random(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: 0...255) } }
}
