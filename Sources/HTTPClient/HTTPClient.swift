// A small HTTP/1.1 client: one request, one connection, a bounded answer.

public import NIOCore
public import NIOHTTP1
public import NIOPosix

public struct HTTPResponse: Sendable {
  public var status: HTTPResponseStatus
  public var headers: HTTPHeaders
  public var body: ByteBuffer
}

public struct HTTPClientError: Error, CustomStringConvertible {
  public var message: String
  public init(_ message: String) { self.message = message }
  public var description: String { message }
}

public struct HTTPClient: Sendable {
  public var host: String
  public var port: Int
  private let group: any EventLoopGroup
  public static let largestBody = 64 * 1024 * 1024

  public init(
    host: String, port: Int, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) {
    self.host = host
    self.port = port
    self.group = group
  }

  public func send(
    _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], body: ByteBuffer? = nil,
    within limit: TimeAmount = .seconds(10)
  ) async throws -> HTTPResponse {
    var headers = headers
    headers.replaceOrAdd(
      name: "Host", value: host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
    headers.replaceOrAdd(name: "Connection", value: "close")
    headers.replaceOrAdd(name: "Content-Length", value: "\(body?.readableBytes ?? 0)")
    let head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
    let eventLoop = group.next()
    let promise = eventLoop.makePromise(of: HTTPResponse.self)
    let channel: any Channel
    do {
      channel = try await ClientBootstrap(group: eventLoop).connectTimeout(.seconds(5))
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(Exchange(promise))
          }
        }.connect(host: host, port: port).get()
    } catch {
      promise.fail(error)
      _ = try? await promise.futureResult.get()
      throw HTTPClientError("cannot connect to \(host):\(port)")
    }
    eventLoop.execute {
      channel.write(HTTPClientRequestPart.head(head), promise: nil)
      if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
      channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
      let deadline = eventLoop.scheduleTask(in: limit) {
        promise.fail(HTTPClientError("no answer in \(limit.nanoseconds / 1_000_000_000) s"))
      }
      promise.futureResult.whenComplete { _ in
        deadline.cancel()
        channel.close(promise: nil)
      }
    }
    return try await promise.futureResult.get()
  }
}

private final class Exchange: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  private let promise: EventLoopPromise<HTTPResponse>
  private var response: HTTPResponse?

  init(_ promise: EventLoopPromise<HTTPResponse>) { self.promise = promise }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      response = HTTPResponse(status: head.status, headers: head.headers, body: ByteBuffer())
    case .body(let bytes):
      response?.body.writeImmutableBuffer(bytes)
      if let size = response?.body.readableBytes, size > HTTPClient.largestBody {
        promise.fail(HTTPClientError("the answer is too long"))
      }
    case .end:
      if let response { promise.succeed(response) }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(HTTPClientError("the connection was closed before the answer"))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { promise.fail(error) }
}
