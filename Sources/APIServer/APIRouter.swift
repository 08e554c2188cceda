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
  addRouters(to: router, operations)
  addStory(to: router, operations)
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
    let list = try await cluster.nodeList()
    var nodes: [NodeView] = []
    for entry in list.nodes {
      nodes.append(NodeView(entry, link: await cluster.link(to: entry)))
    }
    return try json(NodesAnswer(nodes: nodes, registry: list.gap))
  }
  let wishes: [(String, NodeWish)] = [("drain", .drain), ("cordon", .cordon)]
  for (path, wish) in wishes {
    router.post("/v1/nodes/{id}/\(path)") { request, context in
      try request.allowQuery()
      return try await apply(wish, try name("id", in: context), try context.cluster(operations))
    }
    router.delete("/v1/nodes/{id}/\(path)") { request, context in
      try request.allowQuery()
      return try await apply(.serve, try name("id", in: context), try context.cluster(operations))
    }
  }
}

private func apply(
  _ wish: NodeWish, _ node: NodeID, _ cluster: any ClusterOperations
) async throws -> Response {
  let isDone = try await cluster.setWish(node, wish)
  return try json(
    WishAnswer(node: node, wish, isPending: !isDone), status: isDone ? .ok : .accepted)
}

private func addSessions(
  to router: Hummingbird.Router<APIContext>, _ operations: any ClusterOperations, _ path: String
) {
  router.get("/v1/sessions") { request, context in
    try request.allow(query: SessionFilter.parameters)
    let filter = try SessionFilter { name in
      request.uri.queryParameters[name[...]].map { String($0) }
    }
    let cluster = try context.cluster(operations)
    var list = try await cluster.sessions(node: filter.node)
    let nodes: Set<String>? =
      filter.labels.isEmpty
      ? nil
      : Set(try await cluster.nodes().filter { filter.has($0.record) }.map(\.record.id.rawValue))
    list.sessions.removeAll { !filter.takes($0, onNodes: nodes) }
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
func name<Name: NameIdentifier>(_ key: String, in context: APIContext) throws
  -> Name
{
  guard let text = context.parameters.get(key), let name = Name(text) else {
    throw OperationError(
      .badRequest, "the name in the path is not 1 to 64 characters of [A-Za-z0-9_-]")
  }
  return name
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
