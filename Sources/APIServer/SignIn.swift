// Where a person signs in: a page with one field for a ticket or a token, which become a cookie. What is typed there
// comes in a form's body, so that it stands in no address, history or log; and a form of another web site, which could
// sign a user in as somebody else, is refused (`SameOriginOnly`).

import API
import Auth
import HTTPTypes
import Hummingbird
import NIOCore
import Wire

public struct SignIn: Sendable {
  let access: AccessControl
  let audit: AuditLog?
  let isSecure: Bool
  /// Where clients find this server: the cookie is for no other one at their host.
  let path: String

  /// Seconds that its cookie is good for.
  var life: Double { isSecure ? AuthLimits.cookieLife : AuthLimits.clearCookieLife }

  /// What the page says and asks for.
  public struct Page: Sendable {
    /// What happened, as a sentence; nil: nothing did.
    public var problem: String?
    public var takesTickets: Bool
    public var takesTokens: Bool
    /// The page that was wanted, as ``LocalPage`` writes it.
    public var next: String
  }

  func addRoutes(
    to router: Hummingbird.Router<APIContext>, page: @escaping @Sendable (Page) -> Response
  ) {
    router.get("/sign-in") { request, context -> Response in
      let query = request.uri.queryParameters
      let next = LocalPage(query["to"].map { String($0) })
      let code = query["why"].flatMap { AuthError.Code(rawValue: String($0)) }
      // Who was sent here since a page found that it is not known is not sent back, which could go on for ever.
      if access.isOpen || (code == nil && (try? context.identity.get()) != nil) {
        return lead(to: address(of: next))
      }
      return page(
        Page(
          problem: code.flatMap(words), takesTickets: access.tickets != nil,
          takesTokens: access.verifier != nil, next: next.text))
    }
    router.post("/sign-in") { request, _ -> Response in
      let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased()
      guard type == "application/x-www-form-urlencoded" else {
        throw OperationError(.badRequest, "what signs in is a form's \"credential\"")
      }
      let fields = formFields(try await boundedBody(request))
      let next = LocalPage(fields["to"])
      guard !access.isOpen else { return lead(to: address(of: next)) }
      do throws(AuthError) {
        let credential = Self.credential(in: fields["credential"] ?? "")
        return try enter(request, then: address(of: next)) { () throws(AuthError) in
          try access.signIn(with: credential, life: life)
        }
      } catch {
        return lead(toPageSaying: error.code, next: next)
      }
    }
  }

  /// Gives the browser its cookie, and leads it on.
  func enter(
    _ request: Request, then address: String, _ signIn: () throws(AuthError) -> SignedIn
  ) throws(AuthError) -> Response {
    let from = clientAddress(request)
    do throws(AuthError) {
      let who = try signIn()
      audit?.record(AuditEvent(.login, who: who.subject, from: from))
      var response = lead(to: address)
      let cookie = SessionCookie(host: request.head.authority)
      response.headers[.setCookie] = cookie.header(who, isSecure: isSecure, path: path)
      return response
    } catch {
      audit?.record(
        AuditEvent(
          .login, who: nil, from: from, result: error.code.rawValue, message: error.message))
      throw error
    }
  }

  func lead(to address: String) -> Response {
    Response(status: .seeOther, headers: [.location: address, .cacheControl: "no-store"])
  }

  func lead(toPageSaying code: AuthError.Code, next: LocalPage) -> Response {
    lead(
      to: "\(path)/sign-in?why=\(code.rawValue)"
        + (next.text.isEmpty ? "" : "&to=\(next.text.replacing("?", with: "%3F"))"))
  }

  private func address(of page: LocalPage) -> String { "\(path)/\(page.text)" }

  /// A ticket or a token as people paste it: alone, or in the address in which they got it.
  static func credential(in text: String) -> String {
    let bare = text.drop(while: \.isWhitespace).prefix { !$0.isWhitespace }
    for mark in ["?ticket=", "&ticket=", "#token="] {
      if let found = bare.firstRange(of: mark) {
        return String(bare[found.upperBound...].prefix { $0 != "&" && $0 != "#" })
      }
    }
    return String(bare)
  }

  private func words(_ code: AuthError.Code) -> String? {
    switch code {
    case .missing: nil
    case .ticket: "This ticket was used before, or its ten minutes are over."
    case .expired: "The sign-in has run out."
    case .noKeys: "This server takes tickets only: it was started without --token-key."
    case .tooLong: "That is too long for a browser to keep."
    case .malformed:
      access.tickets == nil ? "That is no token." : "That is neither a ticket nor a token."
    case .notYetValid: "This token is not valid yet."
    default:
      "That was not taken: it is for another server, or the key has changed (\(code.rawValue))."
    }
  }
}

/// One of this server's pages, below where clients find it: nobody is led anywhere else.
struct LocalPage: Equatable {
  /// Empty, or `t/SESSION`, or `t/SESSION?watch`.
  let text: String

  init(_ text: String?) {
    let whole = text ?? ""
    let parts = whole.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let isPage =
      whole.hasPrefix("t/") && SessionID(String(parts[0].dropFirst(2))) != nil
      && (parts.count == 1 || parts[1] == "watch")
    self.text = isPage ? whole : ""
  }
}

/// The fields of a form (`application/x-www-form-urlencoded`), the last of each name. Others than these forms have
/// are of no use to anybody.
func formFields(_ body: ByteBuffer) -> [String: String] {
  var fields: [String: String] = [:]
  for pair in body.readableBytesView.split(separator: UInt8(ascii: "&")).prefix(
    APILimits.formFields)
  {
    let parts = pair.split(
      separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
    fields[formText(parts[0])] = parts.count == 2 ? formText(parts[1]) : ""
  }
  return fields
}

private func formText(_ encoded: ByteBufferView) -> String {
  var bytes: [UInt8] = []
  var rest = encoded[...]
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "%"), rest.count >= 2,
      let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
    {
      bytes.append(value)
      rest = rest.dropFirst(2)
    } else {
      bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}
