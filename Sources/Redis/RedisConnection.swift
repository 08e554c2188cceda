// One connection to a Redis: the handler at the end of its channel's pipeline. Commands of one tick of
// the event loop leave in one write.

import NIOCore
import Wire

/// Confined to its channel's event loop.
final class RedisConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  typealias Answer = EventLoopPromise<RedisValue>

  private let endpoint: RedisEndpoint
  private weak var core: RedisCore?
  private var context: ChannelHandlerContext?
  private var reader = ReplyReader()
  private var pipeline: Pipeline<Answer>
  private var out = ByteBuffer()
  private var failure: RedisError?

  init(to endpoint: RedisEndpoint, core: RedisCore) {
    self.endpoint = endpoint
    self.core = core
    pipeline = Pipeline(greeting: endpoint.greeting.map(\.name))
  }

  var underWay: Int { pipeline.count }

  // MARK: Out

  /// Sends the command; `answer` is completed with its reply, or fails.
  func send(_ command: RedisCommand, answer: Answer, within deadline: TimeAmount) {
    guard let context else { return answer.fail(RedisError(.unavailable, "not connected")) }
    let id = pipeline.append(answer)
    write(command)
    let replies = pipeline.replies
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    let timeout = context.eventLoop.scheduleTask(in: deadline) {
      bound.value.timedOut(id, command.name, repliesBefore: replies)
    }
    answer.futureResult.whenComplete { _ in timeout.cancel() }
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
    guard let answer = pipeline.abandon(id) else { return }
    answer.fail(RedisError(.timedOut, "no answer from \(endpoint) to \(name) in time"))
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

  // MARK: In

  func channelActive(context: ChannelHandlerContext) {
    self.context = context
    for command in endpoint.greeting { write(command) }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: RedisLimits.greetingTimeout) {
      let connection = bound.value
      guard !connection.pipeline.isReady else { return }
      let endpoint = connection.endpoint
      connection.close(
        RedisError(
          .unavailable,
          "\(endpoint) takes connections but does not answer\(connection.hint)"))
    }
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard failure == nil else { return }
    do throws(RedisError) {
      try unwrapInboundIn(data).withUnsafeReadableBytes { bytes throws(RedisError) in
        try reader?.feed(bytes)
      }
      while let value = try reader?.next() {
        switch pipeline.receive(value) {
        case .ignore: break
        case .deliver(let answer, .error(let text)):
          answer.fail(RedisError(reply: text))
          if RedisError.isOfReplica(text) { throw RedisError(reply: text) }
        case .deliver(let answer, let value): answer.succeed(value)
        case .ready: core?.connected(self)
        case .fail(let error): throw error
        }
      }
    } catch {
      close(error)
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
    for answer in pipeline.close() { answer.fail(error) }
    core?.closed(self, error)
  }
}
