// The HTTP API from the other side, for the command line and for programs in Swift.

public import API
import FoundationEssentials
import HTTPClient
public import NIOCore
import NIOHTTP1
public import NIOPosix
public import Registry
public import TLS
import Transport
public import Wire

/// What went wrong between here and the API. No ``Failure``: its code carries the HTTP answer's status, and the
/// answer's facts come with it.
public struct APIError: Error, CustomStringConvertible {
  public enum Code: Sendable, Equatable {
    /// Nothing answers there: another way may be tried.
    case unreachable
    /// The API answered with a failure, of this HTTP status and code.
    case failed(status: Int, code: String)
    /// Something else than a Fairlead router answered.
    case notUnderstood
  }
  public var code: Code
  /// The token does not allow it.
  public var isForbidden: Bool { if case .failed(403, _) = code { true } else { false } }
  public var message: String
  /// What the answer says of the session, with 409 and 410.
  public var facts: SessionFacts?
  /// What seems to be there instead, if it is unreachable.
  public var seen: Seen?
  /// What is not there, with 404.
  public var missing: Missing?

  public init(
    code: Code, message: String, facts: SessionFacts? = nil, seen: Seen? = nil,
    missing: Missing? = nil
  ) {
    self.code = code
    self.message = message
    self.facts = facts
    self.seen = seen
    self.missing = missing
  }

  public enum Seen: Sendable {
    /// A server without TLS, where TLS was spoken.
    case plainText
    /// It ended the connection without a word.
    case silentEnd
  }

  public enum Missing: Sendable { case session, node, client }

  /// As the server would say it, of what was looked for in its answers.
  public static func notFound(_ message: String, missing: Missing? = nil) -> APIError {
    APIError(code: .failed(status: 404, code: "not_found"), message: message, missing: missing)
  }

  public var description: String { message }
}

public struct APIClient: Sendable {
  private let http: HTTPClient
  private let prefix: String
  private let url: String
  private let token: String?
  private let limit: TimeAmount

  /// - Parameters:
  ///   - path: before `/v1`, where a load balancer puts the API below a path of its own.
  ///   - tls: nil speaks plain HTTP.
  ///   - token: sent as `Authorization: Bearer`.
  ///   - limit: how long an answer may take; nil: as long as it usually may.
  public init(
    host: String, port: Int, path: String = "", tls: TLSContext? = nil, token: String? = nil,
    within limit: TimeAmount? = nil,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) {
    let address = Address.tcp(host: host, port: port)
    http = HTTPClient(address, layer: tls.map { .interactive($0) } ?? .plain, group: group)
    prefix = path
    self.token = token
    self.limit = limit ?? HTTPClientLimits.answer
    url = "\(tls == nil ? "http" : "https")://\(address.authority ?? host)\(path)"
  }

  public func version() async throws -> VersionAnswer { try await get("/v1/version") }

  public func nodes() async throws -> [NodeView] { try await nodeList().nodes }

  /// With why the registry did not answer, if it did not.
  public func nodeList() async throws -> NodesAnswer { try await get("/v1/nodes") }

  /// - Parameter idle: seconds that a session must have been unused.
  public func sessions(node: NodeID? = nil, idle: Int64? = nil) async throws -> [SessionSummary] {
    try await sessionList(node: node, idle: idle).sessions
  }

  /// With what is missing from it.
  /// - Parameter idle: seconds that a session must have been unused.
  public func sessionList(node: NodeID? = nil, idle: Int64? = nil) async throws -> SessionList {
    try await sessionList(SessionFilter(node: node, idle: UInt64(max(0, idle ?? 0)) * 1_000))
  }

  /// Those that the filter takes, with what is missing.
  public func sessionList(_ filter: SessionFilter) async throws -> SessionList {
    let query = filter.query.map { "\($0.name)=\(Self.encoded($0.value))" }
    let suffix = query.isEmpty ? "" : "?" + query.joined(separator: "&")
    return try await get("/v1/sessions" + suffix)
  }

  /// RFC 3986, section 2.1: all but what means itself.
  private static func encoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
      let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      if isLetter || isDigit || "-._~".utf8.contains(byte) {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  public func session(_ id: SessionID) async throws -> SessionSummary {
    try await get("/v1/sessions/\(id)")
  }

  public func locate(_ id: SessionID) async throws -> SessionLocation {
    try await get("/v1/where/\(id)")
  }

  /// - Parameter attach: a session of that name which runs is taken as it is; without, it is a failure (409).
  public func create(_ open: Open, attach: Bool = false) async throws -> Opened {
    var open = open
    open.exclusive = nil
    let request = CreationRequest(open: open, attach: attach)
    let body = ByteBuffer(bytes: try JSONEncoder().encode(request))
    return try decode(try await send(.POST, "/v1/sessions", body: body))
  }

  private struct CreationRequest: Encodable {
    var open: Open
    var attach: Bool

    private enum CodingKeys: String, CodingKey { case attach }

    func encode(to encoder: any Encoder) throws {
      try open.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(attach, forKey: .attach)
    }
  }

  public func kill(_ id: SessionID) async throws {
    _ = try await send(.DELETE, "/v1/sessions/\(id)")
  }

  /// - Parameters:
  ///   - scrollback: lines above the screen.
  ///   - tail: instead of the screen, so many of the last lines that hold something.
  public func screen(
    _ id: SessionID, format: ScreenFormat, scrollback: UInt32 = 0, tail: UInt32? = nil
  ) async throws -> String {
    // The set of formats is the server's to know; what could end the query is not passed on.
    let safe = format.rawValue.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    let part = tail.map { "tail=\($0)" } ?? "scrollback=\(scrollback)"
    return String(
      buffer: try await send(.GET, "/v1/sessions/\(id)/screen?format=\(safe)&\(part)"))
  }

  /// - Returns: whether the registry knows it; else the router tells it once it answers.
  @discardableResult
  public func setWish(_ node: NodeID, _ wish: NodeWish) async throws -> Bool {
    let path = "/v1/nodes/\(node)/" + (wish == .cordon ? "cordon" : "drain")
    let answer: WishAnswer = try decode(try await send(wish == .serve ? .DELETE : .POST, path))
    return answer.pending != true
  }

  /// A ticket for one browser, of `serve`.
  public func ticket() async throws -> String {
    let answer: TicketAnswer = try decode(try await send(.POST, "/v1/tickets"))
    return answer.ticket
  }

  // MARK: For operators

  public func routers() async throws -> RoutersAnswer { try await get("/v1/routers") }

  /// Those of the router that answers.
  public func clients() async throws -> [ClientView] {
    let answer: ClientsAnswer = try await get("/v1/clients")
    return answer.clients
  }

  /// - Returns: how many connections the router has ended.
  public func kick(_ client: ClientID) async throws -> Int {
    let answer: KickAnswer = try decode(try await send(.DELETE, "/v1/clients/\(client)"))
    return answer.kicked
  }

  /// At most a thousand; more are those after the last.
  /// - Parameter id: of the last event that is known.
  public func events(after id: String) async throws -> [ListedEvent] {
    let answer: EventsAnswer = try await get("/v1/events?after=\(Self.encoded(id))")
    return answer.events
  }

  /// - Parameter repairs: whether what can be mended is.
  public func diagnose(repairs: Bool) async throws -> Diagnosis {
    try decode(try await send(repairs ? .POST : .GET, "/v1/doctor"))
  }

  public func registryHealth() async throws -> RegistryHealth { try await get("/v1/registry") }

  /// - Parameters:
  ///   - target: what one of that name would be; nil: a terminal of a node's machine.
  ///   - labels: which its node would have to have.
  public func explain(
    _ id: SessionID, target: Target? = nil, labels: [String: String] = [:]
  ) async throws -> SessionExplanation {
    var query: [String] = []
    if let target { query.append("target=\(Self.encoded(target.description))") }
    if !labels.isEmpty {
      query.append("label=\(Self.encoded(labelTexts(labels).joined(separator: ",")))")
    }
    let suffix = query.isEmpty ? "" : "?" + query.joined(separator: "&")
    return try await get("/v1/explain/\(id)" + suffix)
  }

  // MARK: One request

  private static func seen(_ error: any Error) -> APIError.Seen? {
    guard let error = error as? HTTPClientError else { return nil }
    if (error.cause as? TLSError)?.code == .notTLS { return .plainText }
    return error.code == .closed && error.cause == nil ? .silentEnd : nil
  }

  private static func asked(_ path: String) -> APIError.Missing? {
    if path.hasPrefix("/v1/nodes/") { return .node }
    if path.hasPrefix("/v1/clients/") { return .client }
    return path.hasPrefix("/v1/sessions/") || path.hasPrefix("/v1/where/") ? .session : nil
  }

  private func get<Answer: Decodable>(_ path: String) async throws -> Answer {
    try decode(try await send(.GET, path))
  }

  private func decode<Answer: Decodable>(_ body: ByteBuffer) throws -> Answer {
    do {
      return try JSONDecoder().decode(Answer.self, from: Data(body.readableBytesView))
    } catch {
      throw APIError(
        code: .notUnderstood, message: "what answers at \(url) is not a Fairlead router")
    }
  }

  private func send(_ method: HTTPMethod, _ path: String, body: ByteBuffer? = nil) async throws
    -> ByteBuffer
  {
    let response: HTTPResponse
    var headers: HTTPHeaders = body == nil ? [:] : ["Content-Type": "application/json"]
    if let token { headers.add(name: "Authorization", value: "Bearer \(token)") }
    do {
      response = try await http.send(
        method, prefix + path, headers: headers, body: body, within: limit)
    } catch {
      let reason = (error as? HTTPClientError)?.reason ?? cause(of: error)
      throw APIError(
        code: .unreachable, message: "no router answers at \(url): \(reason)",
        seen: Self.seen(error))
    }
    guard response.status.code >= 300 else { return response.body }
    if let answer = try? JSONDecoder().decode(
      ErrorAnswer.self, from: Data(response.body.readableBytesView))
    {
      throw APIError(
        code: .failed(status: Int(response.status.code), code: answer.error.code),
        message: answer.error.message, facts: answer.error.facts,
        missing: response.status == .notFound ? Self.asked(path) : nil)
    }
    // A load balancer without a router behind it answers in words of its own.
    let isGateway = (502...504).contains(response.status.code)
    throw APIError(
      code: isGateway ? .unreachable : .notUnderstood,
      message: "\(url) answered \(response.status.code) \(response.status.reasonPhrase)")
  }
}
