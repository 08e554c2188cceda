// The end of a client's pipeline: collects the answer.

import NIOCore
import NIOHTTP1
import Wire

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

final class HTTPExchange: ChannelInboundHandler, RemovableChannelHandler {
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

  /// After an upgrade, or with the connection: whoever still waits for an answer waits in vain.
  func handlerRemoved(context: ChannelHandlerContext) {
    promise.fail(HTTPClientError(.closed, "the connection was closed before the answer"))
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(HTTPClientError(.closed, "the connection was closed before the answer"))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    promise.fail(HTTPClientError(.closed, "the connection broke", cause: error))
    context.close(promise: nil)
  }
}
