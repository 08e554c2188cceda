// The ends of a client's pipeline: one collects the answer, one waits for a switch of protocols.

import NIOCore
import NIOHTTP1

/// An answer as it comes in.
struct HTTPAnswer {
  private var response: HTTPResponse?
  private let largestBody: Int

  init(largestBody: Int) { self.largestBody = largestBody }

  /// The whole answer, when `part` was its last.
  mutating func take(_ part: HTTPClientResponsePart) throws(HTTPClientError) -> HTTPResponse? {
    switch part {
    case .head(let head):
      response = HTTPResponse(status: head.status, headers: head.headers, body: ByteBuffer())
    case .body(let bytes):
      guard var response else { return nil }
      guard bytes.readableBytes <= largestBody - response.body.readableBytes else {
        throw HTTPClientError(.tooLong, "the answer is longer than \(largestBody) bytes")
      }
      self.response = nil  // so that the body is not copied to be appended to
      response.body.writeImmutableBuffer(bytes)
      self.response = response
    case .end:
      return response
    }
    return nil
  }
}

final class HTTPExchange: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  private let promise: EventLoopPromise<HTTPResponse>
  private var answer: HTTPAnswer

  init(_ promise: EventLoopPromise<HTTPResponse>, largestBody: Int) {
    self.promise = promise
    answer = HTTPAnswer(largestBody: largestBody)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    do {
      if let response = try answer.take(unwrapInboundIn(data)) { promise.succeed(response) }
    } catch {
      promise.fail(error)
      context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(HTTPClientError(.closed, "the connection was closed before the answer"))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    promise.fail(HTTPClientError(.closed, "the connection broke", cause: error))
    context.close(promise: nil)
  }
}

/// On 101 it stops reading, puts `successor` behind itself, and takes itself and the codec out; what
/// the decoder has left goes to `successor`.
final class HTTPUpgradeExchange: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPClientResponsePart
  private let promise: EventLoopPromise<HTTPClient.Upgrade>
  private let encoder: HTTPRequestEncoder
  private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
  private let successor: any ChannelHandler
  private var answer: HTTPAnswer
  private var isSwitching = false

  init(
    _ promise: EventLoopPromise<HTTPClient.Upgrade>, encoder: HTTPRequestEncoder,
    decoder: ByteToMessageHandler<HTTPResponseDecoder>, successor: any ChannelHandler,
    largestBody: Int
  ) {
    self.promise = promise
    self.encoder = encoder
    self.decoder = decoder
    self.successor = successor
    answer = HTTPAnswer(largestBody: largestBody)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    if case .head(let head) = part, head.status == .switchingProtocols {
      isSwitching = true
      try? context.channel.syncOptions?.setOption(.autoRead, value: false)
    }
    guard !isSwitching else {
      if case .end = part { handOver(context) }
      return
    }
    do {
      if let response = try answer.take(part) { promise.succeed(.refused(response)) }
    } catch {
      promise.fail(error)
      context.close(promise: nil)
    }
  }

  private func handOver(_ context: ChannelHandlerContext) {
    let channel = context.channel
    let pipeline = context.pipeline.syncOperations
    do {
      try pipeline.addHandler(successor, position: .last)
    } catch {
      promise.fail(HTTPClientError(.closed, "the connection broke", cause: error))
      return context.close(promise: nil)
    }
    // This handler before the decoder, whose left-over bytes then go to the successor.
    pipeline.removeHandler(encoder, promise: nil)
    pipeline.removeHandler(self, promise: nil)
    pipeline.removeHandler(decoder).map { .switched(channel) }.cascade(to: promise)
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(HTTPClientError(.closed, "the connection was closed before the answer"))
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    promise.fail(HTTPClientError(.closed, "the connection broke", cause: error))
    context.close(promise: nil)
  }
}
