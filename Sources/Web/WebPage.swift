// The page at `/`, the same for one session in a whole window at `/t/SESSION` (for frames of other
// pages), and the files below `/assets/`: those of the page, and `fairlead.js` for pages of others.

import HTTPTypes
public import Hummingbird

/// Adds the page's routes.
/// - Parameter frameAncestors: origins, besides the page's own, that may show it in a frame.
public func addWebPage<Context: RequestContext>(
  to router: Hummingbird.Router<Context>, frameAncestors: Set<String> = []
) {
  let policy = contentSecurityPolicy(frameAncestors: frameAncestors)
  for file in WebFile.all.values where file.path != signInFile {
    if file.path == "index.html" {
      // Its addresses are relative, so that it works wherever a proxy puts it.
      for (path, file) in [("/", file), ("/t/{session}", file.below())] {
        router.get(RouterPath(path)) { request, _ in
          var response = answer(request, file)
          response.headers[.contentSecurityPolicy] = policy
          response.headers[.referrerPolicy] = "same-origin"
          return response
        }
      }
    } else {
      router.get(RouterPath("/assets/\(file.path)")) { request, _ in
        var response = answer(request, file)
        // Public files, the same for everybody: other sites' pages may import them.
        response.headers[.accessControlAllowOrigin] = "*"
        response.headers[.crossOriginResourcePolicy] = "cross-origin"
        return response
      }
    }
  }
}

private let signInFile = "sign-in.html"

/// The page to sign in at: no script, nothing from elsewhere, and in nobody's frame, where a user could be led to type
/// into it unknowingly.
/// - Parameters:
///   - problem: a sentence that says what happened.
///   - next: the page that was wanted, which the form sends back.
public func signInPage(
  problem: String?, takesTickets: Bool, takesTokens: Bool, next: String
) -> Response {
  guard let file = WebFile.all[signInFile] else { return Response(status: .notFound) }
  let label = takesTickets ? (takesTokens ? "Ticket or token" : "Ticket") : "Token"
  let html = String(buffer: file.bytes)
    .replacing(
      "<!--problem-->", with: problem.map { "<p role=\"alert\">\(escaped($0))</p>" } ?? ""
    )
    .replacing("<!--label-->", with: label)
    .replacing(
      "<!--hint-->", with: signInHint(takesTickets: takesTickets, takesTokens: takesTokens)
    )
    .replacing("<!--next-->", with: escaped(next))
  let policy =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    + "frame-ancestors 'none'"
  return Response(
    status: .ok,
    headers: [
      .contentType: file.type, .xContentTypeOptions: "nosniff", .cacheControl: "no-store",
      .contentSecurityPolicy: policy, .referrerPolicy: "same-origin",
    ],
    body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
}

/// Where to get what signs in.
private func signInHint(takesTickets: Bool, takesTokens: Bool) -> String {
  let operators = "Your operator has one for you, or the application that led you here."
  guard takesTickets else { return operators }
  return "<code>fairlead ticket</code> prints one to the user who started this server"
    + (takesTokens ? "; a token of your operator is as good." : ".")
}

private func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
}

/// No inline script, no request to anybody else. Styles: xterm.js makes style elements and style
/// attributes for colours and sizes as it runs, and has no way to give them a nonce.
private func contentSecurityPolicy(frameAncestors: Set<String>) -> String {
  let ancestors = (["'self'"] + frameAncestors.sorted()).joined(separator: " ")
  return [
    "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
    "frame-ancestors \(ancestors)",
  ].joined(separator: "; ")
}

private func answer(_ request: Request, _ file: WebFile) -> Response {
  var headers: HTTPFields = [
    .contentType: file.type, .eTag: file.tag, .xContentTypeOptions: "nosniff",
    // A file without a version is asked for each time, and mostly answered by 304.
    .cacheControl: file.isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
  ]
  if file.gzip != nil { headers[.vary] = "Accept-Encoding" }
  if request.headers[values: .ifNoneMatch].contains(where: { $0.contains(file.tag) }) {
    return Response(status: .notModified, headers: headers)
  }
  var body = file.bytes
  if let gzip = file.gzip, accepts(gzip: request) {
    body = gzip
    headers[.contentEncoding] = "gzip"
  }
  return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: body))
}

private func accepts(gzip request: Request) -> Bool {
  request.headers[values: .acceptEncoding].joined(separator: ",").split(separator: ",")
    .contains { coding in
      let parts = coding.split(separator: ";").map { $0.filter { $0 != " " }.lowercased() }
      return parts.first == "gzip" && !parts.contains("q=0")
    }
}

extension HTTPField.Name {
  // Of other standards than HTTP's own, so that HTTPTypes does not name them.
  fileprivate static let referrerPolicy = Self("Referrer-Policy")!
  fileprivate static let crossOriginResourcePolicy = Self("Cross-Origin-Resource-Policy")!
}
