// One connection to a Redis: the handler at the end of its channel's pipeline. Commands of one tick of
// the event loop leave in one write.

import NIOCore
import Wire

/// A command on its way.
struct Request {
  var command: RedisCommand
  var answer: EventLoopPromise<RedisValue>
  var deadline: NIODeadline
  /// How often it has been sent, and was not carried out.
  var tries = 0
}

/// Whose a connection is.
protocol RedisConnectionOwner: AnyObject {
  /// It has logged in, and may be used.
  func connected(_ connection: RedisConnection)
  /// It has answered a command for the first time.
  func served(_ connection: RedisConnection)
  /// A command was answered with an error: the owner completes the answer, or sends it again.
  func refused(_ request: Request, _ reply: ErrorReply, by connection: RedisConnection)
  func heard(_ value: RedisValue)
  func timedOut()
  func closed(_ connection: RedisConnection, _ error: RedisError)
}

/// Confined to its channel's event loop.
final class RedisConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// The one server that it is to.
  let endpoint: RedisEndpoint
  private let greeting: [RedisCommand]
  private weak var owner: (any RedisConnectionOwner)?
  private var context: ChannelHandlerContext?
  private var reader = ReplyReader()
  private var pipeline: Pipeline<Request>
  private var out = ByteBuffer()
  private var failure: RedisError?
  private var hasServed = false
  /// It gets no more commands, and is closed once those under way are answered.
  private(set) var isRetired = false

  init(
    to endpoint: RedisEndpoint, greeting: [RedisCommand], owner: any RedisConnectionOwner
  ) {
    self.endpoint = endpoint
    self.greeting = greeting
    self.owner = owner
    pipeline = Pipeline(greeting: greeting.map(\.name))
  }

  var underWay: Int { pipeline.count }

  // MARK: Out

  /// Sends the command; its answer is completed with the reply, or fails.
  func send(_ request: Request) {
    guard let context else {
      return request.answer.fail(RedisError(.unavailable, "not connected"))
    }
    let id = pipeline.append(request)
    write(request.command)
    let replies = pipeline.replies
    let name = request.command.name
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    let timeout = context.eventLoop.scheduleTask(deadline: request.deadline) {
      bound.value.timedOut(id, name, repliesBefore: replies)
    }
    request.answer.futureResult.whenComplete { _ in timeout.cancel() }
  }

  private func write(_ command: RedisCommand) {
    let isFirst = out.readableBytes == 0
    out.writeImmutableBuffer(command.bytes)
    guard isFirst, let context else { return }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.eventLoop.execute { bound.value.flush() }
  }

  private func flush() {
    guard let context, out.readableBytes > 0 else { return }
    context.writeAndFlush(wrapOutboundOut(out), promise: nil)
    out = ByteBuffer()
  }

  private func timedOut(_ id: UInt64, _ name: String, repliesBefore: UInt64) {
    guard let request = pipeline.abandon(id) else { return }
    owner?.timedOut()
    request.answer.fail(RedisError(.timedOut, "no answer from \(endpoint) to \(name) in time"))
    // Nothing at all came back since: the other end is gone without a word.
    if pipeline.replies == repliesBefore {
      close(RedisError(.unavailable, "\(endpoint) has stopped answering"))
    }
  }

  /// What is likely wrong with a server that has never answered.
  private var hint: String {
    guard pipeline.replies == 0 else { return "" }
    return endpoint.isEncrypted ? " (does it speak TLS?)" : " (if it speaks TLS, say rediss://)"
  }

  func close(_ error: RedisError) {
    if failure == nil { failure = error }
    context?.close(promise: nil)
  }

  /// Another connection takes its place.
  func retire() {
    guard !isRetired, let context else { return }
    isRetired = true
    if pipeline.count == 0 { return close(Self.retired) }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: RedisLimits.deadline) { bound.value.close(Self.retired) }
  }

  private static let retired = RedisError(.unavailable, "another server is the primary now")

  // MARK: In

  func channelActive(context: ChannelHandlerContext) {
    self.context = context
    for command in greeting { write(command) }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: RedisLimits.greetingTimeout) {
      let connection = bound.value
      guard !connection.pipeline.isReady else { return }
      connection.close(
        RedisError(
          .unavailable,
          "\(connection.endpoint) takes connections but does not answer\(connection.hint)"))
    }
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard failure == nil else { return }
    do throws(RedisError) {
      try unwrapInboundIn(data).withUnsafeReadableBytes { bytes throws(RedisError) in
        try reader?.feed(bytes)
      }
      while let value = try reader?.next() { try received(value) }
    } catch {
      close(error)
    }
    if isRetired, pipeline.count == 0 { close(Self.retired) }
  }

  private func received(_ value: RedisValue) throws(RedisError) {
    switch pipeline.receive(value) {
    case .ignore: break
    case .deliver(let request, .error(let text)):
      let reply = ErrorReply(text)
      if let owner {
        owner.refused(request, reply, by: self)
      } else {
        request.answer.fail(reply.error)
      }
    case .deliver(let request, let value):
      if !hasServed {
        hasServed = true
        owner?.served(self)
      }
      request.answer.succeed(value)
    case .heard(let value): owner?.heard(value)
    case .ready:
      // Who asked for it may have given up meanwhile.
      guard let owner else {
        return close(RedisError(.unavailable, "nobody needs this connection any more"))
      }
      owner.connected(self)
    case .fail(let error):
      throw RedisError(error.code, "\(endpoint): \(error.message)", cause: error.cause)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // TLS says itself what is wrong.
    let hint = endpoint.isEncrypted ? "" : hint
    close(RedisError(.unavailable, "the connection to \(endpoint) broke\(hint)", cause: error))
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    let error = failure ?? RedisError(.unavailable, "\(endpoint) closed the connection\(hint)")
    failure = error
    for request in pipeline.close() { request.answer.fail(error) }
    owner?.closed(self, error)
  }
}
