// The page to sign in at, over HTTP: what becomes a cookie, where it leads, and what may not be led or posted; and the
// key that outlives its server (promise P9).

import Foundation
import NIOCore
import TestSupport
import Testing
import Wire

@testable import Auth

@Suite(.timeLimit(.minutes(5 * patience))) struct SignInTests {
  private func post(
    _ credential: String, to next: String = "", port: Int, headers: [String] = [],
    type: String = "application/x-www-form-urlencoded"
  ) async throws -> Answer {
    let allowed = CharacterSet.alphanumerics
    let value = credential.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    let page = next.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    return try await ask(
      "POST", "/sign-in", port: port, headers: headers,
      body: "to=\(page)&credential=\(value)", type: type)
  }

  @Test func aTicketBecomesACookieAndLeadsOn() async throws {
    let server = try await Server.start(keys: nil)
    let page = try await ask("GET", "/sign-in", port: server.port)
    #expect(page.status == 200 && page.body.contains("fairlead ticket"))
    #expect(page.headers["content-security-policy"]?.contains("script") == false)
    // As it was printed, with what a terminal puts around it.
    let printed = server.line.split(separator: " ").last ?? ""
    let answer = try await post(" \(printed)\n", to: "t/build?watch", port: server.port)
    #expect(answer.status == 303 && answer.headers["location"] == "/t/build?watch", "\(answer)")
    let cookie = "Cookie: \(answer.headers["set-cookie"]?.split(separator: ";").first ?? "")"
    // In the clear no longer than a day.
    #expect(
      answer.headers["set-cookie"]?.contains("Max-Age=86400; HttpOnly; SameSite=Strict") == true)
    #expect(
      try await ask("GET", "/v1/nodes", port: server.port, headers: [cookie]).status == 200)
    // Who is signed in need not do it again.
    let known = try await ask("GET", "/sign-in?to=t%2Fx", port: server.port, headers: [cookie])
    #expect(known.status == 303 && known.headers["location"] == "/t/x")
    // A page that found that it is not known is not sent back and forth.
    let why = "/sign-in?why=token_expired"
    let told = try await ask("GET", why, port: server.port, headers: [cookie])
    #expect(told.status == 200 && told.body.contains("has run out"))

    let used = try await post(server.ticket, port: server.port)
    #expect(used.headers["location"] == "/sign-in?why=ticket_invalid")
    #expect(used.headers["set-cookie"] == nil)
    try await eventually("both are in the audit log") {
      server.audit.filter { $0.what == .login }.map(\.result) == ["ok", "ticket_invalid"]
    }
    #expect(!server.folder.read("audit.log").contains(server.ticket))
    #expect(!server.process.output.replacing(server.line, with: "").contains(server.ticket))
  }

  @Test func aBrowserWithAUsedTicketIsLedThere() async throws {
    let server = try await Server.start(keys: nil)
    let address = "/t/x?watch&ticket=\(server.ticket)"
    let browser = ["Accept: text/html,application/xhtml+xml"]
    let first = try await ask("GET", address, port: server.port, headers: browser)
    #expect(first.headers["location"] == "/t/x?watch")
    let second = try await ask("GET", address, port: server.port, headers: browser)
    let page = "/sign-in?why=ticket_invalid&to=t/x%3Fwatch"
    #expect(second.headers["location"] == page, "\(second)")
    // Nobody comes back as a driver who was sent to look.
    let wanted = try await ask("GET", page, port: server.port)
    #expect(wanted.body.contains("t/x?watch"), "\(wanted.body)")
    let cookie = "Cookie: \(first.headers["set-cookie"]?.split(separator: ";").first ?? "")"
    let again = try await ask("GET", address, port: server.port, headers: browser + [cookie])
    #expect(again.headers["location"] == "/t/x?watch", "who is signed in is")
  }

  @Test func aRouterTakesTokens() async throws {
    let server = try await Server.start(.cluster)
    let page = try await ask("GET", "/sign-in", port: server.port)
    #expect(page.body.contains(">Token<") && !page.body.contains("fairlead ticket"))
    let good = try await token("alice", allRights, life: 300)
    let answer = try await post(good, port: server.port)
    let cookie = try #require(answer.headers["set-cookie"])
    let life = cookie.split(separator: "Max-Age=").last.flatMap { Int($0.prefix { $0 != ";" }) }
    #expect((200...300).contains(life ?? 0), "as long as the token: \(cookie)")
    try await eventually("it is in the audit log") {
      server.audit.contains { $0.what == .login && $0.who == "alice" }
    }
    let client = try await greet(
      port: server.port, headers: ["Cookie: \(cookie.split(separator: ";")[0])"])
    try await client.frame("WELCOME", stream: 0) { $0.type == .welcome }

    let late = try await token("alice", allRights, life: -10)
    for (wrong, code) in [
      (late, "token_expired"), ("garbage", "token_malformed"), ("", "token_malformed"),
      (try await token("alice", allRights, secret: Sample.secret + "x"), "token_signature"),
      (String(repeating: "a", count: 9_000), "token_too_long"),
    ] {
      let answer = try await post(wrong, port: server.port)
      #expect(answer.headers["location"] == "/sign-in?why=\(code)", "\(answer)")
      #expect(answer.headers["set-cookie"] == nil)
    }
  }

  @Test func nobodyIsLedAwayAndNoOtherSiteSignsIn() async throws {
    let server = try await Server.start()
    let good = try await token("alice", allRights)
    for next in [
      "//evil.example", "https://evil.example", "t/../x", "t/a b", "t/x?watch&y", "\\evil",
      "t/x\r\nX: y", "v1/nodes",
    ] {
      let answer = try await post(good, to: next, port: server.port)
      #expect(answer.status == 303 && answer.headers["location"] == "/", "\(next): \(answer)")
    }
    let own = "Origin: http://127.0.0.1:\(server.port)"
    #expect(try await post(good, port: server.port, headers: [own]).status == 303)
    for origin in ["https://evil.example", "null"] {
      let answer = try await post(good, port: server.port, headers: ["Origin: \(origin)"])
      #expect(answer.status == 403 && answer.headers["set-cookie"] == nil)
    }
    let plain = try await post(good, port: server.port, type: "text/plain")
    #expect(plain.status == 400 && plain.headers["set-cookie"] == nil)
    #expect(try await post(String(repeating: "a", count: 20_000), port: server.port).status == 413)
    let echo = try await ask("GET", "/sign-in?why=<b>&to=%22%3E%3Cb%3E", port: server.port)
    #expect(echo.status == 200 && !echo.body.contains("<b>"))
  }

  @Test func anAddressSignsNobodyInAsAnother() async throws {
    for shape in Server.Shape.allCases {
      let server = try await Server.start(shape)
      let mallory = try await token("mallory", allRights)
      for page in ["/", "/t/x", "/sign-in"] {
        let answer = try await ask("GET", "\(page)?ticket=\(mallory)", port: server.port)
        #expect(answer.headers["set-cookie"] == nil, "\(page): \(answer)")
      }
    }
  }

  @Test func theOriginOfThePublicURLIsItsOwn() async throws {
    let folder = try Folder()
    let port = try freePort()
    let process = try Fairlead.start(
      [
        "serve", "--listen", "127.0.0.1:\(port)", "--public-url",
        "https://console.example.com/deep",
      ], environment: ["XDG_RUNTIME_DIR": folder.path, "HOME": folder.path])
    let line = try await process.line(with: "serves on")
    let ticket = String(line.split(separator: "ticket=").last ?? "")
    // A proxy has put another Host there.
    let answer = try await post(
      ticket, to: "t/x", port: port, headers: ["Origin: https://console.example.com"])
    #expect(answer.status == 303 && answer.headers["location"] == "/deep/t/x", "\(answer)")
    #expect(answer.headers["set-cookie"]?.contains("Path=/deep;") == true)
  }

  @Test func aPageIsToldWhyItMayNotConnect() async throws {
    let server = try await Server.start(["--allow-origin", "https://good.example"])
    for (origin, status) in [("https://evil.example", 403), ("https://good.example", 426)] {
      let answer = try await ask(
        "GET", "/v1/connect", port: server.port, headers: ["Origin: \(origin)"])
      #expect(answer.status == status && answer.headers["access-control-allow-origin"] == "*")
    }
  }

  @Test func theKeyOutlivesItsServer() async throws {
    let folder = try Folder()
    let environment = ["XDG_RUNTIME_DIR": folder.path, "HOME": folder.path]
    let key = folder.path + "/fairlead/serve-"
    let port = try freePort()
    func start() async throws -> (ChildProcess, String) {
      let server = try Fairlead.start(
        ["serve", "--listen", "127.0.0.1:\(port)"], environment: environment)
      return (server, try await server.line(with: "serves on"))
    }
    func end(_ server: ChildProcess) async throws {
      server.signal(SIGKILL)
      try await server.waitForExit()
    }
    let (first, line) = try await start()
    let ticket = String(line.split(separator: "ticket=").last ?? "")
    let login = try await post(ticket, port: port)
    let cookie = "Cookie: \(login.headers["set-cookie"]?.split(separator: ";").first ?? "")"
    let file = key + "\(port).key"
    let attributes = try FileManager.default.attributesOfItem(atPath: file)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    #expect(attributes[.size] as? Int == AuthLimits.secret)
    try await end(first)

    let (second, _) = try await start()
    #expect(try await ask("GET", "/v1/nodes", port: port, headers: [cookie]).status == 200)
    try await end(second)
    // What others can read is no secret any more.
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
    let (third, _) = try await start()
    _ = try await third.line(with: "nobody else may read")
    let refused = try await ask("GET", "/v1/nodes", port: port, headers: [cookie])
    #expect(refused.status == 401 && refused.body.contains("of another key"))
    try await end(third)
  }
}
