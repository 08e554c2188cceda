// A request answered by a router's responder, with no socket between. HummingbirdTesting does the same,
// and would bring an HTTP client and a second TLS stack into every build of the tests.

public import HTTPTypes
public import Hummingbird
import Logging
public import NIOCore
import NIOEmbedded
import Synchronization

/// An answer, whole.
public struct Answer: Sendable {
  public let status: HTTPResponse.Status
  public let headers: HTTPFields
  public let body: ByteBuffer
}

extension Router where Context: InitializableFromSource<ApplicationRequestContextSource> {
  /// Asks for `path` (with its query), as a client of one request would.
  public func ask(
    _ path: String, _ method: HTTPRequest.Method = .get, headers: HTTPFields = [:],
    body: ByteBuffer? = nil
  ) async throws -> Answer {
    var headers = headers
    headers[.contentLength] = body.map { String($0.readableBytes) }
    let request = Request(
      head: HTTPRequest(
        method: method, scheme: "http", authority: "localhost", path: path, headerFields: headers),
      body: RequestBody(buffer: body ?? ByteBuffer()))
    let source = ApplicationRequestContextSource(
      channel: NIOAsyncTestingChannel(), logger: Logger(label: "test"))
    let response = try await buildResponder().respond(
      to: request, context: Context(source: source))
    let writer = Collector()
    try await response.body.write(writer)
    return Answer(status: response.status, headers: response.headers, body: writer.body)
  }
}

private final class Collector: ResponseBodyWriter, Sendable {
  private let written = Mutex(ByteBuffer())
  var body: ByteBuffer { written.withLock { $0 } }

  func write(_ buffer: ByteBuffer) async throws {
    _ = written.withLock { $0.writeImmutableBuffer(buffer) }
  }

  func finish(_ trailers: HTTPFields?) async throws {}
}
