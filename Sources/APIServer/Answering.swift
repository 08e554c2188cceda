// What the routes share: bodies in and out, and one form for every failure.

import API
import Auth
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
public import NIOCore
import Wire

/// A failure with a status of its own: an HTTP answer, to be sent and never read by a program of ours. No
/// ``Failure``: its code is any, and its status and headers go out with it.
struct HTTPProblem: Error {
  var status: HTTPResponse.Status
  var code: String
  var message: String
  var headers: HTTPFields = [:]
  var facts: SessionFacts?
  init(_ status: HTTPResponse.Status, _ code: String, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }

  init(_ error: OperationError) {
    let status: HTTPResponse.Status =
      switch error.code {
      case .badRequest: .badRequest
      case .forbidden: .forbidden
      case .notFound: .notFound
      case .gone: .gone
      case .exists: .conflict
      case .unavailable: .serviceUnavailable
      }
    self.init(status, error.code.rawValue, error.message)
    facts = error.facts
  }

  /// Nobody is known to ask: 401 with a challenge (RFC 6750 section 3).
  init(_ error: AuthError) { self.init(.unauthorized, error.code.rawValue, error.message) }

  var response: Response {
    let answer = ErrorAnswer(error: .init(code: code, message: message, facts: facts))
    var response = (try? json(answer, status: status)) ?? Response(status: status)
    for field in headers { response.headers[field.name] = field.value }
    if status == .unauthorized {
      response.headers[.wwwAuthenticate] =
        code == AuthError.Code.missing.rawValue ? "Bearer" : #"Bearer error="invalid_token""#
    }
    return response
  }
}

/// Turns what a route throws into the one form of failures.
struct ErrorAnswers: RouterMiddleware {
  typealias Context = APIContext

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch let problem as HTTPProblem {
      return problem.response
    } catch let error as AuthError {
      return HTTPProblem(error).response
    } catch let error as OperationError {
      return HTTPProblem(error).response
    } catch let error as any HTTPResponseError {
      let status = error.status
      let code = status.reasonPhrase.lowercased().replacing(" ", with: "_")
      let message =
        status == .notFound
        ? "there is no \(request.method) \(request.uri.path); see docs/api.md"
        : status.reasonPhrase
      return HTTPProblem(status, code, message).response
    } catch {
      context.logger.error("a request failed", metadata: ["error": "\(error)"])
      return HTTPProblem(.internalServerError, "internal", "the request failed; see the log")
        .response
    }
  }
}

/// Keeps other web sites' pages from changing anything through a user's browser (promise P9): those
/// requests carry an Origin that is not this host. Reading is safe, since such pages see no answer.
struct SameOriginOnly: RouterMiddleware {
  typealias Context = APIContext
  let pages: PageRules
  let audit: AuditLog?

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    let isReading = request.method == .get || request.method == .head
    if !isReading, let origin = request.headers[.origin], !isOwn(origin, request) {
      throw foreignPage("pages of \(origin) may not use this API", context, audit)
    }
    return try await next(request, context)
  }

  private func isOwn(_ origin: String, _ request: Request) -> Bool {
    let isOfPublicURL = pages.ownOrigins.contains(origin.lowercased())
    return isOfPublicURL
      || request.head.authority.map { pages.ownHosts.isOwnPage(of: origin, calling: $0) } ?? false
  }
}

/// Which web pages are taken for what.
public struct PageRules: Sendable {
  /// By which names the server's own pages may call it.
  var ownHosts: OwnHosts
  /// Of its own pages, whatever a proxy makes of the host: whole, in small letters, as browsers send them.
  var ownOrigins: Set<String>
  /// Whether a page of these Origins, which calls these Hosts, may connect.
  var mayConnect: @Sendable (_ origins: [String], _ hosts: [String]) -> Bool

  public init(
    ownHosts: OwnHosts = .any, ownOrigins: Set<String> = [],
    mayConnect: @escaping @Sendable ([String], [String]) -> Bool = { _, _ in true }
  ) {
    self.ownHosts = ownHosts
    self.ownOrigins = ownOrigins
    self.mayConnect = mayConnect
  }
}

/// The refusal of another web site's page; the audit log has the only trace of its attempt.
func foreignPage(_ message: String, _ context: APIContext, _ audit: AuditLog?) -> HTTPProblem {
  audit?.record(
    AuditEvent(.connect, who: nil, from: context.from, result: "forbidden", message: message))
  return HTTPProblem(.forbidden, "forbidden", message)
}

// MARK: Bodies

func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
  var body = ByteBuffer(bytes: inertJSON(try encoder.encode(value)))
  body.writeString("\n")
  return Response(
    status: status, headers: [.contentType: "application/json"],
    body: ResponseBody(byteBuffer: body))
}

func text(_ text: String, type: String = "text/plain; charset=utf-8") -> Response {
  Response(
    status: .ok, headers: [.contentType: type],
    body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
}

func boundedBody(_ request: Request) async throws -> ByteBuffer {
  do {
    return try await request.body.collect(upTo: APILimits.body)
  } catch is NIOTooManyBytesError {
    throw HTTPProblem(
      .contentTooLarge, "too_large", "a body of more than \(APILimits.body) bytes")
  } catch {
    // The client left, or was too slow: what has come is not the whole, and nobody's fault here.
    throw HTTPProblem(.badRequest, "bad_request", "the body broke off")
  }
}

/// The one form of failures, for who answers before a route is asked.
public func errorBody(_ code: String, _ message: String) -> ByteBuffer {
  let answer = ErrorAnswer(error: .init(code: code, message: message))
  var body =
    (try? JSONEncoder().encode(answer)).map { ByteBuffer(bytes: inertJSON($0)) } ?? ByteBuffer()
  body.writeString("\n")
  return body
}

func decode<Value: Decodable>(_ type: Value.Type, _ body: ByteBuffer) throws -> Value {
  guard body.mayBeUTF8 else {
    throw OperationError(.badRequest, "the body is not UTF-8")
  }
  do {
    return try JSONDecoder().decode(type, from: Data(body.readableBytesView))
  } catch let error as DecodingError {
    throw OperationError(.badRequest, "the body is not understood: \(error.words())")
  } catch {
    throw OperationError(.badRequest, "the body is not JSON")
  }
}
