// The HTTP client under the Docker pipe: what it takes, and how it hands over.

import HTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing
import Wire

@Suite("The HTTP client", .timeLimit(.minutes(patience))) struct HTTPClientTests {
  @Test("takes no longer an answer than it was told")
  func bounded() async throws {
    for head in ["Content-Length: 101\r\n", ""] {
      let answer = "HTTP/1.1 200 OK\r\n\(head)\r\n" + String(repeating: "x", count: 101)
      try await withServer(answering: answer) { port in
        let client = HTTPClient(host: "127.0.0.1", port: port)
        let error = try await #require(throws: HTTPClientError.self) {
          _ = try await client.send(.GET, "/", largestBody: 100)
        }
        #expect(error.code == .tooLong)
        #expect(try await client.send(.GET, "/", largestBody: 101).body.readableBytes == 101)
      }
    }
  }

  @Test("hands over a connection with every byte that came behind the answer")
  func leftOver() async throws {
    let answer = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst bytes"
    try await withServer(answering: answer) { port in
      let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
      let (bytes, received) = AsyncStream.makeStream(of: ByteBuffer.self)
      let handler = try await eventLoop.submit {
        NIOLoopBound<any ChannelHandler>(Collector(received), eventLoop: eventLoop)
      }.get()
      let result = try await HTTPClient(host: "127.0.0.1", port: port).upgrade(
        .POST, "/", to: "tcp", handler: handler)
      guard case .switched(let channel) = result else {
        Issue.record("it was not switched: \(result)")
        return
      }
      channel.read()
      var all = ByteBuffer()
      for await part in bytes { all.writeImmutableBuffer(part) }
      #expect(String(buffer: all) == "first bytes")
    }
  }

  @Test("gives the server's answer when it refuses to switch")
  func refused() async throws {
    try await withServer(answering: "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno") {
      port in
      let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
      let (_, received) = AsyncStream.makeStream(of: ByteBuffer.self)
      let handler = try await eventLoop.submit {
        NIOLoopBound<any ChannelHandler>(Collector(received), eventLoop: eventLoop)
      }.get()
      let result = try await HTTPClient(host: "127.0.0.1", port: port).upgrade(
        .POST, "/", to: "tcp", handler: handler)
      guard case .refused(let answer) = result else {
        Issue.record("it was switched")
        return
      }
      #expect(answer.status == .notFound)
      #expect(String(buffer: answer.body) == "no")
    }
  }
}

private final class Collector: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let received: AsyncStream<ByteBuffer>.Continuation
  init(_ received: AsyncStream<ByteBuffer>.Continuation) { self.received = received }
  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received.yield(unwrapInboundIn(data))
    context.read()
  }
  func channelReadComplete(context: ChannelHandlerContext) { context.read() }
  func channelInactive(context: ChannelHandlerContext) { received.finish() }
}
