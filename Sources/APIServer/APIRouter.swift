// The HTTP API's routes: each reads its request, asks the cluster one thing, and answers in JSON.
// docs/api.md shows every one with an example.

import API
public import Auth
import HTTPTypes
public import Hummingbird
import Registry
import Wire

/// The HTTP API over `operations`.
/// - Parameters:
///   - access: who a request is from.
///   - isSecure: clients come by TLS.
///   - path: where clients find all of this, if not at the root: begins with a slash, and does not end with one.
///   - pages: which pages are the server's own, and which may connect.
///   - signInPage: draws the page to sign in at.
public func apiRouter(
  operations: any ClusterOperations, version: String, access: AccessControl = .open,
  audit: AuditLog? = nil, isSecure: Bool = false, pages: PageRules = PageRules(),
  path: String = "",
  signInPage: @escaping @Sendable (SignIn.Page) -> Response = { _ in Response(status: .ok) }
) -> Hummingbird.Router<APIContext> {
  let router = Hummingbird.Router(
    context: APIContext.self, options: .autoGenerateHeadEndpoints)
  router.add(middleware: ErrorAnswers())
  let signIn = SignIn(access: access, audit: audit, isSecure: isSecure, path: path)
  router.add(middleware: TicketExchange(access: access, signIn: signIn))
  router.add(middleware: Identify(access: access, audit: audit))
  router.add(middleware: SameOriginOnly(pages: pages, audit: audit))
  addHealth(to: router, operations, version)
  addNodes(to: router, operations)
  addSessions(to: router, operations, path)
  addScreens(to: router, operations)
  addTickets(to: router, operations, access, audit)
  signIn.addRoutes(to: router, page: signInPage)
  router.get("/v1/connect") { request, context -> Response in
    var problem = try explainNoUpgrade(request, context, pages, audit)
    // It tells a page why it may not connect, which its browser does not; and nothing else.
    problem.headers[.accessControlAllowOrigin] = "*"
    throw problem
  }
  return router
}

private func addHealth(
  to router: Hummingbird.Router<APIContext>, _ operations: any ClusterOperations,
  _ version: String
) {
  router.get("/livez") { _, _ in text("ok\n") }
  router.get("/readyz") { _, _ in
    guard await operations.isReady else {
      throw OperationError(
        .unavailable,
        "this router is not ready: its registry has not answered yet, or it shuts down"
      )
    }
    return text("ok\n")
  }
  router.get("/v1/version") { request, _ in
    try request.allowQuery()
    return try json(VersionAnswer(version: version))
  }
}

private func addNodes(
  to router: Hummingbird.Router<APIContext>, _ operations: any ClusterOperations
) {
  router.get("/v1/nodes") { request, context in
    try request.allowQuery()
    let cluster = try context.cluster(operations)
    var nodes: [NodeView] = []
    for entry in try await cluster.nodes() {
      nodes.append(NodeView(entry, link: await cluster.link(to: entry)))
    }
    return try json(NodesAnswer(nodes: nodes))
  }
  router.post("/v1/nodes/{id}/drain") { request, context in
    try request.allowQuery()
    let node: NodeID = try name("id", in: context)
    try await context.cluster(operations).setDraining(node, true)
    return try json(DrainAnswer(node: node, draining: true))
  }
  router.delete("/v1/nodes/{id}/drain") { request, context in
    try request.allowQuery()
    let node: NodeID = try name("id", in: context)
    try await context.cluster(operations).setDraining(node, false)
    return try json(DrainAnswer(node: node, draining: false))
  }
}

private func addSessions(
  to router: Hummingbird.Router<APIContext>, _ operations: any ClusterOperations, _ path: String
) {
  router.get("/v1/sessions") { request, context in
    try request.allowQuery("node", "idle")
    var node: NodeID?
    if let text = request.uri.queryParameters["node"] {
      node = NodeID(String(text))
      guard node != nil else { throw OperationError(.badRequest, "node is not a node's name") }
    }
    var idle: UInt64 = 0
    if let text = request.uri.queryParameters["idle"] {
      guard let milliseconds = milliseconds(String(text)) else {
        throw OperationError(.badRequest, "idle is a time such as 90s, 15m, 2h or 1d")
      }
      idle = milliseconds
    }
    var list = try await context.cluster(operations).sessions(node: node)
    // Where somebody is who may type, it is in use, however long nothing has moved.
    list.sessions.removeAll { session in
      idle > 0 && (session.idle < idle || session.viewers.contains { $0.mode == .driver })
    }
    return try json(list)
  }
  router.post("/v1/sessions") { request, context in
    try request.allowQuery()
    let opened = try await context.cluster(operations).create(try await creation(request))
    var response = try json(opened, status: opened.created ? .created : .ok)
    response.headers[.location] = "\(path)/v1/sessions/\(opened.session)"
    return response
  }
  router.get("/v1/sessions/{id}") { request, context in
    try request.allowQuery()
    return try json(try await context.cluster(operations).session(try name("id", in: context)))
  }
  router.delete("/v1/sessions/{id}") { request, context -> Response in
    try request.allowQuery()
    try await context.cluster(operations).kill(try name("id", in: context))
    return Response(status: .noContent)
  }
  router.get("/v1/where/{id}") { request, context in
    try request.allowQuery()
    return try json(try await context.cluster(operations).locate(try name("id", in: context)))
  }
}

private func addScreens(
  to router: Hummingbird.Router<APIContext>, _ operations: any ClusterOperations
) {
  router.get("/v1/sessions/{id}/screen") { request, context in
    try request.allowQuery("format", "scrollback", "tail")
    let format = request.uri.queryParameters["format"].map {
      ScreenFormat(rawValue: String($0))
    }
    let scrollback = request.uri.queryParameters["scrollback"].map { String($0) }
    guard let lines = scrollbackLines(scrollback ?? "0") else {
      throw OperationError(.badRequest, "scrollback is a number of lines, or all")
    }
    let tail = request.uri.queryParameters["tail"].map { UInt32(String($0)) }
    guard tail != .some(nil) else {
      throw OperationError(.badRequest, "tail is a number of lines")
    }
    guard tail == nil || scrollback == nil else {
      throw OperationError(
        .badRequest, "tail gives the last lines, scrollback the screen below some: not both")
    }
    let screen = try await context.cluster(operations).screen(
      try name("id", in: context), format: format ?? .text, scrollback: lines, tail: tail ?? nil)
    return text(screen, type: format == .json ? "application/json" : "text/plain; charset=utf-8")
  }
}

/// What this API takes besides the body of an OPEN frame.
private struct CreationWish: Decodable {
  /// One that exists already is as good.
  var attach: Bool?
}

/// The session to create: the body is that of an OPEN frame, and `attach`; an empty one asks for a login
/// shell.
private func creation(_ request: Request) async throws -> Open {
  let body = try await boundedBody(request)
  var open = Open(session: nil, size: .standard)
  var isAny = false
  if body.readableBytes > 0 {
    let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased()
    // A web page may send other types to any server without being asked; not this one.
    guard type == "application/json" else {
      throw OperationError(.badRequest, "the body's Content-Type must be application/json")
    }
    open = try decode(Open.self, body)
    guard open.kind == .terminal else {
      throw OperationError(.badRequest, Refused.unknown(open.kind).message)
    }
    open = try decodeKnowing(Open.self, body, more: ["attach", "kind"])
    guard open.exclusive == nil else {
      throw OperationError(
        .badRequest, "\"exclusive\" is for connections; here \"attach\" says what may be")
    }
    isAny = try decode(CreationWish.self, body).attach ?? false
  }
  open.exclusive = isAny ? nil : true
  guard open.resume == nil else {
    throw OperationError(.badRequest, "\"resume\" is for connections; creating never resumes")
  }
  if open.create == nil { open.create = Creation() }
  if let problem = open.problem { throw OperationError(.badRequest, problem) }
  return open
}

/// A name from the path.
private func name<Name: NameIdentifier>(_ key: String, in context: APIContext) throws
  -> Name
{
  guard let text = context.parameters.get(key), let name = Name(text) else {
    throw OperationError(
      .badRequest, "the name in the path is not 1 to 64 characters of [A-Za-z0-9_-]")
  }
  return name
}

/// Milliseconds of `90s`, `15m`, `2h`, `1d`, or of a plain number of seconds.
func milliseconds(_ text: String) -> UInt64? {
  let units: [Character: UInt64] = ["s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
  let unit = text.last.flatMap { units[$0] }
  let digits = unit == nil ? text[...] : text.dropLast()
  guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }),
    let count = UInt64(digits), count <= APILimits.timeCount
  else { return nil }
  return count * (unit ?? 1_000)
}

/// Why a GET of the WebSocket's path came here instead of becoming a client's connection.
private func explainNoUpgrade(
  _ request: Request, _ context: APIContext, _ pages: PageRules, _ audit: AuditLog?
) throws -> HTTPProblem {
  let hosts = request.head.authority.map { [$0] } ?? []
  let isAllowed = pages.mayConnect(request.headers[values: .origin], hosts)
  let offer = UpgradeOffer { name in
    HTTPField.Name(name).map { request.headers[values: $0] } ?? []
  }
  if isAllowed, let obstacle = offer.obstacle {
    var problem = HTTPProblem(
      HTTPResponse.Status(code: obstacle.status), obstacle.code, obstacle.message)
    if obstacle.status == HTTPResponse.Status.upgradeRequired.code {
      problem.headers = [
        .upgrade: "websocket", .connection: "upgrade", .secWebSocketVersion: UpgradeOffer.version,
      ]
    }
    return problem
  }
  // Only a token that is offered and no good keeps one from connecting; others may come by HELLO.
  if request.headers[.authorization] != nil { _ = try context.identity.get() }
  return foreignPage(
    "pages of \(request.headers[.origin] ?? "no origin") may not connect to "
      + "\(request.head.authority ?? "no host"); see fairlead's --allow-origin", context, audit)
}
