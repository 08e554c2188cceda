// A small HTTP/1.1 client, over TCP or a Unix socket: one request, one connection, a bounded answer.
// `upgrade` hands the connection over when the server switches protocols (RFC 9110 §7.8).

public import NIOCore
public import NIOHTTP1
public import NIOPosix
public import Transport
import Wire

public struct HTTPClient: Sendable {
  private let connector: Connector
  private let group: any EventLoopGroup

  public init(
    _ address: Address, layer: SocketLayer = .plain,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) {
    connector = Connector(address, layer)
    self.group = group
  }

  public var address: Address { connector.address }

  public init(
    host: String, port: Int, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) {
    self.init(.tcp(host: host, port: port), group: group)
  }

  /// - Parameter largestBody: the longest answer taken, in bytes.
  /// - Throws: ``HTTPClientError``. An answer of any status is an answer, not an error.
  public func send(
    _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], body: ByteBuffer? = nil,
    within limit: TimeAmount = HTTPClientLimits.answer, largestBody: Int = HTTPClientLimits.body
  ) async throws -> HTTPResponse {
    var headers = headers
    headers.replaceOrAdd(name: "Connection", value: "close")
    let eventLoop = group.next()
    let promise = eventLoop.makePromise(of: HTTPResponse.self)
    exchange(
      head(method, path, headers, body), body, on: eventLoop, within: limit, promise: promise
    ) { channel in
      try channel.pipeline.syncOperations.addHandler(HTTPRequestEncoder())
      try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPResponseDecoder()))
      try channel.pipeline.syncOperations.addHandler(
        HTTPExchange(promise, largestBody: largestBody))
    }
    return try await promise.futureResult.get()
  }

  /// Asks the server to switch to another protocol, and then gives the connection to `handler`,
  /// with every byte that came behind the answer's head. `handler` passes nothing on.
  /// - Parameter protocol: the value of the Upgrade header.
  /// - Throws: ``HTTPClientError``.
  public func upgrade(
    _ method: HTTPMethod, _ path: String, to protocol: String, headers: HTTPHeaders = [:],
    body: ByteBuffer? = nil, within limit: TimeAmount = HTTPClientLimits.answer,
    largestBody: Int = HTTPClientLimits.body, handler: NIOLoopBound<any ChannelHandler>
  ) async throws -> HTTPUpgrade {
    var headers = headers
    headers.replaceOrAdd(name: "Connection", value: "Upgrade")
    headers.replaceOrAdd(name: "Upgrade", value: `protocol`)
    let eventLoop = handler.eventLoop
    let promise = eventLoop.makePromise(of: HTTPUpgrade.self)
    exchange(
      head(method, path, headers, body), body, on: eventLoop, within: limit, promise: promise
    ) { channel in
      let answer = channel.eventLoop.makePromise(of: HTTPResponse.self)
      let codec: [any ChannelHandler & RemovableChannelHandler] = [
        HTTPRequestEncoder(), ByteToMessageHandler(HTTPResponseDecoder()),
        HTTPExchange(answer, largestBody: largestBody),
      ]
      let gate = HTTPUpgradeGate(promise, codec: codec, successor: handler.value)
      try channel.pipeline.syncOperations.addHandlers([gate] + codec)
      let bound = NIOLoopBound(gate, eventLoop: channel.eventLoop)
      answer.futureResult.map { .refused($0) }.whenComplete { result in
        if !bound.value.isSwitching { promise.completeWith(result) }
      }
    }
    return try await promise.futureResult.get()
  }

  // MARK: One connection

  private func head(
    _ method: HTTPMethod, _ path: String, _ headers: HTTPHeaders, _ body: ByteBuffer?
  ) -> HTTPRequestHead {
    var headers = headers
    // RFC 9112, section 3.2: a Unix socket has no authority, so that any will do.
    headers.replaceOrAdd(name: "Host", value: address.authority ?? "localhost")
    headers.replaceOrAdd(name: "Content-Length", value: "\(body?.readableBytes ?? 0)")
    return HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
  }

  /// Connects, sends the request, and leaves `promise` to the handlers that `initialize` adds; it
  /// fails at the latest after `limit`, and a connection that was not handed over is closed.
  private func exchange<Answer: Sendable>(
    _ head: HTTPRequestHead, _ body: ByteBuffer?, on eventLoop: any EventLoop,
    within limit: TimeAmount, promise: EventLoopPromise<Answer>,
    initialize: @escaping @Sendable (any Channel) throws -> Void
  ) {
    let address = self.address
    let deadline = eventLoop.scheduleTask(in: limit) {
      promise.fail(
        HTTPClientError(
          .timeout, "\(address) gave no answer in \(limit.nanoseconds / 1_000_000) ms"))
    }
    let answer = promise.futureResult
    answer.whenComplete { _ in deadline.cancel() }
    let toConnect = min(limit, HTTPClientLimits.connectTimeout)
    connector.connect(on: eventLoop, within: toConnect) { channel in
      try initialize(channel)
      return channel
    }.whenComplete { result in
      switch result {
      case .success(let channel):
        answer.whenComplete { answer in
          if case .success(let answer) = answer, case .switched = answer as? HTTPUpgrade { return }
          channel.close(promise: nil)
        }
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
      case .failure(let error):
        promise.fail(HTTPClientError(.unreachable, "cannot connect to \(address)", cause: error))
      }
    }
  }
}
