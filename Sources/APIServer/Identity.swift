// Who a request is from: found out once for each, demanded by every route that touches the cluster,
// since a route gets at the cluster only as its caller. And the exchange of a ticket for a cookie.

import API
import Auth
import HTTPTypes
import Hummingbird
import Wire

/// Set by the router for every request, whatever the client sent under this name.
public let clientAddressHeader = "x-fairlead-client-address"

struct Identify: RouterMiddleware {
  typealias Context = APIContext

  let access: AccessControl
  let audit: AuditLog?

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    var context = context
    context.from = clientAddress(request)
    context.identity = Result { () throws(AuthError) in
      try access.requirePrincipal(
        authorization: request.headers[values: .authorization],
        cookies: request.headers[values: .cookie], host: request.head.authority)
    }
    let from = context.from
    do {
      return try await next(request, context)
    } catch let error as AuthError {
      audit?.record(
        AuditEvent(
          .connect, who: nil, from: from, result: error.code.rawValue, message: error.message))
      throw error
    }
  }
}

func clientAddress(_ request: Request) -> String {
  HTTPField.Name(clientAddressHeader).flatMap { request.headers[$0] } ?? "local"
}

/// Takes the ticket out of a URL at once: the browser gets a cookie and a clean address, so that no
/// secret stays in its history, and a ticket that somebody else reads there is of no more use.
struct TicketExchange: RouterMiddleware {
  typealias Context = APIContext

  let access: AccessControl
  let signIn: SignIn

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    guard request.method == .get, access.tickets != nil,
      let ticket = request.uri.queryParameters["ticket"]
    else {
      return try await next(request, context)
    }
    do throws(AuthError) {
      return try signIn.enter(request, then: cleanAddress(request)) { () throws(AuthError) in
        try access.signIn(withTicket: String(ticket), life: signIn.life)
      }
    } catch {
      // A program reads why; a person, who may have come by an old address, is led on.
      guard request.headers[values: .accept].contains(where: { $0.contains("text/html") }) else {
        throw error
      }
      let isKnown = try? access.requirePrincipal(
        authorization: [], cookies: request.headers[values: .cookie], host: request.head.authority)
      return isKnown != nil
        ? signIn.lead(to: cleanAddress(request))
        : signIn.lead(toPageSaying: error.code, next: LocalPage(cleanPage(request)))
    }
  }

  /// The same address without the ticket.
  private func cleanAddress(_ request: Request) -> String {
    "\(signIn.path)/\(cleanPage(request))"
  }

  /// What follows the server's own path and a slash. It begins with no slash, since `//HOST` would lead to another
  /// host, as would a backslash in some browsers.
  private func cleanPage(_ request: Request) -> String {
    let local = request.uri.path
    guard !local.contains("\\") else { return "" }
    let query = (request.uri.query ?? "").split(separator: "&").filter {
      $0 != "ticket" && !$0.hasPrefix("ticket=")
    }
    return local.drop { $0 == "/" } + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
  }
}

func addTickets(
  to router: Hummingbird.Router<APIContext>, _ operations: any ClusterOperations,
  _ access: AccessControl, _ audit: AuditLog?
) {
  router.post("/v1/tickets") { request, context in
    try request.allowQuery()
    try await context.cluster(operations).mayIssueTickets()
    guard let tickets = access.tickets else {
      throw OperationError(
        .notFound,
        access.isOpen
          ? "this server asks nobody for a ticket (--no-auth): its URL opens as it is"
          : "tickets are for `fairlead serve`; routers take tokens: see docs/security.md")
    }
    let who = try context.identity.get().subject
    audit?.record(AuditEvent(.ticket, who: who, from: context.from))
    return try json(TicketAnswer(ticket: tickets.issueTicket()), status: .created)
  }
}
